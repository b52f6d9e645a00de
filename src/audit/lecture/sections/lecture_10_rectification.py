"""lecture-10: rectification gives invariance to the sign of a unit."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from audit.instruments.invariance import Function, change, invariance_error
from audit.lecture import drawing
from audit.lecture.material import Material
from audit.lecture.section import Found, Table
from audit.lecture.stage import accuracy, chain, operations, random_kernels
from multistage.data import preprocessing
from multistage.layers import average_pool
from multistage.settings import composition

COUNT, DIGITS = 20, 500
CHANGES: Mapping[str, Function] = {
    "negative": lambda x: 255 - x,
    "brighter": lambda x: x + 40,
    "half the contrast": lambda x: 127.5 + (x - 127.5) / 2,
    "light from one side": lambda x: x * torch.linspace(0.5, 1.5, x.shape[-1]),
}
"""What happens to photographs of gray values from 0 to 255; nothing is clipped."""

WINDOW, STEP = 10, 5


def measure(material: Material) -> Found:
    """Turn black into white."""
    learned = material.filters("psd", False).after[::4]
    x = material.images("caltech101", COUNT)
    turned = {name: _changed(f, x, torch.neg) for name, f in operations(learned).items()}
    random = _changed(operations(random_kernels(len(learned), learned.shape[-1]))["F-R_abs"], x, torch.neg)
    changes = _changes(material.photographs(COUNT), learned)
    nets = _networks(material)
    rectified = {name for name, net in nets.items() if net["difference"].max() == 0}
    others = [net for name, net in nets.items() if name not in rectified]
    digits = material.images("mnist", DIGITS)
    untrained = {
        name: change(net(digits)[..., None], net(-digits)[..., None])
        for name in ("abs_lcn_avgpool", "lcn_avgpool")
        for net in [material.untrained(name)]
    }

    gray, bright, half, side = "gray values", *list(CHANGES)[1:]
    return Found(
        {
            "images": COUNT,
            "digits": DIGITS,
            "filters": len(learned),
            "abs": turned["F-R_abs"],
            "abs_lcn": turned["F-R_abs-N"],
            "abs_random": random,
            "none": turned["F"],
            "relu": turned["F-R_relu"],
            "presets": len(nets),
            "identical": len(rectified),
            "paper_negative": 100 * nets["abs_lcn_avgpool"]["negatives"],
            "relu_negative": 100 * nets["relu_lcn_avgpool"]["negatives"],
            "others": [100 * float(net["digits"].mean()) for net in others],
            "others_negative": [100 * float(net["negatives"].mean()) for net in others],
            "untrained_abs": untrained["abs_lcn_avgpool"],
            "untrained_none": untrained["lcn_avgpool"],
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


def _networks(material: Material) -> dict[str, dict[str, Tensor]]:
    """Of trained networks, by preset: who is right on digits and negatives, and the largest change of a score, [n]."""
    x, labels = material.images("mnist", DIGITS), material.labels("mnist", DIGITS)
    found = {}
    for model in composition.names("model"):
        net = material.trained(model)
        with torch.no_grad():
            difference = (net(x) - net(-x)).abs().amax(1)
        found[model] = {
            "digits": accuracy(net, x, labels),
            "negatives": accuracy(net, -x, labels),
            "difference": difference,
        }
    return found


def _changes(photographs: Tensor, kernels: Tensor) -> dict[tuple[str, str, str], Tensor]:
    """Changes of pooled maps, [images], by operations, by how photographs are scaled, and by what happens to them."""
    inputs: Mapping[str, Function] = {
        "gray values": lambda x: (x - 127.5) / 64,
        "normalised": lambda x: torch.stack([preprocessing.preprocess(image[0].numpy()) for image in x]),
    }
    return {
        (name, given, what): _changed(chain(prepare, f), photographs, transform)
        for given, prepare in inputs.items()
        for name, f in operations(kernels).items()
        for what, transform in CHANGES.items()
    }


def _table(changes: Mapping[tuple[str, str, str], Tensor]) -> Table:
    rows = [
        [name, given, *(f"{changes[name, given, what].mean():.2f}" for what in CHANGES)]
        for name, given in dict.fromkeys((name, given) for name, given, _ in changes)
    ]
    return Table(["stage, then P_A", "image", *CHANGES], rows)


@drawing.picture(height=4.2)
def _negatives(ax: Any, nets: Mapping[str, Mapping[str, Tensor]]) -> None:
    looks: dict[str, dict[str, Any]] = {
        "negatives": {"marker": "D", "color": drawing.COLOURS[1], "clip_on": False},
        "digits": {"marker": "o", "color": drawing.COLOURS[0], "fillstyle": "none", "markersize": 7},
    }
    for line, net in enumerate(nets.values()):
        ends = [100 * float(net[name].mean()) for name in looks]
        ax.plot(ends, [line, line], color="#999999", linewidth=1, zorder=1)
        for end, (name, look) in zip(ends, looks.items(), strict=True):
            ax.plot(end, line, linestyle="none", label=None if line else name, **look)
    ax.set_yticks(range(len(nets)), list(nets))
    ax.invert_yaxis()
    ax.set(xlim=(0, 101), xlabel="accuracy, %")
    ax.figure.legend(loc="outside upper right", ncols=2)
