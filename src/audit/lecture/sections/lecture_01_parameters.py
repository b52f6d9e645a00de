"""lecture-01: full connection, local fields, shared filters, and the same accounting for every preset."""

from collections.abc import Sequence
from typing import Any

from audit.instruments.accounting import LayerCount, count
from audit.lecture import drawing
from audit.lecture.material import Material
from audit.lecture.section import Found, Table
from multistage.settings import composition
from multistage.settings.tree import Config, parse
from multistage.train.restore import make_network

SIDE, FIELD, FILTERS = 200, 10, 100
"""The lecture's example: an image of 200x200 pixels, as many units, fields of 10x10, one hundred filters."""

CLASSES = 102


def measure(material: Material) -> Found:
    """Count."""
    counted = {
        name: _counted(material.config("data=caltech101", f"model={name}")) for name in composition.names("model")
    }
    paper = counted["abs_lcn_avgpool"]
    banks = [layer for layer in paper if layer.name.endswith("filter_bank")]
    first = banks[0].shape[0] * banks[0].shape[1] * banks[0].shape[2]
    totals = {name: sum(layer.parameters for layer in layers) for name, layers in counted.items()}
    work = sum(layer.multiply_adds for layer in paper)
    return Found(
        {
            "full": SIDE**2 * SIDE**2,
            "local": SIDE**2 * FIELD**2,
            "shared": FILTERS * FIELD**2,
            "presets": len(counted),
            "filters": sum(bank.parameters for bank in banks),
            "classifier": paper[-1].parameters,
            "parameters": totals["abs_lcn_avgpool"],
            "batchnorm": totals["batchnorm_avgpool"] - totals["avgpool"],
            "same": sum(total == totals["abs_lcn_avgpool"] for total in totals.values()),
            "unshared": banks[0].multiply_adds,
            "unlocal": 143**2 * first,
            "multiply_adds": work,
            "bank_share": 100 * sum(bank.multiply_adds for bank in banks) / work,
        },
        pictures={"layers": _layers_picture([layer for layer in paper if layer.multiply_adds])},
        tables={"presets": _presets(counted), "layers": _layers(paper)},
    )


def _counted(config: Config) -> list[LayerCount]:
    side = config["data.image_size"]
    return count(make_network(parse(config), CLASSES), (config["data.maps"], side, side))


@drawing.picture(1, 2, 2.7, sharey=True)
def _layers_picture(axes: Any, layers: Sequence[LayerCount]) -> None:
    for ax, what in zip(axes, ("parameters", "multiply_adds"), strict=True):
        values = [getattr(layer, what) for layer in layers]
        ax.barh([layer.name.replace("_", " ") for layer in layers], values, color=drawing.COLOURS[0])
        ax.set(xscale="log", xlim=(1e3, 1e9), xlabel=what.replace("_", "-"))
        ax.set_xticks([1e3, 1e6, 1e9], ["$10^3$", "$10^6$", "$10^9$"])
        ax.grid(axis="y", visible=False)
    axes[0].invert_yaxis()


def _presets(counted: dict[str, list[LayerCount]]) -> Table:
    rows = []
    for name, layers in counted.items():
        banks = [layer.parameters for layer in layers if layer.name.endswith("filter_bank")]
        norms = sum(layer.parameters for layer in layers if layer.name.endswith("batch_norm"))
        total, work = (sum(getattr(layer, what) for layer in layers) for what in ("parameters", "multiply_adds"))
        numbers = (*banks, norms, layers[-1].parameters, total, work)
        rows.append([name, *(f"{number:,}" for number in numbers)])
    heads = ["model", "bank, stage 1", "bank, stage 2", "batch norm", "classifier", "parameters", "multiply-adds"]
    return Table(heads, rows)


def _layers(layers: Sequence[LayerCount]) -> Table:
    rows = [
        [layer.name, "x".join(map(str, layer.shape)), f"{layer.parameters:,}", f"{layer.multiply_adds:,}"]
        for layer in layers
    ]
    return Table(["layer", "output", "parameters", "multiply-adds"], rows)
