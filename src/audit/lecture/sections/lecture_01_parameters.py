"""lecture-01: parameters of fully connected layers, local fields and shared filters, and of every preset."""

from collections.abc import Sequence

from audit.instruments.accounting import LayerCount, count
from audit.lecture import Found, Material, Table, drawing
from audit.lecture.material import PAPER

SIDE, FIELD, FILTERS = 200, 10, 100
"""The lecture's example: an image of 200x200 pixels, as many units, fields of 10x10, one hundred filters."""

IMAGE = (1, 143, 143)
"""The paper's images: maps, height, width."""

LENGTHS = ("parameters", "multiply_adds")


def measure(material: Material) -> Found:
    """Count parameters."""
    counted = {model: count(material.begun(f"model={model}"), IMAGE) for model in material.presets()}
    totals = {model: _total(layers, "parameters") for model, layers in counted.items()}
    paper = counted[PAPER]
    banks = _named(paper, "filter_bank")
    maps, height, width = banks[0].shape
    work = _total(paper, "multiply_adds")
    return Found(
        {
            "full": SIDE**2 * SIDE**2,
            "local": SIDE**2 * FIELD**2,
            "shared": FILTERS * FIELD**2,
            "presets": len(counted),
            "filters": _total(banks, "parameters"),
            "classifier": paper[-1].parameters,
            "parameters": totals[PAPER],
            "batchnorm": totals["batchnorm_avgpool"] - totals["avgpool"],
            "same": sum(total == totals[PAPER] for total in totals.values()),
            "unshared": banks[0].multiply_adds,
            "unlocal": IMAGE[1] * IMAGE[2] * maps * height * width,
            "multiply_adds": work,
            "bank_share": 100 * _total(banks, "multiply_adds") / work,
        },
        pictures={"layers": _bars([layer for layer in paper if layer.multiply_adds])},
        tables={"presets": _presets(counted), "layers": _layers(paper)},
    )


def _named(layers: Sequence[LayerCount], name: str) -> list[LayerCount]:
    return [layer for layer in layers if layer.name.endswith(name)]


def _total(layers: Sequence[LayerCount], what: str) -> int:
    return sum(getattr(layer, what) for layer in layers)


@drawing.picture(1, 2, 2.7, sharey=True)
def _bars(axes: drawing.Axes, layers: Sequence[LayerCount]) -> None:
    for ax, what in zip(axes, LENGTHS, strict=True):
        values = [getattr(layer, what) for layer in layers]
        ax.barh([layer.name.replace("_", " ") for layer in layers], values, color=drawing.COLOURS[0])
        ax.set(xscale="log", xlim=(1e3, 1e9), xlabel=what.replace("_", "-"))
        ax.set_xticks([1e3, 1e6, 1e9], ["$10^3$", "$10^6$", "$10^9$"])
        ax.grid(axis="y", visible=False)
    axes[0].invert_yaxis()


def _presets(counted: dict[str, list[LayerCount]]) -> Table:
    heads = ["model", "bank, stage 1", "bank, stage 2", "batch norm", "classifier", "parameters", "multiply-adds"]
    rows = []
    for name, layers in counted.items():
        banks = [bank.parameters for bank in _named(layers, "filter_bank")]
        norms = _total(_named(layers, "batch_norm"), "parameters")
        rows.append([name, *banks, norms, layers[-1].parameters, *(_total(layers, what) for what in LENGTHS)])
    return Table(heads, rows)


def _layers(layers: Sequence[LayerCount]) -> Table:
    rows = [(layer.name, "x".join(map(str, layer.shape)), layer.parameters, layer.multiply_adds) for layer in layers]
    return Table(["layer", "output", "parameters", "multiply-adds"], rows)
