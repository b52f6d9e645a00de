"""Invented runs of the ladder: figures out of the air. Never published."""

from report import invented

from audit.ladder.page import Page
from audit.ladder.rungs import Rung
from multistage.records.cells import Cell, key

FROZEN = {"data": "caltech101", "filters": "psd", "refine": "false"}
SETTINGS = {
    "UU": {"readout": "lbfgs"},
    "ridge": {"readout": "ridge"},
    "levels": {"readout": "ridge", "readout__levels": "[2,1]"},
    "four filter sets": {"readout": "ridge", "readout__levels": "[2,1]", "filters__banks": 4},
    "kernel": {"readout": "kernel", "readout__levels": "[2,1]", "filters__banks": 4},
    "lbfgs": {"readout": "lbfgs", "readout__levels": "[2,1]", "filters__banks": 4},
    "random": {"readout": "ridge", "readout__levels": "[2,1]", "filters__banks": 4, "filters": "random"},
    "colour": {"readout": "ridge", "readout__levels": "[2,1]", "filters__banks": 4, "data__colour": "yuv"},
}
"""Of each rung, as they are typed."""

LEVELS = {"readout.levels": (2, 1)}
FOUR = {**LEVELS, "filters.banks": 4}

RUNGS = (
    Rung("UU", "the paper's", "", "UU, lbfgs", minutes=7),
    Rung("ridge", "least squares", "", "UU, ridge", against="UU", minutes=7),
    Rung("levels", "a pyramid", "", "UU, ridge", LEVELS, against="ridge", minutes=7),
    Rung("four filter sets", "width", "", "UU, ridge", FOUR, against="levels", minutes=25),
)
BESIDE = (
    Rung("kernel", "a kernel", "", "UU, kernel", FOUR, against="four filter sets", minutes=25),
    Rung("lbfgs", "logistic", "", "UU, lbfgs", FOUR, against="four filter sets", minutes=30),
    Rung("random", "random filters", "", "RR, ridge", FOUR, against="four filter sets", minutes=15),
)
COLOUR = (
    Rung("colour", "yuv", "", "UU, ridge", {**FOUR, "data.colour": "yuv"}, against="four filter sets", minutes=30),
)
"""Rungs of these tests; those of the project change with what is tried."""

ALL = {rung.name: rung for rung in (*RUNGS, *BESIDE, *COLOUR)}


def page(results):
    """The page of these rungs."""
    return Page(results, RUNGS, BESIDE, COLOUR)


def classes(right, tested=10):
    """Counts of the background and of two objects; `right` is a number for each."""
    names = ("BACKGROUND_Google", "Faces", "ant")
    tested = tested if isinstance(tested, tuple) else (tested,) * len(names)
    return [{"name": n, "correct": r, "total": t} for n, r, t in zip(names, right, tested, strict=True)]


def run(name, draw, right=(5, 5, 5), seconds=None, tested=10, **more):
    """One run of a rung; its figures follow from its counts."""
    record = invented.record(draw=draw, **{**FROZEN, **SETTINGS[name], **more})
    counts = classes(right, tested)
    record["per_class"] = counts
    record["metrics"] = {
        "test_accuracy": sum(c["correct"] for c in counts) / sum(c["total"] for c in counts),
        "test_mean_class_accuracy": sum(c["correct"] / c["total"] for c in counts) / len(counts),
        "train_accuracy": 1.0,
    }
    record["seconds"] = seconds or {"data": 1.0, "filters": 240.0, "features": 60.0, "train": 30.0, "test": 1.0}
    return record


def tuning(name, accuracies, first=5, **more):
    """Runs of a rung that hold images out, one a draw from `first`; they say nothing but their accuracies on these."""
    found = []
    for draw, accuracy in enumerate(accuracies, first):
        record = run(name, draw, **{"data__validation": 5, "data__test_per_class": 1, **more})
        record["metrics"]["validation_accuracy"] = accuracy / 100
        found.append(record)
    return found


def planned(run):
    """A cell of one run that was planned and not done."""
    record = {"config": dict(run.config), "overrides": list(run.overrides), "run": run.folder.name}
    return Cell(key(record), (record,), None, run.folder.name)
