import json
from pathlib import Path

import pytest
from committed import RESULTS
from report import evidence, invented

from audit.claims import ledger, verdicts
from audit.claims.claims import HALF, Claim, ask
from audit.claims.quantities import Epochs, Number, Over
from audit.tables.addresses import Folder, find
from audit.tables.results import Experiment
from multistage.records.cells import cells
from multistage.records.intervals import Measured
from multistage.registry.errors import MultistageError
from multistage.settings import composition, experiments, naming

CLAIMS = ledger.CLAIMS
ablation = Folder("ablation", "digits")
NOTHING = verdicts.Evidence({}, {}, evidence.PUBLISHED)

each = pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)


@each
@pytest.mark.parametrize(
    ("wanted", "verdict"), [("supported", "holds"), ("contradicted", "fails"), ("undecided", "no data")]
)
def test_every_claim_holds_or_fails_or_stays_open_by_its_runs(claim, wanted, verdict):
    judged = verdicts.judge(claim, evidence.made(claim, wanted))
    assert {result.outcome for result in judged.results} == {wanted}
    assert judged.verdict == verdict
    assert len(judged.measured) == len(claim.tests)


@each
def test_a_claim_without_data_says_what_would_have_to_be_run(claim):
    judged = verdicts.judge(claim, NOTHING)
    assert judged.verdict == "no data"
    assert judged.measured == []
    text = ledger.document([judged], evidence.PUBLISHED).partition("*Missing:*")[2]
    wanted = [f"python train.py experiment={cell.folder}`" for test in claim.tests for cell in test.cells]
    numbers = [name for test in claim.tests for name in test.numbers]
    for words in [*wanted, *numbers, *["python scripts/lecture.py"] * bool(numbers)]:
        assert words in text


@each
def test_a_single_run_decides_only_where_the_rule_gives_it_a_width(claim):
    judged = verdicts.judge(claim, evidence.made(claim, "supported", draws=1))
    for result in judged.results:
        if result.test.cells and result.test.alone is None and not isinstance(result.test.quantity, Over):
            assert result.outcome == "undecided"
            assert set(result.few) == set(result.test.cells)


@pytest.mark.parametrize(
    ("values", "wanted", "width"),
    [((5,), "supported", 3), ((2, 2.4), "supported", 3 / 2**0.5), ((2, 1), "undecided", 3 / 2**0.5)],
)
def test_one_run_or_two_are_given_the_width_of_the_rule(record, values, wanted, width):
    found = {}
    for model, plus in (("abs_avgpool", values), ("avgpool", [0] * len(values))):
        runs = [record(0.5 + points / 100, draw, model=model) for draw, points in enumerate(plus)]
        (found[ablation("R+R+", model)],) = cells(runs)
    quantity = ablation("R+R+", "abs_avgpool") - ablation("R+R+", "avgpool")
    result = judged(ask("x", above=0, alone=3).of(quantity), found)
    assert result.outcome == wanted
    assert (result.interval[1] - result.interval[0]) / 2 == pytest.approx(width)
    assert result.margin == pytest.approx(sum(values) / len(values) / width)
    assert bool(result.few) == (wanted == "undecided")


def judged(test, cells, numbers=()):
    """The result of a claim's only test."""
    one = Claim("x", "x", "x", tuple(test))
    (result,) = verdicts.judge(one, verdicts.Evidence(cells, {"x": dict(numbers)}, evidence.PUBLISHED)).results
    return result


@each
def test_a_claim_of_which_only_a_part_was_run_is_judged_by_that_part(claim):
    found = evidence.made(claim, "supported")
    first = claim.tests[0]
    cells = {wanted: found.cells[wanted] for wanted in first.cells}
    measured = {claim.id: {name: found.measured[claim.id][name] for name in first.numbers}}
    judged = verdicts.judge(claim, verdicts.Evidence(cells, measured, evidence.PUBLISHED))
    assert judged.verdict == "holds"
    assert judged.results[0].figure is not None


