"""lecture-12: inserting rectification and normalisation improves recognition."""

from typing import Any

from audit.lecture import drawing
from audit.lecture.material import Material
from audit.lecture.section import Found, Table, estimate
from audit.tables.differences import Change, differences
from multistage.records.cells import Cell, cells, paired
from multistage.records.files import from_file
from multistage.records.intervals import Measured, half_width

OPERATIONS = {"model.rectify": ("none", "abs"), "model.normalise": ("none", "lcn")}
WORDS = {"model.rectify": "rectification", "model.normalise": "normalisation"}
HEADLINE = {"data": "caltech101", "stages": 2, "filters": "random", "refine": False, "readout": "lbfgs"}


def measure(material: Material) -> Found:
    """Compare what was published."""
    changes = [
        change
        for name in ("table1", "ablation")
        for change in published(cells(from_file(material.results / name / "records.jsonl")))
        if name == "table1" or change.before.config["data"] != "caltech101"  # table1 has these too, by newer code
    ]
    settled = [change for change in changes if change.difference.interval]
    better = sum(change.difference.interval[0] > 0 for change in settled if change.difference.interval)
    worse = sum(change.difference.interval[1] < 0 for change in settled if change.difference.interval)
    gains = {
        (respect, data): [
            c.difference.mean
            for c in changes
            if c.respect == respect and c.before.config["data"] == data and not c.before.config["refine"]
        ]
        for respect in OPERATIONS
        for data in ("caltech101", "digits")
    }
    digits = [
        cell.mean for change in changes for cell in (change.before, change.after) if cell.config["data"] == "digits"
    ]
    return Found(
        {
            **_headline(changes),
            "comparisons": len(settled),
            "better": better,
            "worse": worse,
            "unclear": len(settled) - better - worse,
            "least_rectify": min(gains["model.rectify", "caltech101"]),
            "least_normalise": min(gains["model.normalise", "caltech101"]),
            "most_digits": max(gains["model.normalise", "digits"]),
            "least_digits": min(digits),
        },
        pictures={"gains": drawing.picture(height=0.9 + 0.19 * len(settled))(_gains)(settled)},
        tables={"pairs": _table(changes)},
    )


def published(found: list[Cell]) -> list[Change]:
    """The pairs of cells that differ by R_abs or by N alone, with average pooling and without batch normalisation."""
    return [
        change
        for change in differences([cell for cell in found if cell.config["model.pool"] == "average"])
        if change.respect in OPERATIONS
        and (change.before.config[change.respect], change.after.config[change.respect]) == OPERATIONS[change.respect]
        and change.before.config["model.normalise"] in ("none", "lcn")
        and change.before.config["model.rectify"] in ("none", "abs")
    ]


def _headline(changes: list[Change]) -> dict[str, Measured]:
    found = {}
    for change in changes:
        config = change.before.config
        if all(config[key] == value for key, value in HEADLINE.items()):
            with_it = config[_other(change)] != "none"
            found[change.respect.removeprefix("model.") + ("_with" if with_it else "")] = change
    both = paired(found["rectify_with"].after, found["normalise"].before)
    return {name: estimate(change.difference) for name, change in found.items()} | {"both": estimate(both)}


def _other(change: Change) -> str:
    return "model.normalise" if change.respect == "model.rectify" else "model.rectify"


def _setting(change: Change) -> str:
    config = change.before.config
    kind = "refined" if config["refine"] else "frozen"
    stages = "1 stage" if config["stages"] == 1 else f"{config['stages']} stages"
    return f"{config['data']}, {stages}, {config['filters']}, {kind}, {config['readout']}"


def _beside(change: Change) -> str:
    return "yes" if change.before.config[_other(change)] != "none" else "no"


def _table(changes: list[Change]) -> Table:
    rows = []
    for change in changes:
        d = change.difference
        half = f" ± {half_width(d.interval):.1f}" if d.interval else ""
        gain = f"{d.mean:+.1f}{half}".replace("-", "\N{MINUS SIGN}")
        rows.append([WORDS[change.respect], _setting(change), _beside(change), gain, str(d.n)])
    return Table(["inserted", "setting", "the other is there", "gain, points", "pairs"], rows)


def _gains(ax: Any, changes: list[Change]) -> None:
    shown = sorted(changes, key=lambda change: -change.difference.mean)
    for line, change in enumerate(shown):
        d = change.difference
        colour, marker = (0, "o") if change.respect == "model.rectify" else (1, "s")
        half = half_width(d.interval) if d.interval else 0
        ax.errorbar(d.mean, line, xerr=half, fmt=marker, color=drawing.COLOURS[colour], capsize=2)
    ax.axvline(0, color="#555555", linewidth=1)
    labels = [_setting(c).replace(" stages", "").replace(" stage", "").replace("caltech101", "caltech") for c in shown]
    ax.set_yticks(range(len(shown)), labels, fontsize=7.5)
    ax.invert_yaxis()
    for respect, colour, marker in (("model.rectify", 0, "o"), ("model.normalise", 1, "s")):
        ax.plot([], [], marker, color=drawing.COLOURS[colour], label=WORDS[respect])
    ax.set_xlabel("gain in accuracy, points")
    ax.legend(loc="lower right")
