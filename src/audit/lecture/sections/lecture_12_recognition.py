"""lecture-12: inserting rectification and normalisation improves recognition."""

from collections.abc import Mapping

from audit.lecture import Found, Material, Table, drawing
from audit.tables.differences import Change, differences
from multistage.records.cells import Cell, cells, paired
from multistage.records.intervals import Measured, half_width

OPERATIONS = {"model.rectify": ("none", "abs"), "model.normalise": ("none", "lcn")}
WORDS = {"model.rectify": "rectification", "model.normalise": "normalisation"}
LOOKS = {"model.rectify": ("o", drawing.COLOURS[0]), "model.normalise": ("s", drawing.COLOURS[1])}
HEADLINE = {"data": "caltech101", "stages": 2, "filters": "random", "refine": False, "readout": "lbfgs"}


def measure(material: Material) -> Found:
    """Compare published runs."""
    changes = _changes(cells(material.records("table1"))) + [
        change
        for change in _changes(cells(material.records("ablation")))
        if change.before.config["data"] != "caltech101"  # table1 has these too, from newer code
    ]
    intervals = [change.difference.interval for change in changes if change.difference.interval]
    better = sum(low > 0 for low, _ in intervals)
    worse = sum(high < 0 for _, high in intervals)
    digits = [
        cell.mean for change in changes for cell in (change.before, change.after) if cell.config["data"] == "digits"
    ]
    settled = [change for change in changes if change.difference.interval]
    return Found(
        {
            **_headline(changes),
            "comparisons": len(settled),
            "better": better,
            "worse": worse,
            "unclear": len(settled) - better - worse,
            "least_rectify": min(_frozen_gains(changes, "model.rectify", "caltech101")),
            "least_normalise": min(_frozen_gains(changes, "model.normalise", "caltech101")),
            "most_digits": max(_frozen_gains(changes, "model.normalise", "digits")),
            "least_digits": min(digits),
        },
        pictures={"gains": drawing.picture(height=0.9 + 0.19 * len(settled))(_gains)(settled)},
        tables={"pairs": _table(changes)},
    )


def _changes(found: list[Cell]) -> list[Change]:
    """Return pairs of cells that differ only by R_abs or N, with average pooling and without batch normalisation."""
    plain = [
        cell
        for cell in found
        if cell.config["model.pool"] == "average"
        and all(cell.config[operation] in values for operation, values in OPERATIONS.items())
    ]
    return [change for change in differences(plain) if change.respect in OPERATIONS]


def _frozen_gains(changes: list[Change], operation: str, data: str) -> list[float]:
    return [
        change.difference.value
        for change in changes
        if {"data": data, "refine": False}.items() <= change.before.config.items() and change.respect == operation
    ]


def _headline(changes: list[Change]) -> Mapping[str, Measured]:
    found = {
        change.respect.removeprefix("model.") + ("_with" if _has_other(change) else ""): change
        for change in changes
        if HEADLINE.items() <= change.before.config.items()
    }
    both = paired(found["rectify_with"].after, found["normalise"].before)
    return {name: change.difference for name, change in found.items()} | {"both": both}


def _has_other(change: Change) -> bool:
    """Return whether the other operation is present."""
    (other,) = OPERATIONS.keys() - {change.respect}
    return change.before.config[other] != "none"


def _setting(change: Change) -> str:
    config = change.before.config
    kind = "refined" if config["refine"] else "frozen"
    stages = "1 stage" if config["stages"] == 1 else f"{config['stages']} stages"
    return f"{config['data']}, {stages}, {config['filters']}, {kind}, {config['readout']}"


def _table(changes: list[Change]) -> Table:
    rows = []
    for change in changes:
        d = change.difference
        half = f" ± {half_width(d.interval):.1f}" if d.interval else ""
        gain = f"{d.value:+.1f}{half}".replace("-", "\N{MINUS SIGN}")
        rows.append((WORDS[change.respect], _setting(change), "yes" if _has_other(change) else "no", gain, d.n))
    return Table(["inserted", "setting", "the other is there", "gain, points", "pairs"], rows)


def _gains(ax: drawing.Axes, changes: list[Change]) -> None:
    shown = sorted(changes, key=lambda change: -change.difference.value)
    for line, change in enumerate(shown):
        d, (marker, colour) = change.difference, LOOKS[change.respect]
        half = half_width(d.interval) if d.interval else 0
        ax.errorbar(d.value, line, xerr=half, fmt=marker, color=colour, capsize=2)
    ax.axvline(0, **drawing.RULE)
    labels = [_setting(c).replace(" stages", "").replace(" stage", "").replace("caltech101", "caltech") for c in shown]
    ax.set_yticks(range(len(shown)), labels, fontsize=7.5)
    ax.invert_yaxis()
    for operation, (marker, colour) in LOOKS.items():
        ax.plot([], [], marker, color=colour, label=WORDS[operation])
    ax.set_xlabel("gain in accuracy, points")
    ax.legend(loc="lower right")