FOLDERS = sorted({wanted.folder for claim in CLAIMS for test in claim.tests for wanted in test.cells})


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_cell_that_a_rule_names_is_made_by_an_experiment(folder):
    with composition.hydra():
        runs = [composition.plan(job) for job in experiments.experiment(folder, ["draw=0"])]
    planned = {run.folder: run for run in runs}.values()  # parts may differ in draws alone
    made = [
        invented.record()
        | {"run": naming.name(run.config, run.folder), "config": run.config, "overrides": run.overrides}
        | {"data_hash": run.config["data"]}
        for run in planned
    ]
    tables = Experiment(Path(folder), made, evidence.PUBLISHED).tables
    found = {folder: [place for table in tables for place in table.places()]}
    for wanted in {wanted for claim in CLAIMS for test in claim.tests for wanted in test.cells}:
        assert wanted.folder != folder or find(wanted, found), wanted


def test_every_number_that_a_rule_names_is_measured_by_the_lecture():
    measured = verdicts.measurements(RESULTS)
    for claim in CLAIMS:
        for test in claim.tests:
            assert set(test.numbers) <= measured.get(claim.id, {}).keys(), claim.id


def test_the_claims_are_the_papers_the_lectures_and_our_own():
    wanted = [f"paper-{n:02}" for n in range(1, 22)] + [f"lecture-{n:02}" for n in range(1, 15)]
    names = [claim.id for claim in CLAIMS]
    assert names[: len(wanted)] == wanted
    assert names[len(wanted) :] == [f"extra-{n:02}" for n in range(1, len(names) - len(wanted) + 1)]


def test_claims_that_need_norb_name_what_stands_in():
    for claim in CLAIMS:
        assert bool(claim.stand_in) == any(cell.folder == "norb" for test in claim.tests for cell in test.cells)


def test_a_claim_that_two_cells_fit_is_refused_in_one_line(record, tmp_path):
    rivals = [record(data="caltech101", model="avgpool", optimizer__lr=rate) for rate in (0.2, 0.5)]
    results = invented.results(tmp_path, table1=rivals)
    (one,) = [claim for claim in CLAIMS if claim.id == "paper-11"]
    with pytest.raises(MultistageError, match=r"paper-11: table1 \| R\+R\+ \| P_A fits 2 cells .* optimizer\.lr"):
        verdicts.gather([one], results)


@pytest.mark.parametrize("bounds", [{}, {"above": 0, "below": 1}, {"above": 0, "of": 1}])
def test_a_rule_has_one_bound(bounds):
    with pytest.raises(TypeError, match="x: expected one of above, below and within"):
        ask("x", **bounds)


@pytest.mark.parametrize(
    ("figure", "rule", "wanted"),
    [
        ((1, 3), {"above": 0}, "supported"),  # an interval
        ((0, 3), {"above": 0}, "undecided"),
        ((-1, 3), {"above": 0}, "undecided"),
        ((-3, -1), {"above": 0}, "contradicted"),
        ((-3, 0), {"above": 0}, "contradicted"),
        ((-3, -1), {"below": 0}, "supported"),
        ((-3, 1), {"below": 0}, "undecided"),
        ((1, 3), {"below": 0}, "contradicted"),
        ((-1, 1), {"within": 2}, "supported"),
        ((-1, 2.5), {"within": 2}, "undecided"),
        ((-3, 3), {"within": 2}, "undecided"),
        ((2.5, 3), {"within": 2}, "contradicted"),
        ((-4, -2.5), {"within": 2}, "contradicted"),
        ((0.95, 1.05), {"within": 0.1, "of": 1}, "supported"),
        ((-0.05, 0.05), {"within": 0.1, "of": 1}, "contradicted"),
        (5, {"above": 0}, "undecided"),  # none
        (5, {"above": 0, "alone": 3}, "supported"),
        (2, {"above": 0, "alone": 3}, "undecided"),
        (-5, {"above": 0, "alone": 3}, "contradicted"),
        (0, {"within": 0, "alone": 0}, "supported"),
        (1e-9, {"within": 0, "alone": 0}, "contradicted"),
        (0, {"above": 0, "alone": 0}, "contradicted"),
        (4.9, {"within": 2, "alone": 3}, "undecided"),
        (5.1, {"within": 2, "alone": 3}, "contradicted"),
    ],
)
def test_the_whole_interval_decides_or_the_width_that_the_rule_gives(figure, rule, wanted):
    interval = figure if isinstance(figure, tuple) else None
    measured = Measured(sum(interval) / 2 if interval else figure, "made up", "", interval)
    assert judged(ask("x", **rule).of(Number("number")), {}, {"number": measured}).outcome == wanted


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        (["supported", "supported"], "holds"),
        (["supported", "no data"], "holds"),
        (["supported", "undecided"], "holds in part"),
        (["supported", "contradicted"], "holds in part"),
        (["contradicted", "contradicted"], "fails"),
        (["contradicted", "undecided"], "fails"),
        (["undecided", "no data"], "no data"),
        (["no data"], "no data"),
    ],
)
def test_the_verdict_follows_from_the_outcomes(outcomes, verdict):
    assert verdicts.verdict(outcomes) == verdict


