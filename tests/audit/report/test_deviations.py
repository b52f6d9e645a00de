"""The effects in DEVIATIONS.md."""

from pathlib import Path

import pytest

from audit.claims import deviations
from audit.tables import layout
from multistage.records.cells import cells
from multistage.settings import composition

ROOT = Path(__file__).parents[3]


@pytest.fixture
def found(record, published):
    """Cells of made-up runs: two draws as published, and two with a wider window, three and five points better."""
    frozen = {"data": "caltech101", "refine": "false", "readout": "lbfgs"}
    runs = [record(0.6, draw, **frozen) for draw in (0, 1)]
    runs += [record(0.63 + 0.02 * draw, draw, contrast_norm__sigma=2, **frozen) for draw in (0, 1)]
    (table,) = layout.tables(cells(runs, published), published)
    return {("deviations", *place): cell for place, cell in table.cells.items()}


def test_an_effect_is_the_paired_difference(found):
    text = "| 2: <!-- effect: sigma-2 -->not run<!-- end -->; 3: <!-- effect: sigma-3 -->+9<!-- end --> |"
    filled = (
        "| 2: <!-- effect: sigma-2 -->+4.00 ± 12.71 (2)<!-- end -->; 3: <!-- effect: sigma-3 -->not run<!-- end --> |"
    )
    assert deviations.fill(text, found) == filled
    assert deviations.fill(filled, found) == filled


def test_runs_that_share_no_draw_have_no_effect_yet(found, record, published):
    other = [record(0.6, 5, data="caltech101", refine="false", readout="lbfgs", contrast_norm__sigma=2)]
    (table,) = layout.tables(cells(other, published), published)
    apart = found | {("deviations", *place): cell for place, cell in table.cells.items()}
    text = "<!-- effect: sigma-2 -->not run<!-- end -->"
    assert deviations.fill(text, apart) == text


def test_every_setting_of_the_experiment_has_its_place():
    overrides = composition.experiment("deviations", [])
    folders = {composition.plan(each).folder.name for each in overrides}
    settings = {name.split("-", 4)[4] for name in folders if name.count("-") > 3}
    text = (ROOT / "DEVIATIONS.md").read_text(encoding="utf-8")
    assert {place[2] for place in deviations.PLACE.finditer(text)} == settings
