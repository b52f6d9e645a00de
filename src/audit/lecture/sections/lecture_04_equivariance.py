"""lecture-04: shared filters are equivariant; through pooling only by multiples of the step."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from audit.instruments.invariance import equivariance_error
from audit.lecture import drawing
from audit.lecture.material import Material
from audit.lecture.section import Found
from audit.lecture.stage import Function, chain, filtered, framed, random_kernels
from multistage.layers import average_pool, local_contrast_norm, max_pool, rectify
from multistage.network.randomness import generator

COUNT, DIGITS = 20, 100
SHIFTS, ROOM, STRIDE = range(11), 10, 5
"""Pixels that content moves to the right; pixels that views are smaller than images; the first stage's stride,
pixels."""

NETWORK_SHIFTS, NETWORK_STRIDE = range(9), 4
BORDER, NETWORK_BORDER = 8, 4
"""Positions at each side of a map that depend on what N takes to lie outside: two blurs of radius 4 in a stage; after
both stages of the MNIST network."""

MEAN, MAX, PAPER = "F-R_abs-P_A, 10x10 step 5", "F-R_abs-P_M, 5x5", "abs_lcn_avgpool"

Line = tuple[Tensor, str, dict[str, Any]]
"""Errors [shifts, images], matplotlib's format, and its further arguments."""


def measure(material: Material) -> Found:
    """Shift, filter, shift back."""
    x = material.images("caltech101", COUNT)
    learned = material.filters("psd", False).after[::4]
    layers = {name: _curve(f, x, stride, margin) for name, (f, stride, margin) in _layers(learned).items()}
    of_random = _layers(random_kernels(len(learned), learned.shape[-1]))
    digits = framed(material.images("mnist", DIGITS), ROOM // 2)
    nets = {
        (model, state): _network_curve(net.stages, digits)
        for model in ("maxpool", PAPER)
        for state, net in (("untrained", material.untrained(model)), ("trained", material.trained(model)))
    }

    def random(name: str) -> Tensor:
        f, stride, margin = of_random[name]
        return equivariance_error(f, x, (0, 2), ROOM, stride, margin)

    return Found(
        {
            "images": COUNT,
            "digits": DIGITS,
            "filters": len(learned),
            "bank": layers["F"][3],
            "unshared": layers["fields not shared"][3],
            "norm": layers["F-R_abs-N"][3],
            "mean_step": layers[MEAN][STRIDE],
            "mean_between": layers[MEAN][2],
            "max_step": layers[MAX][STRIDE],
            "max_between": layers[MAX][2],
            "mean_between_random": random(MEAN),
            "max_between_random": random(MAX),
            "maxpool_step": nets["maxpool", "trained"][NETWORK_STRIDE],
            "maxpool_between": nets["maxpool", "trained"][2],
            "maxpool_untrained": nets["maxpool", "untrained"][2],
            "paper_step": nets[PAPER, "trained"][NETWORK_STRIDE],
            "paper_inside": _inside(material.trained(PAPER).stages, material.images("mnist", DIGITS)),
            "paper_between": nets[PAPER, "trained"][2],
            "paper_untrained": nets[PAPER, "untrained"][2],
        },
        pictures={"layers": _layer_picture(layers), "networks": _network_picture(nets)},
    )


def _layers(kernels: Tensor) -> dict[str, tuple[Function, int, int]]:
    """Functions with their stride and margin, by name."""
    bank = filtered(kernels)
    return {
        "fields not shared": (_unshared(kernels), 1, 0),
        "F": (bank, 1, 0),
        "F-R_abs-N": (chain(bank, rectify, local_contrast_norm), 1, BORDER),
        MEAN: (chain(bank, rectify, lambda x: average_pool(x, 10, STRIDE)), STRIDE, 0),
        MAX: (chain(bank, rectify, lambda x: max_pool(x, STRIDE)), STRIDE, 0),
    }


def _unshared(kernels: Tensor) -> Function:
    """Every position has one of the filters, drawn at random, as its own; as many maps as there are filters."""
    bank = filtered(kernels)

    def fields(x: Tensor) -> Tensor:
        maps = bank(x)
        random = generator(0, "fields")
        choice = torch.randint(len(kernels), (1, *maps.shape[1:]), generator=random)
        return maps.gather(1, choice.expand(len(maps), -1, -1, -1))

    return fields


def _curve(f: Function, x: Tensor, stride: int, margin: int) -> Tensor:
    """Errors [shifts, images]."""
    return torch.stack([equivariance_error(f, x, (0, shift), ROOM, stride, margin) for shift in SHIFTS])


def _network_curve(stages: Function, digits: Tensor) -> Tensor:
    room = NETWORK_SHIFTS[-1]
    return torch.stack([equivariance_error(stages, digits, (0, s), room, NETWORK_STRIDE) for s in NETWORK_SHIFTS])


def _inside(stages: Function, digits: Tensor) -> Tensor:
    """Errors at a shift by the networks' stride, where no border is near, [images]."""
    wide, room = framed(digits, 24), NETWORK_SHIFTS[-1]
    return equivariance_error(stages, wide, (0, NETWORK_STRIDE), room, NETWORK_STRIDE, NETWORK_BORDER)


@drawing.picture(height=3.3)
def _layer_picture(ax: Any, curves: Mapping[str, Tensor]) -> None:
    styles = ("k:", "o-", "^--", "s-", "D-")
    lines = zip(map(drawing.formula, curves), curves.values(), styles, strict=True)
    _draw(ax, SHIFTS, {name: (curve, style, {}) for name, curve, style in lines})


@drawing.picture(height=3.1)
def _network_picture(ax: Any, curves: Mapping[tuple[str, str], Tensor]) -> None:
    lines: dict[str, Line] = {}
    for ((model, state), curve), style in zip(curves.items(), ("o--", "o-", "s--", "s-"), strict=True):
        colour = drawing.COLOURS[0] if model == "maxpool" else drawing.COLOURS[1]
        look = {"color": colour, "fillstyle": "full" if state == "trained" else "none"}
        lines[f"{model}, {state}"] = curve, style, look
    _draw(ax, NETWORK_SHIFTS, lines)


def _draw(ax: Any, shifts: range, lines: Mapping[str, Line]) -> None:
    """Mean errors against shift, by their labels."""
    for label, (curve, style, look) in lines.items():
        ax.plot(shifts, curve.mean(1), style, label=label, clip_on=False, **look)
    ax.set(xlabel="shift, pixels", ylabel="equivariance error", xlim=(0, shifts[-1]), ylim=(-0.02, 1.1))
    ax.figure.legend(loc="outside upper left", ncols=2)
