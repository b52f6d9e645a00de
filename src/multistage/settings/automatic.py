"""What is ``auto`` in a configuration: sizes of stages that fit any image from 24 to 512 pixels, and how long to train.

``geometry=auto`` has two kinds of sizes. Without padding, they are the paper's: each stage shrinks maps by the same
factor, so that the last one is pooled to about as many positions a side as in the paper, kernels are a sixteenth of the
image (9 of 143), windows twice their step. With padding p, they are those of today's networks: kernels of 2p + 1, which
see all maps and keep their size; each stage halves them, and the last one pools each map whole.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from multistage.registry.errors import ConfigError
from multistage.registry.words import shown

if TYPE_CHECKING:
    from multistage.settings.tree import Settings

SMALLEST, LARGEST = 24, 512
"""Sides of images, pixels."""

FITTED_STAGES = 4

FINAL, FINAL_OF_ONE = 4, 13
"""Side of the last stage's pooled maps that is aimed at, and of a single stage's: the paper has 4 to 6, 12 to 26."""

MAPS, SMALL_MAPS = (64, 256, 512, 512), (32, 64, 128, 256)
"""Of each stage; the latter for images of up to `SMALL` pixels. Both are the paper's as far as it goes."""

WIDE_MAPS = (64, 128, 256, 1024)
"""Of each stage that is not trained and whose last maps are pooled whole: a classifier needs more of them."""

SMALL = 48

FAN_IN = 16
"""Input maps that each map of a later stage sees."""

STEPS, FEWEST, MOST = 4000, 10, 400
"""Of training by ``trainer.max_epochs=auto``: steps, and bounds of the epochs."""

Take = Callable[[int, str, Any], Any]
"""Notes the size that fits: number of the stage, name, size; gives back what was typed instead, if anything was."""


def geometry(config: Mapping[str, Any]) -> dict[str, Any]:
    """The sizes that fit every stage, by key, beside those that a configuration holds already.

    Args:
        config: ``data.image_size``, ``data.maps``, ``filter_bank.padding``, ``refine``, ``stages``, and sizes that were
            typed.

    Raises:
        ConfigError: An image or a number of stages that it cannot fit.
    """
    side, stages, padding = (config[key] for key in ("data.image_size", "stages", "filter_bank.padding"))
    if type(side) is not int or not SMALLEST <= side <= LARGEST:
        raise ConfigError(
            f"data.image_size={shown(side)} does not go with geometry=auto; expected {SMALLEST} to {LARGEST} pixels, "
            "or another geometry"
        )
    if type(stages) is not int or not 1 <= stages <= FITTED_STAGES:
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
    """Sizes for filter banks with padding. Kernels are drawn from the range of He et al. (2015), for rectified maps."""
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
    """Sizes for filter banks without padding, with the paper's proportions."""
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
    """How long to train from scratch: `STEPS` of the optimiser, within `FEWEST` and `MOST` epochs.

    Args:
        images: That train.
        batch_size: Images of a step.
    """
    return min(max(round(STEPS * batch_size / images), FEWEST), MOST)


def described(settings: "Settings") -> str:
    """Kernels, windows and maps of every stage, on one line."""
    parts = [f"{settings.data.image_size} pixels"]
    for sizes, shapes in zip(settings.geometry, settings.shapes, strict=True):
        maps, height, _ = shapes.pooled
        parts.append(f"kernels {sizes.kernel}, windows {sizes.window} every {sizes.step}: {maps} maps of {height}")
    return " -> ".join(parts)
