"""lecture-10: rectification gives invariance to the sign of a unit."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from audit.instruments.invariance import change, invariance_error
from audit.lecture import Found, Material, Table, drawing
from audit.lecture.material import PAPER
from audit.lecture.stage import Function, accuracy, chain, operations, random_like
from multistage.data import preprocessing
from multistage.layers import average_pool

COUNT, DIGITS = 20, 500
CHANGES: Mapping[str, Function] = {
    "negative": lambda x: 255 - x,
    "brighter": lambda x: x + 40,
    "half the contrast": lambda x: 127.5 + (x - 127.5) / 2,
    "light from one side": lambda x: x * torch.linspace(0.5, 1.5, x.shape[-1]),
}
"""Changes of photographs with gray values 0 to 255; nothing is clipped."""

INPUTS: Mapping[str, Function] = {
    "gray values": lambda x: (x - 127.5) / 64,
    "normalised": lambda x: torch.stack([preprocessing.preprocess(image[0].numpy()) for image in x]),
}
"""Ways to scale photographs."""

WINDOW, STEP = 10, 5


class Network(NamedTuple):
    """Correct predictions on digits and on negatives, 0 or 1, [n] each; largest change of any score per digit."""

    digits: Tensor
    negatives: Tensor
    difference: float


def measure(material: Material) -> Found:
    """Compare images with their negatives."""
    learned = material.learned(4)
    x = material.images("caltech101", COUNT)
    turned = {name: _changed(f, x, torch.neg) for name, f in operations(learned).items()}
    changes = _changes(material.photographs(COUNT), learned)
    nets = {model: _network(material, model) for model in material.presets()}
    others = [net for net in nets.values() if net.difference != 0]
    gray, bright, half, side = "gray values", *list(CHANGES)[1:]
    return Found(
        {
            "images": COUNT,
            "digits": DIGITS,
            "filters": len(learned),
            "abs": turned["F-R_abs"],
            "abs_lcn": turned["F-R_abs-N"],
            "abs_random": _changed(operations(random_like(learned))["F-R_abs"], x, torch.neg),
            "none": turned["F"],
            "relu": turned["F-R_relu"],
            "presets": len(nets),
            "identical": len(nets) - len(others),
            "paper_negative": 100 * nets[PAPER].negatives,
            "relu_negative": 100 * nets["relu_lcn_avgpool"].negatives,
            "others": [100 * float(net.digits.mean()) for net in others],
            "others_negative": [100 * float(net.negatives.mean()) for net in others],
            "untrained_abs": _untrained(material, PAPER),
            "untrained_none": _untrained(material, "lcn_avgpool"),
            "bright_none": changes["F", gray, bright],
            "bright_abs": changes["F-R_abs", gray, bright],
            "bright_image": changes["F-R_abs", "normalised", bright],
            "half_abs": changes["F-R_abs", gray, half],
            "half_norm": changes["F-R_abs-N", gray, half],
            "half_image": changes["F-R_abs", "normalised", half],
            "lit_abs": changes["F-R_abs", gray, side],
            "lit_image": changes["F-R_abs", "normalised", side],
            "lit_both": changes["F-R_abs-N", "normalised", side],
        },
        pictures={"negatives": _negatives(nets)},
        tables={"changes": _table(changes)},
    )


def _changed(f: Function, x: Tensor, transform: Function) -> Tensor:
    return invariance_error(chain(f, lambda maps: average_pool(maps, WINDOW, STEP)), x, transform)


def _network(material: Material, model: str) -> Network:
    net, x, labels = material.trained(model), material.images("mnist", DIGITS), material.labels("mnist", DIGITS)
    difference = float((net(x) - net(-x)).abs().max())
    return Network(accuracy(net, x, labels), accuracy(net, -x, labels), difference)


def _untrained(material: Material, model: str) -> Tensor:
    """Measure how the negative changes an untrained network's scores."""
    net, digits = material.untrained(model), material.images("mnist", DIGITS)
    return change(net(digits)[..., None], net(-digits)[..., None])


def _changes(photographs: Tensor, kernels: Tensor) -> dict[tuple[str, str, str], Tensor]:
    """Measure changes of pooled maps, [images], by operations, by scaling, and by change of the photograph."""
    return {
        (name, given, what): _changed(chain(prepare, f), photographs, transform)
        for given, prepare in INPUTS.items()
        for name, f in operations(kernels).items()
        for what, transform in CHANGES.items()
    }


def _table(changes: Mapping[tuple[str, str, str], Tensor]) -> Table:
    rows = [
        (name, given, *(float(changes[name, given, what].mean()) for what in CHANGES))
        for name, given in dict.fromkeys((name, given) for name, given, _ in changes)
    ]
    return Table(["stage, then P_A", "image", *CHANGES], rows, ".2f")


@drawing.picture(height=4.2)
def _negatives(ax: drawing.Axes, nets: Mapping[str, Network]) -> None:
    looks: dict[str, dict[str, Any]] = {
        "negatives": {"marker": "D", "color": drawing.COLOURS[1], "clip_on": False},
        "digits": {"marker": "o", "color": drawing.COLOURS[0], "fillstyle": "none", "markersize": 7},
    }
    for line, net in enumerate(nets.values()):
        ends = [100 * float(getattr(net, name).mean()) for name in looks]
        ax.plot(ends, [line, line], color="#999999", linewidth=1, zorder=1)
        for end, (name, look) in zip(ends, looks.items(), strict=True):
            ax.plot(end, line, linestyle="none", label=None if line else name, **look)
    ax.set_yticks(range(len(nets)), list(nets))
    ax.invert_yaxis()
    ax.set(xlim=(0, 101), xlabel="accuracy, %")
    ax.figure.legend(loc="outside upper right", ncols=2)
