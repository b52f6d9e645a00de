"""Error against labels a class: cells become lines, in text, in the picture and on the page; NORB from end to end."""

import re
from functools import partial
from pathlib import Path

import pytest
from data import norb_files
from report import invented

from audit.ladder.climb import Ladder
from audit.pages import index
from audit.tables import plot, tables
from audit.tables.results import Experiment
from multistage.data import manifest
from multistage.settings import composition, experiments

NAME = "R_abs-N-P_A, RR, lbfgs"


@pytest.fixture
def curve(record):
    """Frozen filters with 20, 50 and 100 labels, two draws; refined ones with other epochs for each number."""
    frozen = [
        record(accuracy + draw / 100, draw, data="norb", refine="false", readout="lbfgs", data__train_per_class=labels)
        for labels, accuracy in ((100, 0.80), (20, 0.65), (50, 0.75))
        for draw in (0, 1)
    ]
    refined = [
        record(0.7, data="norb", data__train_per_class=labels, trainer__max_epochs=epochs)
        for labels, epochs in ((20, 250), (100, 63))
    ]
    return frozen + refined


def test_cells_that_differ_in_labels_and_their_epochs_are_a_line(curve, published):
    (table,) = Experiment(Path("norb"), curve, published).tables
    assert table.against_labels
    assert table.title == "norb: labels a class"
    assert table.protocols == (NAME, "R_abs-N-P_A, R+R+")
    assert table.architectures == ("20", "50", "100", "200", "500", "1000", "2000", "4860")  # the paper has them all
    assert table.cells[NAME, "50"].mean == pytest.approx(75.5)
    assert table.paper["R_abs-N-P_A, R+R+", "4860"]["value"] == 94.4
    text = tables.grid(table).splitlines()
    assert text[0] == f"| labels a class | {NAME} | R_abs-N-P_A, R+R+ |"
    assert text[2].startswith("| 20 | 65.50 ± ")
    assert text[2].endswith("| 70.00 (1)<br>paper 71.7<br>−1.70, within three points |")
    assert text[9] == "| 4860 | paper 86.2<br>not run | paper 94.4<br>not run |"


def test_one_number_of_labels_is_no_curve(record, published):
    for other in ({}, {"data__train_per_class": 20, "trainer__max_epochs": 3}):
        runs = [record(data="norb", data__train_per_class=20), record(data="norb", model="avgpool")]
        runs += [record(data="norb", **other)] if other else []
        assert not any(table.against_labels for table in Experiment(Path("norb"), runs, published).tables)


def test_a_curve_does_not_hide_the_other_cells(curve, record, published):
    found = Experiment(Path("norb"), [*curve, record(data="digits")], published).tables
    assert [table.title for table in found] == ["digits", "norb: labels a class"]


def test_an_interval_below_zero_is_cut_off_at_its_lower_end_alone(record):
    """Errors of 2 and 4 %: 3 +- 12.7; the axis ends at half of the lowest mean, not where the interval is cut off."""
    runs = [record(1 - e / 100, d, data="norb", data__train_per_class=n) for n in (20, 50) for d, e in ((0, 2), (1, 4))]
    figure = plot.draw("norb", Experiment(Path("norb"), runs, []).tables)
    (axes,) = figure.axes
    ends = axes.containers[0].lines[1]
    assert [line.get_ydata()[0] for line in ends] == [pytest.approx(0.01), pytest.approx(15.706, abs=0.001)]
    assert axes.get_ylim()[0] == pytest.approx(1.5)


def test_the_picture_and_the_page_show_it(curve, published, tmp_path):
    pytest.importorskip("matplotlib")
    drawn = partial(plot.draw, "norb", Experiment(Path("norb"), curve, published).tables)
    assert len(plot.png(drawn, {})) > 10_000
    results = invented.results(tmp_path, norb=curve)
    text = index.document(results, [], Ladder(results))
    assert "error against labels a class" in text
    assert f"with 100 labels a class <b>{NAME}</b> has the lowest error, 19.50%" in text
    assert re.findall(r'<th scope="row" data-value="(\d+)">', text) == ["20", "50", "100"]
    drawn = re.search(r'<svg class="scatter" height="340".*?</svg>\s*</figure>', text, re.DOTALL)[0]
    assert drawn.count("<polyline") == 4  # two lines, ours and the paper's
    assert drawn.count('class="interval') == 3


def test_norb_runs_from_generated_files_to_the_curve(do, tmp_path, monkeypatch, published):
    monkeypatch.setenv("MULTISTAGE_DATA", str(tmp_path))
    norb_files.write(tmp_path / "norb", [*range(5)] * 4, [*range(5)] * 2)
    monkeypatch.setattr(manifest, "read", {"norb": {}}.__getitem__)
    typed = ["draw=0", "data.train_per_class=2,4", f"output={tmp_path / 'runs'}"]
    with composition.hydra():
        jobs = [job for job in experiments.experiment("norb", typed) if "filters=random" in job]
        planned = [composition.plan(job) for job in jobs]
        learned = composition.plan([*jobs[0], "filters=psd", "psd.stage1.steps=2", "psd.stage2.steps=2"])
    shortest = [run for run in planned if not run.config["refine"] or run.config["trainer.max_epochs"] == 10]
    records = [do(run) for run in [*shortest, learned]]
    assert [record["metrics"]["train_accuracy"] for record in records[:2]] == [1.0, 1.0]
    assert {record["parameters"] for record in records} == {8 * 25 + 8 + 24 * 4 * 36 + 24 + 864 * 5 + 5}
    one, curve = Experiment(Path("norb"), records, published).tables
    assert one.protocols == ("frozen, psd, lbfgs, psd.stage1.steps=2 psd.stage2.steps=2 data.train_per_class=2",)
    assert set(curve.protocols) == {NAME, "R_abs-N-P_A, R+R+", "P_A, R+R+"}
    assert {size for _, size in curve.cells} == {"2", "4"}
    assert len(curve.cells) == 6
