"""Cost of the layer's options and of large windows, and of common alternative implementations."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from audit.speed.baselines import LoopedContrastNorm, UnfoldedContrastNorm
from audit.speed.layer import PEAK, Form, Forms, Shape, calls_of, step_peak
from audit.speed.measurement import Bench
from multistage.layers.contrast_norm import LocalContrastNorm, local_contrast_norm

OPTIONS: tuple[dict[str, Any], ...] = (
    {"window": "box"},
    {"border": "renormalise"},
    {"border": "torch7"},
    {"floor": 1.0},
    {"floor_mode": "add"},
    {"deviation_of": "window"},
    {"subtract": False},
    {"divide": False},
    {"groups": 8},
    {"across_maps": False},
    {"return_statistics": True},
)
"""Options of the layer, each measured alone; a mask is measured as well."""

GRID: tuple[Shape, ...] = ((8, 64, 135, 135), (32, 64, 8, 8))
QUICK_GRID: tuple[Shape, ...] = ((2, 64, 135, 135), (32, 64, 8, 8))

STEREO, COLOUR = (1, 1, 480, 640), (8, 3, 240, 320)
QUICK_STEREO, QUICK_COLOUR = (1, 1, 60, 80), (2, 3, 40, 60)

LARGE, QUICK_LARGE = (1, 1, 2048, 2048), (1, 1, 320, 320)
WINDOWS = (9, 31, 101, 301)


def measure(bench: Bench) -> None:
    """Compare each option with the default, then two of them with common implementations."""
    for shape in QUICK_GRID if bench.quick else GRID:
        for name, form in options(shape, bench.device).items():
            _compare(f"{list(shape)} {name}", {"default": local_contrast_norm, "with it": form}, shape, bench)
    stereo, colour = (QUICK_STEREO, QUICK_COLOUR) if bench.quick else (STEREO, COLOUR)
    _compare(f"{list(stereo)} box", stereo_norms(1), stereo, bench)
    _compare(f"{list(colour)} each map", colour_norms(colour[1]), colour, bench)
    _compare_peaks("box", stereo_norms, stereo, bench)
    _compare_peaks("each map", colour_norms, colour, bench)


def measure_windows(bench: Bench) -> None:
    """Compare windows from 9 to hundreds of pixels on one large image."""
    shape = QUICK_LARGE if bench.quick else LARGE
    forms = {f"window {size}": partial(local_contrast_norm, kernel_size=size) for size in WINDOWS}
    _compare(f"{list(shape)}", forms, shape, bench)


def options(shape: Shape, device: torch.device) -> dict[str, Form]:
    """Return the layer with each option, by the option as typed; the mask is an ellipse."""
    forms: dict[str, Form] = {}
    for option in OPTIONS:
        name = ", ".join(f"{key}={value!r}".replace("'", '"') for key, value in option.items())
        forms[name] = partial(_y, option)
    return {**forms, "mask": partial(_y, {"mask": disc(*shape[2:]).to(device)})}


def _y(option: dict[str, Any], x: Tensor) -> Tensor:
    found: Tensor | tuple[Tensor, ...] = local_contrast_norm(x, **option)
    return found[0] if isinstance(found, tuple) else found


def disc(height: int, width: int) -> Tensor:
    """Return the largest ellipse in an image, boolean [1, 1, height, width]."""
    y, x = torch.linspace(-1, 1, height)[:, None], torch.linspace(-1, 1, width)
    return (y.square() + x.square() <= 1)[None, None]


def stereo_norms(maps: int, device: torch.device | str = "cpu") -> dict[str, Form]:
    """Return forms with a 9x9 box on one channel, with the deviation, as in stereo code; ``ours`` is first."""
    layer = LocalContrastNorm.active_stereo()
    return {"ours": lambda x: layer(x)[0], "unfolded": lambda x: UnfoldedContrastNorm()(x)[0]}


def colour_norms(maps: int, device: torch.device | str = "cpu") -> dict[str, Form]:
    """Return forms that normalise within each map; ``ours`` is first."""
    return {
        "ours": LocalContrastNorm(across_maps=False),
        "loop over maps": LoopedContrastNorm().to(device),
    }


def _compare_peaks(case: str, forms: Forms, shape: Shape, bench: Bench) -> None:
    """Add the memory of a step where the system can tell; the part `memory` notes if it cannot."""
    for name in forms(shape[1]):
        if (peak := step_peak(name, shape, bench.device, forms)) is not None:
            bench.add(f"{list(shape)} {case} {PEAK}", name, peak, "bytes", shape=list(shape), dtype="float32")


def _compare(case: str, forms: Mapping[str, Form], shape: Shape, bench: Bench) -> None:
    """Time forward, and forward plus backward."""
    x, dy = (bench.noise(*shape, seed=seed) for seed in (0, 1))
    turns = 300 if x.numel() < 10**5 or bench.on_cuda else 15
    more: dict[str, Any] = {"shape": list(shape), "dtype": "float32"}
    for passes, functions in calls_of(forms, x, dy).items():
        bench.compare(f"{case} {passes}", functions, turns, 8, passes=passes, **more)
