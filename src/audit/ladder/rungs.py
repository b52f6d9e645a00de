"""The rungs in order, their variants, and colour: all of the ladder that is written by hand.

To add a rung, add a `Rung` to `RUNGS` (compared with another one, by name), `BESIDE` or `COLOUR`, and its runs as a
grid to ``conf/experiment/ladder.yaml``. Runs are found by their settings, not by their position in a table.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from audit.tables.addresses import BOTH, Folder, Wanted

SCORED = {"data.validation": 0, "data.test_per_class": 30}
"""Settings that score a rung: thirty images per class train, up to thirty others test."""

REST = {**SCORED, "data.test_per_class": None}
"""The same, tested on all remaining images."""

HELD_OUT = {"data.validation": 5, "data.test_per_class": 1}
"""Settings of selection runs: five of the thirty images are held out; the one test image per class is not used."""


@dataclass(frozen=True)
class Rung:
    """One configuration of the network.

    Attributes:
        name: Short unique name.
        adds: What it adds to the rung that it is compared with.
        source: The paper that it is from, or the reason for it.
        row: The paper's letters and, for frozen filters, the readout, as in `addresses`.
        further: Other settings, from key to value; lists are given as tuples.
        against: Name of the rung that it is compared with; "" for none.
        minutes: Expected minutes of one run on one CPU core, filters included.
    """

    name: str
    adds: str
    source: str
    row: str
    further: Mapping[str, Any] = field(default_factory=dict)
    against: str = ""
    minutes: float = 0

    def wanted(self, folder: str, how: Mapping[str, Any] = SCORED) -> Wanted:
        """Describe its runs in a folder of results.

        Args:
            folder: Its name.
            how: Settings that select training and test images.
        """
        return Folder(folder)(self.row, BOTH, {**self.further, **how})


LEVELS = {"readout.levels": (2, 1)}
FOUR = {**LEVELS, "filters.banks": 4}
EIGHT = {**LEVELS, "filters.banks": 8}
PENALTY = {"kernel.penalty": 1e-5}

RUNGS = (
    Rung(
        "UU",
        "the paper's two stages, filters learned without labels; the classifier converged (`readout=lbfgs`)",
        "Jarrett et al. 2009",
        "UU, lbfgs",
        minutes=7,
    ),
    Rung(
        "kernel",
        "least squares with a Gaussian kernel instead of logistic regression (`readout=kernel kernel.penalty=1e-5`)",
        "Oyallon & Mallat 2015: a Gaussian kernel on fixed features",
        "UU, kernel",
        PENALTY,
        against="UU",
        minutes=5,
    ),
    Rung(
        "levels",
        "the last maps pooled to 2x2 and 1x1 cells, too (`readout.levels=[2,1]`)",
        "Lazebnik, Schmid & Ponce 2006: spatial pyramids",
        "UU, kernel",
        {**LEVELS, **PENALTY},
        against="kernel",
        minutes=5,
    ),
    Rung(
        "four filter sets",
        "four filter sets side by side, of other seeds (`filters.banks=4`): one network, four times as wide",
        "Coates, Lee & Ng 2011: wider layers of unsupervised features",
        "UU, kernel",
        {**FOUR, **PENALTY},
        against="levels",
        minutes=15,
    ),
    Rung(
        "eight filter sets",
        "eight of them (`filters.banks=8`)",
        "does more of the same go on paying?",
        "UU, kernel",
        {**EIGHT, **PENALTY},
        against="four filter sets",
        minutes=30,
    ),
    Rung(
        "ridge regression",
        "least squares without a kernel (`readout=ridge ridge.penalty=3`): as good on held-out images, and simpler",
        "Rifkin & Klautau 2004: one against all by least squares loses nothing",
        "UU, ridge",
        {**EIGHT, "ridge.penalty": 3},
        against="eight filter sets",
        minutes=30,
    ),
)
"""Each adds one method to the one before it; the last one is the one that `choice` selects."""

BESIDE = (
    Rung(
        "default penalty",
        "the default penalty of the kernel, 1e-4 (`kernel.penalty=auto`)",
        "how much does the penalty matter?",
        "UU, kernel",
        {**FOUR, "kernel.penalty": "auto"},
        against="four filter sets",
        minutes=15,
    ),
    Rung(
        "ridge",
        "least squares without a kernel (`readout=ridge`)",
        "Rifkin & Klautau 2004: one against all by least squares loses nothing",
        "UU, ridge",
        {**FOUR, "ridge.penalty": "auto"},
        against="four filter sets",
        minutes=15,
    ),
    Rung(
        "ridge with eight filter sets",
        "the default penalty, 1 (`ridge.penalty=auto`)",
        "how much does the penalty matter?",
        "UU, ridge",
        {**EIGHT, "ridge.penalty": "auto"},
        against="ridge regression",
        minutes=30,
    ),
    Rung(
        "lbfgs",
        "logistic regression in place of least squares (`readout=lbfgs`)",
        "does the loss matter once the features are wide?",
        "UU, lbfgs",
        FOUR,
        against="four filter sets",
        minutes=15,
    ),
    Rung(
        "ridge with one filter set",
        "the second rung with least squares in place of the kernel (`readout=ridge`)",
        "does a linear readout need more features?",
        "UU, ridge",
        {"ridge.penalty": "auto"},
        against="UU",
        minutes=5,
    ),
    Rung(
        "ridge with levels",
        "the third rung, likewise",
        "the same",
        "UU, ridge",
        {**LEVELS, "ridge.penalty": "auto"},
        against="ridge with one filter set",
        minutes=5,
    ),
)
"""Variants of a rung, whether they helped or not."""

YUV = {"data.colour": "yuv"}

COLOUR = (
    Rung(
        "levels in colour",
        "rung 3 on images in colour: luminance and two colour differences (`data.colour=yuv`)",
        "does colour tell what gray levels do not?",
        "UU, kernel",
        {**LEVELS, **PENALTY, **YUV},
        against="levels",
        minutes=6,
    ),
    Rung(
        "eight filter sets in colour",
        "the highest rung, likewise",
        "the same",
        "UU, ridge",
        {**EIGHT, "ridge.penalty": 3, **YUV},
        against="ridge regression",
        minutes=40,
    ),
)
"""The same network on the same images in colour: a record of its own, outside the ladder and its picture."""
