"""``auto`` in a configuration: stage sizes for images of 24 to 512 pixels, and the number of epochs.

``geometry=auto`` has two kinds of sizes. Without padding they follow the paper: each stage shrinks maps by the same
factor, so that the last pooled maps are about as large as the paper's; kernels are a sixteenth of the image (9 of 143)
and windows twice the stride. With padding p they follow modern networks: kernels of 2p + 1 on all maps keep the size,
each stage halves it, and the last pooling is global.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from multistage.registry.errors import ConfigError
from multistage.registry.words import shown

if TYPE_CHECKING:
    from multistage.settings.tree import Settings

SMALLEST, LARGEST = 24, 512
"""Smallest and largest side of images, pixels."""

FITTED_STAGES = 4

FINAL, FINAL_OF_ONE = 4, 13
"""Target side of the last stage's pooled maps, and of a single stage's; the paper has 4 to 6, and 12 to 26."""

MAPS, SMALL_MAPS = (64, 256, 512, 512), (32, 64, 128, 256)
"""Maps of each stage; the second for images of up to `SMALL` pixels. Both are the paper's for its stages."""

WIDE_MAPS = (64, 128, 256, 1024)
"""Maps of each frozen stage before global pooling: a classifier needs more of them."""

SMALL = 48

FAN_IN = 16
"""Fan-in: input maps of each map of a later stage."""

STEPS, FEWEST, MOST = 4000, 10, 400
"""Of ``trainer.max_epochs=auto``: training steps, and bounds on the epochs."""

Take = Callable[[int, str, Any], Any]
"""Takes stage number, name and a size that fits; returns the size that was typed instead, if any."""


def geometry(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return sizes that fit, by key, for those that the configuration does not set.

    Args:
        config: ``data.image_size``, ``data.maps``, ``filter_bank.padding``, ``refine``, ``stages``, and typed sizes.

    Raises:
        ConfigError: No sizes fit this image size or number of stages.
    """
    side, stages, padding = (config[key] for key in ("data.image_size", "stages", "filter_bank.padding"))
    if not SMALLEST <= side <= LARGEST:
        raise ConfigError(
            f"data.image_size={shown(side)} does not go with geometry=auto; expected {SMALLEST} to {LARGEST} pixels, "
            "or another geometry"
        )
    if stages > FITTED_STAGES:
        raise ConfigError(
            f"stages={shown(stages)} does not go with geometry=auto; expected 1 to {FITTED_STAGES}, or another geometry"
        )
    fitted: dict[str, Any] = {}

    def take(number: int, name: str, fitting: Any) -> Any:
        key = f"geometry.stage{number}.{name}"
        fitted[key] = fitting
        return config.get(key, fitting)

    if padding:
        maps = SMALL_MAPS if config["refine"] else WIDE_MAPS
        _halving(take, side, stages, padding, (config["data.maps"], *maps))
    else:
        _shrinking(take, side, stages)
    return dict(sorted(fitted.items()))


def _halving(take: Take, side: int, stages: int, padding: int, maps: Sequence[int]) -> None:
    """Choose sizes for filter banks with padding; kernels have the range of He et al. (2015) for rectified maps."""
    seen = maps[0]
    for number in range(1, stages + 1):
        kernel = take(number, "kernel", 2 * padding + 1)
        side = max(1, side + 2 * padding - kernel + 1)
        take(number, "fan_in", None)
        take(number, "filter_range", round(math.sqrt(6 / (seen * kernel**2)), 4))
        seen = take(number, "maps", maps[number])
        step = take(number, "step", min(2, side) if number < stages else side)
        window = take(number, "window", step)
        side = max(1, (side - window) // step + 1)


def _shrinking(take: Take, side: int, stages: int) -> None:
    """Choose sizes for filter banks without padding, with the paper's proportions."""
    maps, seen = SMALL_MAPS if side <= SMALL else MAPS, 0
    final = FINAL_OF_ONE if stages == 1 else FINAL
    kernel = min(max(3, 2 * (side // 32) + 1), 9)
    for number in range(1, stages + 1):
        left = stages - number
        take(number, "fan_in", min(FAN_IN, seen) or None)
        seen = take(number, "maps", maps[number - 1])
        size = take(number, "kernel", min(kernel, max(1, (side + 1) // 2 - left)))
        side = max(1, side - size + 1)
        step = take(number, "step", max(1, min(round((side / final) ** (1 / (left + 1))), side // 2**left)))
        window = take(number, "window", min(2 * step, max(1, side - step)) if step > 2 else step)
        side = max(1, (side - window) // step + 1)
        take(number, "filter_range", round(1 / size, 4))


def epochs(images: int, batch_size: int) -> int:
    """Return the epochs to train from scratch: `STEPS` steps, but at least `FEWEST` and at most `MOST` epochs.

    Args:
        images: Number of training images.
        batch_size: Images in each step.
    """
    return min(max(round(STEPS * batch_size / images), FEWEST), MOST)


def described(settings: "Settings") -> str:
    """Describe kernels, windows and maps of every stage on one line."""
    parts = [f"{settings.data.image_size} pixels"]
    for sizes, shapes in zip(settings.geometry, settings.shapes, strict=True):
        maps, height, _ = shapes.pooled
        parts.append(f"kernels {sizes.kernel}, windows {sizes.window} every {sizes.step}: {maps} maps of {height}")
    return " -> ".join(parts)
