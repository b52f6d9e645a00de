"""README's answer follows from records and verdicts."""

from types import SimpleNamespace

import pytest
from report import invented

from audit.claims import ledger
from audit.ladder.climb import Ladder
from audit.pages import table1
from audit.pages.answer import Answer
from audit.pages.summary import summary

COLUMNS = ("abs_lcn_avgpool", "abs_avgpool", "lcn_maxpool", "lcn_avgpool", "avgpool")


@pytest.fixture
def said(tmp_path, record):
    """The answer where a row of random filters has these accuracies, and the ladder's top rung one."""

    def said(*accuracies, top=(0.7, 0.72), claims=None):
        frozen = {"data": "caltech101", "refine": "false", "readout": "sgd"}
        runs = [record(a, model=model, **frozen) for model, a in zip(COLUMNS, accuracies, strict=True)]
        rung = {**frozen, "filters": "psd", "readout": "lbfgs"}
        results = invented.results(
            tmp_path, table1=runs, ladder=[record(a, draw, **rung) for draw, a in enumerate(top)]
        )
        return summary(results, claims or ledger.ledger(results), Ladder(results))

    return said


def test_it_says_what_is_best_and_what_agrees(said):
    text = said(0.63, 0.34, 0.37, 0.20, 0.15)
    assert (
        "Of the paper's five, its own best: absolute value, local contrast normalisation and average pooling." in text
    )
    assert "| 4 of 5 (by `lbfgs`: 0 of 0) | |" in text
    assert "is best here (frozen filters: once for each classifier) | 1 of 1, 1 beyond chance | |" in text
    assert "| 63.0 % (`RR, sgd`) | 65.5 % (`U+U+`) |" in text
    assert "| with later methods: the ladder's top rung | 71.0 ± 12.7 % |" in text


def test_it_says_so_where_the_paper_does_not_hold_up(said):
    text = said(0.20, 0.34, 0.57, 0.20, 0.15)
    assert "**Does the paper hold up?** It does not hold up: of 21 [claims]" in text
    assert "Of the paper's five, another than its best: local contrast normalisation and max pooling." in text
    assert "(frozen filters: once for each classifier) | 0 of 1, 0 beyond chance | |" in text


@pytest.mark.parametrize(
    ("same", "rows", "claims", "answer"),
    [
        (2, 2, ["holds", "holds"], "holds up"),
        (2, 2, ["holds", "holds in part"], "mostly holds up"),
        (2, 2, ["holds", "holds in part", "fails"], "mostly holds up"),
        (2, 2, ["holds", "fails"], "does not hold up"),
        (2, 3, ["holds", "holds"], "mostly holds up"),
        (1, 2, ["holds", "holds"], "does not hold up"),
        (2, 2, ["holds in part", "fails", "no data"], "does not hold up"),
    ],
)
def test_the_paper_mostly_holds_up_if_more_than_half_of_rows_and_of_claims_do(same, rows, claims, answer):
    found = SimpleNamespace(same=same, rows=rows, claims=[SimpleNamespace(verdict=verdict) for verdict in claims])
    assert Answer.holds_up.fget(found) == answer


def test_claims_that_fail_are_linked_where_they_are_counted(said):
    verdicts = {"paper-01": "holds", "paper-02": "fails", "paper-03": "fails", "paper-04": "no data"}
    outcomes = {"paper-01": ["supported"], "paper-02": ["supported", "contradicted"]}
    claims = [
        SimpleNamespace(
            claim=SimpleNamespace(id=name),
            verdict=each,
            results=[SimpleNamespace(outcome=outcome) for outcome in outcomes.get(name, [])],
        )
        for name, each in verdicts.items()
    ]
    links = "[paper-02](results/claims.md#paper-02), [paper-03](results/claims.md#paper-03)"
    text = said(0.63, 0.34, 0.37, 0.20, 0.15, claims=claims)
    counts = "Their tests: 2 supported and 1 contradicted."
    assert f"by its authors 1 hold in full, 2 fail ({links}) and 1 lack data. {counts}" in text


def test_a_small_lead_of_one_run_is_not_beyond_chance(said):
    assert "| 1 of 1, 0 beyond chance | |" in said(0.36, 0.34, 0.33, 0.20, 0.15)


def test_without_a_ladder_the_rest_is_said(said):
    text = said(0.63, 0.34, 0.37, 0.20, 0.15, top=())
    assert "| 63.0 % (`RR, sgd`) | 65.5 % (`U+U+`) |" in text
    assert "**How far does it get with later methods?** Not run yet; `python train.py experiment=ladder`" in text
    assert "| with later methods: the ladder's top rung |  | |" in text


def test_a_row_whose_cells_share_no_draw_is_not_compared(tmp_path, record):
    frozen = {"data": "caltech101", "refine": "false", "readout": "sgd"}
    runs = [record(0.5, draw, model=model, **frozen) for draw, model in enumerate(COLUMNS)]
    answer = Answer(invented.results(tmp_path, table1=runs), [])
    assert (answer.rows, answer.same, answer.beyond) == (0, 0, 0)


def test_before_any_run_it_says_how_to_get_it(tmp_path, record):
    results = invented.results(tmp_path, ablation=[record(data="digits")])
    assert summary(results, [], Ladder(results)) == table1.ABSENT
