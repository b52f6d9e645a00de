"""How a bank of Gabor filters is divided; arithmetic alone."""

from multistage.registry.errors import ConfigError


def gabor_counts(maps: int, kernel: int) -> tuple[int, int]:
    """How many orientations and wavelengths a bank of Gabor filters of two phases has.

    As many wavelengths as leave at least twice as many orientations: 64 maps are 8 x 4 x 2, 32 are 8 x 2 x 2, 8 are
    4 x 1 x 2.

    Args:
        maps: Filters in all.
        kernel: Side of the filters, pixels.

    Raises:
        ConfigError: A number that is odd or below 4, or a side below 5; names the key.
    """
    if maps < 4 or maps % 2:
        raise ConfigError(
            f"geometry.stage1.maps={maps} is not a number of Gabor filters; expected an even number from 4 on "
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
