"""Divide a bank of Gabor filters into orientations and wavelengths."""

from multistage.registry.errors import ConfigError


def gabor_counts(maps: int, kernel: int) -> tuple[int, int]:
    """Return the numbers of orientations and wavelengths of a bank of Gabor filters with two phases.

    There are as many wavelengths as possible with at least twice as many orientations: 64 maps are 8 x 4 x 2, 32 are
    8 x 2 x 2, 8 are 4 x 1 x 2.

    Args:
        maps: Number of filters.
        kernel: Side of the filters, pixels.

    Raises:
        ConfigError: An odd number or one below 4, or a side below 5; the message has the key.
    """
    if maps < 4 or maps % 2:
        raise ConfigError(
            f"geometry.stage1.maps={maps} is not a number of Gabor filters; expected an even number of at least 4 "
            "(orientations x wavelengths x two phases), or filters=random or psd"
        )
    if kernel < 5:
        raise ConfigError(
            f"geometry.stage1.kernel={kernel} is too small for Gabor filters; expected at least 5, "
            "or filters=random or psd"
        )
    pairs = maps // 2
    wavelengths = max(count for count in range(1, pairs + 1) if pairs % count == 0 and 2 * count**2 <= pairs)
    return pairs // wavelengths, wavelengths
