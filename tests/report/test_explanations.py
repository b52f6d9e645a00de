import json
import shutil
from pathlib import Path

import pytest

from multistage.errors import MultistageError
from multistage.report import explanations

ROOT = Path(__file__).parents[2]


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


def filled(results, published, text, whole=False):
    """What is made of a template; without what is added at its end unless the `whole` is wanted."""
    (results / "table1" / "README.template.md").write_text(text, encoding="utf-8")
    (made,) = explanations.texts(results, published).items()
    assert made[0] == results / "table1" / "README.md"
    content = made[1].split("\n\n", 1)[1]
    return content if whole else content.partition("\n**Without")[0]


CELL = "table1 | RR, lbfgs | R_abs-P_A"
SILENT = "**Without a tested explanation yet:** RR, lbfgs | R_abs-P_A."


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("mean", "54.00"),
        ("mean ±", "54.00 ± 12.71"),
        ("training", "100.0"),
        ("n", "2"),
        ("paper", "33.7"),
        ("difference", "+20.30"),
        ("mark", "off"),
        ("minutes", "2.0"),
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


def test_missed_cells_are_listed_and_those_without_a_word_are_named(results, published):
    text = filled(results, published, "[[missed | table1]]\n", whole=True)
    assert "| RR, lbfgs | R_abs-P_A | 54.00 ± 12.71 | 33.7 | +20.30 | 100.0 | 2 |" in text
    assert "sgd" not in text
    assert text.endswith("**Without a tested explanation yet:** RR, lbfgs | R_abs-P_A.\n")
    named = f"[[{CELL} | mean]], [[{CELL} | minus | table1 | RR, sgd | R_abs-P_A]]"
    assert "Without" in filled(results, published, named, whole=True)
    place = f"[[{CELL} | explained by | table1 | RR, sgd | R_abs-P_A]] points"
    explained = filled(results, published, place, whole=True)
    assert explained == "+20.50 ± 6.35 points"


def rewrite(results, name, records):
    (results / name / "records.jsonl").write_text("".join(json.dumps(run) + "\n" for run in records), encoding="utf-8")


@pytest.mark.parametrize(
    ("other", "end"),
    [
        ({0: 0.33, 1: 0.34}, ""),
        ({0: 0.37, 1: 0.38}, "**Explained in part** (what then remains, in points): RR, lbfgs | R_abs-P_A (3.80)."),
        (
            {0: 0.23, 1: 0.24},
            "**The paper's figure lies between** these and what explains them: RR, lbfgs | R_abs-P_A.",
        ),
        ({0: 0.33, 1: 0.60}, SILENT),
        ({0: 0.73, 1: 0.75}, SILENT),
        ({0: 0.51}, SILENT),
        ({0: 0.35}, ""),
    ],
    ids=[
        "all",
        "in part",
        "between",
        "chance",
        "away from the paper",
        "one run, near",
        "one run of two, by what it moves",
    ],
)
def test_what_counts_as_an_explanation(results, published, record, other, end):
    cell = {"data": "caltech101", "refine": "false", "model": "abs_avgpool"}
    rewrite(results, "table1", [record(a, draw, readout="lbfgs", **cell) for draw, a in enumerate((0.53, 0.55))])
    changed = {**cell, "readout": "lbfgs", "contrast_norm__border": "reflect", "model": "abs_lcn_avgpool"}
    rewrite(results, "checks", [record(a, draw, **changed) for draw, a in other.items()])
    text = filled(
        results, published, f"[[{CELL} | explained by | checks | RR, lbfgs, border-reflect | R_abs-N-P_A]]", True
    )
    assert text.partition("\n")[2].strip() == end


def test_of_two_explanations_the_one_that_leaves_less_counts(results, published, record):
    cell = {"data": "caltech101", "refine": "false", "model": "abs_lcn_avgpool", "readout": "lbfgs"}
    rewrite(results, "table1", [record(0.54, model="abs_avgpool", data="caltech101", refine="false", readout="lbfgs")])
    runs = [record(0.40, contrast_norm__border="reflect", **cell), record(0.20, contrast_norm__sigma=2, **cell)]
    rewrite(results, "checks", runs)
    places = [
        f"[[{CELL} | explained by | checks | RR, lbfgs, {name} | R_abs-N-P_A]]"
        for name in ("border-reflect", "sigma-2")
    ]
    assert "R_abs-P_A (6.30)" in filled(results, published, " ".join(places), whole=True)


def test_columns_in_another_order_than_the_papers_are_listed(results, published, record):
    cell = {"data": "caltech101", "refine": "false", "readout": "sgd"}
    accuracies = {"abs_avgpool": (0.37, 0.38), "lcn_maxpool": (0.35, 0.34), "lcn_avgpool": (0.20, 0.21)}
    runs = [record(a, draw, model=model, **cell) for model, each in accuracies.items() for draw, a in enumerate(each)]
    rewrite(results, "table1", runs)
    text = filled(results, published, "[[turned | table1]]")
    (line,) = text.splitlines()[2:]
    assert line == "| RR, sgd | N-P_M | R_abs-P_A | 37.6 | 33.7 | 34.50 ± 6.35 | 37.50 ± 6.35 | −3.00 ± 12.71 |"
    pair = [record(a, data="caltech101", stages=1, model=m) for m, a in (("avgpool", 0.16), ("lcn_avgpool", 0.15))]
    rewrite(results, "table1", pair)  # R+ in the paper: 14.3 and 16.3, two points apart
    assert filled(results, published, "[[turned | table1]]") == "None of the cells run so far."


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("table1 | RR, lbfg | R_abs-P_A | mean", r"not published; nearest: table1 \| RR, lbfgs \| R_abs-P_A"),
        ("table2 | R | x | mean", "not published"),
        (f"{CELL} | maen", "in no record; expected one of mean"),
        (f"{CELL} | metrics", "is no number"),
        (f"{CELL} | config.refine", "is no number"),
        (f"{CELL}", "expected FOLDER"),
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
    assert explanations.write(results, published) == []
    filled(results, published, f"[[{CELL} | mean]]")
    assert explanations.write(results, published) == [results / "table1" / "README.md"]
    assert explanations.write(results, published) == []
