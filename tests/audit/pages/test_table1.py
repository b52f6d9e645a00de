import re

import pytest
from report import invented

from audit.pages import table1
from audit.tables import layout
from multistage.records.cells import cells
from multistage.registry.errors import MultistageError

COLUMNS = ("R_abs-N-P_A", "R_abs-P_A", "N-P_M", "N-P_A", "P_A")


@pytest.fixture
def readme(tmp_path):
    """Of records in results/table1."""
    return lambda records: table1.page(invented.results(tmp_path, table1=records))


def table(text):
    legend, *blocks = re.split(r"\n\n(?=\|)", text)
    heads, rows = [], {}
    for text in blocks:
        lines = [[entry.strip() for entry in line.strip("|").split("|")] for line in text.splitlines()]
        heads.append(lines[0])
        rows |= {line[0]: line[1:] for line in lines[2:]}
    return legend, heads, rows


def frozen(record, accuracies, training, **settings):
    runs = [record(a, draw, data="caltech101", refine="false", **settings) for draw, a in enumerate(accuracies)]
    for run in runs:
        run["metrics"]["train_accuracy"] = training
    return runs


def test_before_any_run_it_says_how_to_get_it(readme):
    assert readme([]) == table1.ABSENT


def test_every_figure_of_the_paper_has_its_place_whether_or_not_it_was_run(record, readme, published):
    _, heads, rows = table(readme([record(data="caltech101", readout="lbfgs", refine="false")]))
    assert heads == [["one stage", *COLUMNS, "minutes"], ["two stages", *COLUMNS, "minutes"]]
    assert list(rows) == [
        *("U+", "R+", "U, sgd", "U, lbfgs", "R, sgd", "R, lbfgs", "G, sgd", "G, lbfgs", "U, pyramid_svm"),
        *("U+U+", "R+R+", "UU, sgd", "UU, lbfgs", "RR, sgd", "RR, lbfgs", "GT, sgd", "GT, lbfgs", "UU, pyramid_svm"),
    ]
    shown = {text for name, texts in rows.items() if "lbfgs" not in name for text in texts[:-1] if text}
    assert shown == {f"– / {entry['value']}" for entry in published if entry["table"] == 1}
    assert rows["U, pyramid_svm"] == ["– / 64.0", "", "", "", "", ""]
    assert rows["RR, sgd"][-1] == ""


def test_a_place_shows_ours_the_papers_the_mark_and_how_many_runs(record, readme):
    runs = frozen(record, [0.63, 0.62], 1.0, readout="sgd") + frozen(record, [0.64], 1.0, readout="lbfgs")
    runs += frozen(record, [0.36], 0.51, readout="sgd", model="abs_avgpool")
    runs += frozen(record, [0.53], 1.0, readout="lbfgs", model="abs_avgpool")
    runs += [record(0.61, data="caltech101"), record(0.5, data="caltech101", stages=1, model="abs_avgpool")]
    legend, _, rows = table(readme(runs))
    assert rows["RR, sgd"] == [
        "62.5 / 62.9 ◐ (2)",
        "36.0 / 33.7 ◐ (1)<br>training 51",
        *rows["UU, sgd"][2:2],
        *(f"– / {value}" for value in (37.6, 19.6, 8.8)),
        "2.0",
    ]
    assert rows["RR, lbfgs"][:2] == ["64.0 / 62.9 ◐ (1)", "53.0 / 33.7 ○ (1)<br>training 100"]
    assert rows["R+R+"][0] == "61.0 / 64.7 ○ (1)"
    assert rows["R+"][1] == "50.0 / 47.0 ◐ (1)"
    assert "on invented (1 thread, float32)" in legend


def test_tuned_settings_stand_in_the_papers_place_and_other_changes_do_not(record, readme, published):
    runs = [
        record(0.66, data="caltech101", optimizer__lr=0.01),
        record(0.60, data="caltech101", model="abs_avgpool", trainer__max_epochs=12),
        record(0.30, data="caltech101", model="lcn_avgpool", contrast_norm__border="reflect"),
    ]
    _, _, rows = table(readme(runs))
    assert rows["R+R+"][:4] == ["66.0 / 64.7 ◐ (1)", "60.0 / 59.5 ◐ (1)", "– / 60.0", "– / 31.0"]
    (block,) = layout.tables(cells(runs, published), published)
    assert block.protocols == (
        "R+R+, contrast_norm.border=reflect",
        "R+R+, optimizer.lr=0.01",
        "R+R+, trainer.max_epochs=12",
    )
    (block,) = layout.tables(cells(runs[:2], published), published)
    assert block.protocols == ("R+R+",)


def test_where_two_cells_want_a_place_the_untuned_one_has_it(record, readme, published):
    runs = [record(0.66, data="caltech101"), record(0.60, data="caltech101", optimizer__lr=0.01)]
    (block,) = layout.tables(cells(runs, published), published)
    assert block.protocols == ("R+R+", "R+R+, optimizer.lr=0.01")
    assert block.cells["R+R+", "R_abs-N-P_A"].mean == pytest.approx(66)
    tuned = [*runs[1:], record(0.5, data="caltech101", optimizer__lr=0.1)]
    with pytest.raises(MultistageError, match=r"R\+R\+, R_abs-N-P_A of Table 1 fits 2 cells .* optimizer\.lr;"):
        readme(tuned)
