import json
import shutil
from pathlib import Path

import pytest

from audit.claims import explanations
from audit.tables.addresses import addresses
from multistage.registry.errors import MultistageError

ROOT = Path(__file__).parents[3]


@pytest.fixture
def results(tmp_path, record):
    """Folders table1, with a cell that misses the paper by 20 points and one that does not, and checks."""
    frozen = {"data": "caltech101", "refine": "false"}
    made = {
        "table1": [
            *(record(a, draw, readout="lbfgs", model="abs_avgpool", **frozen) for draw, a in enumerate((0.53, 0.55))),
            *(record(a, draw, readout="sgd", model="abs_avgpool", **frozen) for draw, a in enumerate((0.33, 0.34))),
        ],
        "checks": [record(0.5, readout="lbfgs", contrast_norm__border="reflect", **frozen)],
    }
    for name, records in made.items():
        (tmp_path / name).mkdir()
        text = "".join(json.dumps(run) + "\n" for run in records)
        (tmp_path / name / "records.jsonl").write_text(text, encoding="utf-8")
    shutil.copy(ROOT / "results" / "paper.yaml", tmp_path)
    return tmp_path


def filled(results, published, text):
    """What is made of a template."""
    (results / "table1" / "README.template.md").write_text(text, encoding="utf-8")
    (made,) = explanations.texts(results, addresses(results, published)).items()
    assert made[0] == results / "table1" / "README.md"
    return made[1].split("\n\n", 1)[1]


CELL = "table1 | RR, lbfgs | R_abs-P_A"


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("mean", "54.00"),
        ("mean ±", "54.00 ± 12.71"),
        ("training", "100.0"),
        ("n", "2"),
        ("paper", "33.7"),
        ("difference", "+20.30"),
        ("metrics.test_accuracy", "0.5"),
        ("seconds.train", "90"),
        ("minus | table1 | RR, sgd | R_abs-P_A", "+20.50 ± 6.35"),
    ],
)
def test_a_place_becomes_its_figure(results, published, place, text):
    assert filled(results, published, f"It is [[{CELL} | {place}]].") == f"It is {text}."


def test_cells_of_other_folders_and_lines_that_were_broken(results, published):
    text = filled(results, published, f"[[checks | RR, lbfgs, border-reflect |\n R_abs-N-P_A | mean]], [[{CELL} | n]]")
    assert text == "50.00, 2"


def test_what_is_tried_anywhere_in_a_text_stands_in_the_table_of_missed_cells(results, published):
    place = f"[[{CELL} | tried | table1 | RR, sgd | R_abs-P_A | their\nclassifier]]"
    text = filled(results, published, f"[[missed | table1]]\n\n{place} points")
    assert (
        "| RR, lbfgs | R_abs-P_A | 54.00 ± 12.71 | 33.7 | +20.30 | 2 | their classifier (−0.20) | accounted for |"
        in text
    )
    assert text.endswith("\n\n33.50 ± 6.35 (−20.50 ± 6.35) points")
    assert "| sgd" not in text


TRIED = f"{CELL} | tried | table1 | RR, sgd | R_abs-P_A"


def test_columns_in_another_order_are_a_table(results, published):
    assert filled(results, published, "[[turned | table1]]") == "None so far."


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("missed | tabel1", "names no folder"),
        (f"{TRIED} | sgd]] [[{TRIED} | sgd", "says again what was tried: sgd"),
        ("table1 | RR, lbfg | R_abs-P_A | mean", r"not published; nearest: table1 \| RR, lbfgs \| R_abs-P_A"),
        ("table2 | R | x | mean", "not published"),
        (f"{CELL} | maen", "in no record; expected one of mean"),
        (f"{CELL} | metrics", "is no number"),
        (f"{CELL} | config.refine", "is no number"),
        (f"{CELL}", "expected FOLDER"),
        (TRIED, "expected FOLDER"),
    ],
)
def test_a_place_that_names_nothing_is_refused_in_one_line(results, published, place, said):
    with pytest.raises(MultistageError, match=said) as caught:
        filled(results, published, f"[[{place}]]")
    assert "\n" not in str(caught.value)
    assert "README.template.md" in str(caught.value)


def test_a_figure_that_the_paper_does_not_have_is_refused(results, published, record):
    text = json.dumps(record(data="digits")) + "\n"
    (results / "checks" / "records.jsonl").write_text(text, encoding="utf-8")
    with pytest.raises(MultistageError, match="the paper has no figure"):
        filled(results, published, "[[checks | refined | abs_lcn_avgpool | difference]]")


def test_only_what_changed_is_written(results, published):
    assert explanations.write(results, addresses(results, published)) == []
    filled(results, published, f"[[{CELL} | mean]]")
    assert explanations.write(results, addresses(results, published)) == [results / "table1" / "README.md"]
    assert explanations.write(results, addresses(results, published)) == []
