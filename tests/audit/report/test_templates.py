"""Texts whose figures come from records."""

import re

import pytest
from committed import ROOT
from report import invented

from audit.claims.templates import PLACE, Figures, readmes
from multistage.registry.errors import MultistageError
from multistage.registry.words import listing
from multistage.settings import composition, experiments

FROZEN = {"data": "caltech101", "refine": "false"}
CELL, OTHER = 'table1("RR, lbfgs", ABS)', 'table1("RR, sgd", ABS)'


@pytest.fixture
def results(tmp_path, record):
    """Folders table1, with a cell that misses the paper by 20 points and one that does not, and deviations."""
    made = {
        "table1": [
            record(accuracy, draw, readout=readout, model="abs_avgpool", **FROZEN)
            for readout, accuracies in (("lbfgs", (0.53, 0.55)), ("sgd", (0.33, 0.34)))
            for draw, accuracy in enumerate(accuracies)
        ],
        "deviations": [
            *(record(0.6, draw, readout="lbfgs", **FROZEN) for draw in (0, 1)),
            *(record(0.63 + 0.02 * n, n, readout="lbfgs", contrast_norm__sigma=2, **FROZEN) for n in (0, 1)),
            record(0.6, 5, readout="lbfgs", contrast_norm__sigma=3, **FROZEN),
        ],
    }
    return invented.results(tmp_path, **made)


@pytest.fixture
def figures(results):
    return Figures(results.found, results.paper)


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (CELL, "54.00 ± 12.71"),
        (f"{CELL} - {OTHER}", "+20.50 ± 6.35"),
        (f"{CELL} | training", "100.0"),
        (f"{CELL} | paper", "33.7"),
        (f"{CELL} | recorded('metrics.test_accuracy')", "0.5"),
        (f"{CELL} | recorded('metrics.test_accuracy', percent=True)", "50.0"),
        (f"{CELL} | recorded('seconds.train')", "90"),
        ('deviations("RR, lbfgs", BOTH, sigma=2)', "64.00 ± 12.71"),
        ("turned('table1')", "None so far."),
    ],
)
def test_an_expression_becomes_its_figure(figures, expression, text):
    assert figures.fill(f"It is {{{{ {expression} }}}}.\n", "x") == f"It is {text}.\n"


def test_what_is_tried_above_it_stands_in_the_table_of_missed_cells(figures):
    text = f'{{{{ {CELL} | tried({OTHER}, "their classifier") }}}} points\n\n{{{{ missed("table1") }}}}'
    for filled in (figures.fill(text, "x"), figures.fill(text, "x")):
        assert filled.startswith("33.50 ± 6.35 (−20.50 ± 6.35) points\n\n")
        row = "| RR, lbfgs | R_abs-P_A | 54.00 ± 12.71 | 33.7 | +20.30 | 2 | their classifier (−0.20) | accounted for |"
        assert row in filled
        assert "| sgd" not in filled


TRIED = f'{CELL} | tried({OTHER}, "sgd")'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{{{{ {TRIED} }}}}\n{{{{ {TRIED} }}}}", ", line 2: says again what was tried: sgd"),
        (f'{{{{ missed("table1") }}}}\n\n{{{{ {TRIED} }}}}', ", line 3: sgd: tried below the table of misses"),
        ('{{ missed("tabel1") }}', ", line 1: tabel1 is not a folder of results; nearest: table1"),
        ('{{ labels_coil20("RR, sgd", ABS) }}', "a cell of labels_coil20 that is not published"),
        ('{{ tabel1("RR", ABS) }}', ": tabel1 is not known; nearest: table1"),
        ('{{ table1("RR, sgd", BOTH) }}', "a cell of table1 that is not published; nearest there: RR, sgd | R_abs-P_A"),
        ('{{ table1("RR, sgd") }}', "missing 1 required positional argument: 'model'"),
        ('{{ table1("RS", ABS) }}', "'RS' is not a row; expected the paper's letters"),
        (
            f"{{{{ {CELL} | trainig }}}}",
            ", line 1: No filter named 'trainig'. Filters: training, paper, recorded, tried",
        ),
        (f"{{{{ {CELL}.mean }}}}", "has no attribute 'mean'"),
        (f"{{{{ {CELL} | recorded('maen') }}}}", "maen is in no record; expected a path such as"),
        (f"{{{{ {CELL} | recorded('metrics') }}}}", "metrics is not a number"),
        (f"{{{{ {CELL} | recorded('config.refine') }}}}", "config.refine is not a number"),
        (
            '{{ deviations("RR, lbfgs", "maxpool") | paper }}',
            "the paper has no figure for deviations | RR, lbfgs | maxpool",
        ),
        ("{{ (table1 }}", "unexpected '}'"),
        (
            '{{ deviations("RR, lbfgs", BOTH, sigma=3) - deviations("RR, lbfgs", BOTH) }}',
            "the cells share no draw and seed",
        ),
    ],
)
def test_what_names_nothing_is_refused_in_one_line(figures, text, said):
    with pytest.raises(MultistageError, match=re.escape(said)) as caught:
        figures.fill(text, "README.template.md")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("README.template.md")


def test_a_readme_is_made_of_the_template_beside_it(results, figures):
    root = results.root
    assert readmes(root, figures) == {}
    (root / "table1" / "README.template.md").write_text("{% set it = " + CELL + " -%}\n\n{{ it }}\n", "utf-8")
    text = (
        "<!-- Made from README.template.md and records by python scripts/report.py; do not edit. -->\n\n54.00 ± 12.71\n"
    )
    assert readmes(root, figures) == {root / "table1" / "README.md": text}


def test_the_effect_of_a_switch_stands_behind_its_mark(figures):
    text = (
        "| 2: <!-- {{ effect(sigma=2) }} -->not run<!-- end -->; 3: <!-- {{ effect(sigma=3) }} -->+9<!-- end -->; "
        "4: <!-- {{ effect(sigma=4) }} --><!-- end --> |"
    )
    filled = figures.refill(text, "x")
    assert PLACE.sub(lambda place: place[0].partition("-->")[2][:-12], filled) == (
        "| 2: +4.00 ± 12.71 (2); 3: not run; 4: not run |"
    )
    assert figures.refill(filled, "x") == filled


def test_a_table_stands_on_lines_of_its_own_between_marks(figures):
    text = "<!-- {{ table() }} -->\nold\n<!-- end -->"
    assert figures.refill(text, "x", table=lambda: "new") == text.replace("old", "new")
    with pytest.raises(MultistageError, match="x: table is not known"):
        figures.refill(text, "x")


def test_every_setting_of_the_experiment_has_its_place():
    text = (ROOT / "DEVIATIONS.md").read_text(encoding="utf-8")
    named = []
    figures = Figures({}, [])
    figures.environment.globals["effect"] = lambda further=(), **more: named.append({**dict(further), **more})
    figures.refill(text, "x")
    planned = [composition.plan(each).folder.name for each in experiments.experiment("deviations", [])]
    settings = {name.split("-", 4)[4] for name in planned if name.count("-") > 3}
    words = ["-".join(f"{key}-{listing([value])}" for key, value in each.items()) for each in named]
    assert set(words) == settings
    assert len(words) == len(settings)
