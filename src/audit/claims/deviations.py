"""The column *effect* of ``DEVIATIONS.md``: what each guess changes, if it alone is changed, by experiment=deviations.

What stands between ``<!-- effect: SETTING -->`` and ``<!-- end -->`` is made: the accuracy with that setting less the
one without, in points, draw by draw (number of draws). A setting is written as the folder of its runs and its row in
table.md have it.
"""

import re

from audit.tables.addresses import Cells
from audit.tables.tables import signed
from multistage.records.cells import paired, pairs

NAME = "deviations"
ROW, COLUMN = "RR, lbfgs", "R_abs-N-P_A"
"""The cell whose settings are changed one by one."""

PLACE = re.compile(r"(<!-- effect: (\S+) -->).*?(<!-- end -->)")
UNKNOWN = "not run"


def fill(text: str, found: Cells) -> str:
    """The text of ``DEVIATIONS.md`` with every effect that has been measured; the others are `UNKNOWN`.

    Args:
        text: With a pair of marks for each effect.
        found: As from `addresses.addresses`.
    """
    return PLACE.sub(lambda place: f"{place[1]}{_effect(place[2], found)}{place[3]}", text)


def _effect(setting: str, found: Cells) -> str:
    plain, changed = found.get((NAME, ROW, COLUMN)), found.get((NAME, f"{ROW}, {setting}", COLUMN))
    if changed is None or plain is None or not pairs(changed, plain):
        return UNKNOWN
    difference = paired(changed, plain)
    return f"{signed(difference.mean, difference.interval)} ({difference.n})"