def test_the_difference_of_two_numbers_reaches_from_end_to_opposite_end():
    numbers = {"a": Measured(5, "one", "%", (4, 6), 9), "b": Measured(2, "other", "%", (1, 4), 7)}
    result = judged(ask("x", above=0).of(Number("a") - Number("b")), {}, numbers)
    assert result.figure == Measured(3, "one, minus other", "%", (0, 5), 7)
    assert result.outcome == "undecided"


@pytest.mark.parametrize(
    ("first", "second", "words", "side", "wanted"),
    [
        ([4, 2], [0.1, 0.1], {"above": 0}, "at least", "supported"),
        ([4, 2], [0.1, 0.1], {"below": 0}, "at least", "contradicted"),
        ([4, 2], [0.1, 0.1], {"below": 9}, "at least", "undecided"),
        ([0.1, 0.1], [4, 2], {"below": 0}, "at most", "supported"),
        ([0.1, 0.1], [4, 2], {"above": 0}, "at most", "contradicted"),
        ([0.1, 0.1], [4, 2], {"above": -9}, "at most", "undecided"),
        ([0.1, 0.1], [4, 0.2], {"below": 0}, "", "supported"),
    ],
)
def test_a_bound_decides_on_its_own_side_only(record, first, second, words, side, wanted):
    def cell(model, curves):
        runs = [
            record(draw=draw, model=model) | {"history": {"epoch": [1, 2], "train_loss": curve}}
            for draw, curve in enumerate(curves)
        ]
        return cells(runs)[0]

    hopeless = [9.0, 9.0]  # a pair in which neither gets there is left out
    curves = {"avgpool": [first, first, hopeless], "lcn_avgpool": [second, second, hopeless]}
    found = {ablation("R+R+", model): cell(model, each) for model, each in curves.items()}
    test = ask("x", **words, alone=0.1).of(Epochs(0.5, ablation("R+R+", "avgpool"), ablation("R+R+", "lcn_avgpool")))
    result = judged(test, found)
    assert (result.side, result.outcome, result.figure.n) == (side, wanted, 2)


def test_half_of_what_the_paper_does_not_have_is_refused():
    test = ask("x", above=HALF).of(ablation("R+R+", "avgpool") - ablation("R+R+", "lcn_avgpool"))
    with pytest.raises(MultistageError, match=r"x: the paper has no figure for ablation \| refined \| avgpool"):
        judged(test, {})


@pytest.mark.parametrize("text", ["{", '{"lecture-04": 3}', '{"lecture-04": {"bank": {"valeu": 1}}}'])
def test_damaged_measurements_are_refused_in_one_line(tmp_path, text):
    path = tmp_path / verdicts.MEASURED
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MultistageError, match="damaged") as caught:
        verdicts.measurements(tmp_path)
    assert "\n" not in str(caught.value)


def test_measurements_are_read_as_they_were_written(tmp_path):
    assert verdicts.measurements(tmp_path) == {}
    (tmp_path / verdicts.MEASURED).parent.mkdir()
    entry = {"value": 0.5, "what": "error", "unit": "%", "interval": [0, 1], "n": 20}
    (tmp_path / verdicts.MEASURED).write_text(json.dumps({"lecture-04": {"bank": entry}}), encoding="utf-8")
    assert verdicts.measurements(tmp_path) == {"lecture-04": {"bank": Measured(0.5, "error", "%", (0, 1), 20)}}
