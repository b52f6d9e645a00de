"""lecture-04: shared filters are equivariant; after pooling, only to multiples of its stride."""

from collections.abc import Mapping

import torch
from torch import Tensor

from audit.instruments.invariance import equivariance_error
from audit.lecture import Found, Material, drawing
from audit.lecture.material import PAPER
from audit.lecture.stage import Function, chain, filtered, framed, operations, random_like
from multistage.layers import average_pool, max_pool
from multistage.network.randomness import generator

COUNT, DIGITS = 20, 100
SHIFTS, ROOM, STRIDE = range(11), 10, 5
"""Shifts to the right, difference in size of views and images, and the first stage's stride, all in pixels."""

NETWORK_SHIFTS, NETWORK_STRIDE = range(9), 4
BORDER, NETWORK_BORDER = 8, 4
"""Positions at each side of a map that depend on how N treats the border: two blurs of radius 4 per stage; after both
stages of the MNIST network."""

MEAN, MAX, NORM = "F-R_abs-P_A, 10x10 step 5", "F-R_abs-P_M, 5x5", "F-R_abs-N"


def measure(material: Material) -> Found:
    """Shift images, filter them, and compare with shifted maps."""
    x = material.images("caltech101", COUNT)
    learned = material.learned(4)
    layers = _layer_errors(learned, x, SHIFTS)
    random = _layer_errors(random_like(learned), x, (2,))
    digits = framed(material.images("mnist", DIGITS), ROOM // 2)
    wide = framed(material.images("mnist", DIGITS), 24)
    nets = {
        f"{model}, {state}": _network_errors(net.stages, digits, NETWORK_SHIFTS)
        for model in ("maxpool", PAPER)
        for state, net in (("untrained", material.untrained(model)), ("trained", material.trained(model)))
    }
    paper, maxpool = nets[f"{PAPER}, trained"], nets["maxpool, trained"]
    return Found(
        {
            "images": COUNT,
            "digits": DIGITS,
            "filters": len(learned),
            "bank": layers["F"][3],
            "unshared": layers["fields not shared"][3],
            "norm": layers[NORM][3],
            "mean_step": layers[MEAN][STRIDE],
            "mean_between": layers[MEAN][2],
            "max_step": layers[MAX][STRIDE],
            "max_between": layers[MAX][2],
            "mean_between_random": random[MEAN][0],
            "max_between_random": random[MAX][0],
            "maxpool_step": maxpool[NETWORK_STRIDE],
            "maxpool_between": maxpool[2],
            "maxpool_untrained": nets["maxpool, untrained"][2],
            "paper_step": paper[NETWORK_STRIDE],
            "paper_inside": _network_errors(material.trained(PAPER).stages, wide, (NETWORK_STRIDE,), NETWORK_BORDER)[0],
            "paper_between": paper[2],
            "paper_untrained": nets[f"{PAPER}, untrained"][2],
        },
        pictures={"layers": _layers(layers), "networks": _networks(nets)},
    )


def _layer_errors(kernels: Tensor, x: Tensor, shifts: range | tuple[int, ...]) -> dict[str, Tensor]:
    """Measure errors [shifts, images] of a first stage's parts."""
    parts = operations(kernels)
    functions: dict[str, tuple[Function, int, int]] = {  # with stride and margin
        "fields not shared": (_unshared(kernels), 1, 0),
        "F": (parts["F"], 1, 0),
        NORM: (parts[NORM], 1, BORDER),
        MEAN: (chain(parts["F-R_abs"], lambda maps: average_pool(maps, 10, STRIDE)), STRIDE, 0),
        MAX: (chain(parts["F-R_abs"], lambda maps: max_pool(maps, STRIDE)), STRIDE, 0),
    }
    return {
        name: torch.stack([equivariance_error(f, x, (0, shift), ROOM, stride, margin) for shift in shifts])
        for name, (f, stride, margin) in functions.items()
    }


def _unshared(kernels: Tensor) -> Function:
    """Give every position its own filter, drawn at random; as many maps as there are filters."""
    bank = filtered(kernels)

    def fields(x: Tensor) -> Tensor:
        maps = bank(x)
        random = generator(0, "fields")
        choice = torch.randint(len(kernels), (1, *maps.shape[1:]), generator=random)
        return maps.gather(1, choice.expand(len(maps), -1, -1, -1))

    return fields


def _network_errors(f: Function, digits: Tensor, shifts: range | tuple[int, ...], margin: int = 0) -> Tensor:
    """Measure errors [shifts, images] of all stages."""
    room = NETWORK_SHIFTS[-1]
    return torch.stack([equivariance_error(f, digits, (0, s), room, NETWORK_STRIDE, margin) for s in shifts])


@drawing.picture(height=3.3)
def _layers(ax: drawing.Axes, curves: Mapping[str, Tensor]) -> None:
    named = {drawing.formula(name): curve for name, curve in curves.items()}
    drawing.lines(ax, SHIFTS, named, ("k:", "o-", "^--", "s-", "D-"), clip_on=False)
    _finish(ax, SHIFTS)


@drawing.picture(height=3.1)
def _networks(ax: drawing.Axes, curves: Mapping[str, Tensor]) -> None:
    for (name, curve), style, colour in zip(curves.items(), ("o--", "o-", "s--", "s-"), (0, 0, 1, 1), strict=True):
        look = {"color": drawing.COLOURS[colour], "fillstyle": "none" if "untrained" in name else "full"}
        drawing.lines(ax, NETWORK_SHIFTS, {name: curve}, [style], clip_on=False, **look)
    _finish(ax, NETWORK_SHIFTS)


def _finish(ax: drawing.Axes, shifts: range) -> None:
    ax.set(xlabel="shift, pixels", ylabel="equivariance error", xlim=(0, shifts[-1]), ylim=(-0.02, 1.1))
    ax.figure.legend(loc="outside upper left", ncols=2)
