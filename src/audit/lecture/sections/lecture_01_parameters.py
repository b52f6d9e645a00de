"""lecture-01: full connection, local fields, shared filters, and the same accounting for every preset."""

from audit.instruments.accounting import LayerCount, count, fully_connected, local_fields, shared_filters
from audit.lecture import drawing
from audit.lecture.material import Material
from audit.lecture.section import Picture, Section, Table
from multistage.records.intervals import Measured
from multistage.settings import composition
from multistage.settings.tree import Config, parse
from multistage.train.restore import make_network

SIDE, FIELD, FILTERS = 200, 10, 100
"""The lecture's example: an image of 200x200 pixels, as many units, fields of 10x10, one hundred filters."""

CLASSES = 102

TEXT = (
    "An image of 200x200 pixels and a layer of as many units: fully connected it has {full:,} weights (the lecture's "
    "“about two billion” is this number rounded up), with local fields of 10x10 pixels {local:,}, and with one "
    "hundred filters of 10x10 that all positions share {shared:,}. This is arithmetic. How it carries over to the "
    "networks of this repository was counted by building each of the {presets} presets of `conf/model` for "
    "Caltech-101 and walking through its layers. Both filter banks of the paper's network together have {filters:,} "
    "parameters, gains included; the linear classifier behind them has {classifier:,}. Without sharing, the first "
    "bank alone would need {unshared:,} weights, fully connected {unlocal:,}. Presets hardly differ: {same} have "
    "{parameters:,} parameters, the others {batchnorm:,} more, the scales and shifts of batch normalisation. "
    "Multiply-adds are another matter: sharing saves memory, not arithmetic, and both banks together do "
    "{bank_share:.0f} of the {multiply_adds:,} multiply-adds that an image takes."
)


def section(material: Material) -> Section:
    """Count."""
    counted = {
        name: _counted(material.config("data=caltech101", f"model={name}")) for name in composition.names("model")
    }
    paper = counted["abs_lcn_avgpool"]
    banks = [layer for layer in paper if layer.name.endswith("filter_bank")]
    units = SIDE**2
    first = banks[0].shape[0] * banks[0].shape[1] * banks[0].shape[2]
    totals = {name: sum(layer.parameters for layer in layers) for name, layers in counted.items()}
    work = sum(layer.multiply_adds for layer in paper)
    return Section(
        claim="lecture-01",
        title="Local fields and shared filters save parameters",
        text=TEXT,
        measured={
            "full": Measured(fully_connected(units, units), "weights, 40,000 units fully connected to 200x200 pixels"),
            "local": Measured(local_fields(units, FIELD), "weights, 40,000 units with fields of 10x10 of their own"),
            "shared": Measured(shared_filters(FILTERS, FIELD), "weights, one hundred shared filters of 10x10"),
            "presets": Measured(len(counted), "presets that were built and counted"),
            "filters": Measured(sum(b.parameters for b in banks), "parameters of both filter banks of abs_lcn_avgpool"),
            "classifier": Measured(paper[-1].parameters, "parameters of its linear classifier"),
            "parameters": Measured(totals["abs_lcn_avgpool"], "parameters of the whole network, Caltech-101"),
            "batchnorm": Measured(
                totals["batchnorm_avgpool"] - totals["avgpool"], "parameters that batch normalisation adds"
            ),
            "same": Measured(
                sum(total == totals["abs_lcn_avgpool"] for total in totals.values()), "presets with that same number"
            ),
            "unshared": Measured(
                banks[0].multiply_adds, "weights of the first bank if positions did not share filters"
            ),
            "unlocal": Measured(
                fully_connected(143**2, first), "weights of the first bank if units saw all of the image"
            ),
            "multiply_adds": Measured(work, "multiply-adds of the whole network for one image"),
            "bank_share": Measured(
                100 * sum(b.multiply_adds for b in banks) / work, "share of the two banks in them", "%"
            ),
        },
        pictures=[_picture(paper)],
        tables=[_presets(counted), _layers(paper)],
    )


def _counted(config: Config) -> list[LayerCount]:
    side = config["data.image_size"]
    return count(make_network(parse(config), CLASSES), (config["data.maps"], side, side))


def _picture(layers: list[LayerCount]) -> Picture:
    shown = [layer for layer in layers if layer.multiply_adds]
    with drawing.figure(1, 2, 2.7, sharey=True) as (drawn, axes):
        for ax, values, label in (
            (axes[0, 0], [layer.parameters for layer in shown], "parameters"),
            (axes[0, 1], [layer.multiply_adds for layer in shown], "multiply-adds"),
        ):
            ax.barh([layer.name.replace("_", " ") for layer in shown], values, color=drawing.COLOURS[0])
            ax.set_xscale("log")
            ax.set_xlim(1e3, 1e9)
            ax.set_xticks([1e3, 1e6, 1e9], ["$10^3$", "$10^6$", "$10^9$"])
            ax.grid(axis="y", visible=False)
            ax.set_xlabel(label)
        axes[0, 0].invert_yaxis()
        return Picture(
            "lecture-01-layers",
            drawing.png(drawn),
            "Parameters and multiply-adds of each layer of the paper's network on Caltech-101, on logarithmic scales: "
            "parameters stand at the end, arithmetic at the beginning. Rectification, which has neither, is left out.",
        )


def _presets(counted: dict[str, list[LayerCount]]) -> Table:
    rows = []
    for name, layers in counted.items():
        banks = [layer.parameters for layer in layers if layer.name.endswith("filter_bank")]
        norms = sum(layer.parameters for layer in layers if layer.name.endswith("batch_norm"))
        total, work = (sum(getattr(layer, what) for layer in layers) for what in ("parameters", "multiply_adds"))
        numbers = (*banks, norms, layers[-1].parameters, total, work)
        rows.append([name, *(f"{number:,}" for number in numbers)])
    heads = ["model", "bank, stage 1", "bank, stage 2", "batch norm", "classifier", "parameters", "multiply-adds"]
    return Table(heads, rows, "Parameters of every preset, and its multiply-adds for one image (Caltech-101).")


def _layers(layers: list[LayerCount]) -> Table:
    rows = [
        [layer.name, "x".join(map(str, layer.shape)), f"{layer.parameters:,}", f"{layer.multiply_adds:,}"]
        for layer in layers
    ]
    return Table(["layer", "output", "parameters", "multiply-adds"], rows, "Layer by layer: `model=abs_lcn_avgpool`.")
