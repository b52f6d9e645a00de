from pathlib import Path

import pytest
from report import evidence

from audit.claims import claims, ledger, verdicts
from multistage.records.cells import cells
from multistage.records.intervals import Measured
from multistage.registry.errors import MultistageError
from multistage.settings import composition

ROOT = Path(__file__).parents[3]
CLAIMS = claims.read(ROOT / "results" / "claims.yaml")
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
    for folder in {address[0] for test in claim.tests for address in test.addresses}:
        assert f"python train.py experiment={folder}`" in text
    for name in (name for test in claim.tests for name in test.measured):
        assert name in text
        assert "python scripts/lecture.py" in text


@each
def test_one_test_that_is_contradicted_makes_a_claim_hold_in_part_or_fail(claim):
    good, bad = (verdicts.judge(claim, evidence.made(claim, wanted)) for wanted in ("supported", "contradicted"))
    mixed = verdicts.Judged(claim, (*good.results[:-1], bad.results[-1]))
    assert mixed.verdict == ("holds in part" if len(claim.tests) > 1 else "fails")


@each
def test_a_single_run_decides_only_where_the_rule_gives_it_a_width(claim):
    judged = verdicts.judge(claim, evidence.made(claim, "supported", draws=1))
    for result in judged.results:
        if result.test.effect is not None and result.test.alone is None:
            assert result.outcome == "undecided"
            assert set(result.few) == set(result.test.addresses)


@pytest.mark.parametrize(
    ("values", "wanted", "width"),
    [((5,), "supported", 3), ((2, 2.4), "supported", 3 / 2**0.5), ((2, 1), "undecided", 3 / 2**0.5)],
)
def test_one_run_or_two_are_given_the_width_of_the_rule(record, values, wanted, width):
    found = {}
    for model, plus in (("abs_avgpool", values), ("avgpool", [0] * len(values))):
        runs = [record(0.5 + points / 100, draw, model=model) for draw, points in enumerate(plus)]
        (found["ablation", "refined", model],) = cells(runs)
    effect = claims.Effect(("ablation", "refined", "abs_avgpool"), ("ablation", "refined", "avgpool"))
    claim = claims.Claim("x", "x", "x", "", "", (claims.Test("x", effect, None, None, (), "above", 0, 0, 3),))
    (result,) = verdicts.judge(claim, verdicts.Evidence(found, {}, [])).results
    assert result.outcome == wanted
    assert (result.interval[1] - result.interval[0]) / 2 == pytest.approx(width)
    assert result.margin == pytest.approx(sum(values) / len(values) / width)
    assert bool(result.few) == (wanted == "undecided")


@each
def test_a_claim_of_which_only_a_part_was_run_is_judged_by_that_part(claim):
    found = evidence.made(claim, "supported")
    first = claim.tests[0]
    cells = {address: found.cells[address] for address in first.addresses}
    measured = {claim.id: {name: found.measured[claim.id][name] for name in first.measured}}
    judged = verdicts.judge(claim, verdicts.Evidence(cells, measured, evidence.PUBLISHED))
    assert judged.verdict == "holds"
    assert judged.results[0].figure is not None


def test_every_cell_that_a_rule_names_is_made_by_an_experiment():
    for address in {address for claim in CLAIMS for test in claim.tests for address in test.addresses}:
        assert address in evidence.planned(address[0])


def test_every_number_that_a_rule_names_is_measured_by_the_lecture():
    measured = verdicts.measurements(evidence.composition.CONF.parent / "results")
    for claim in CLAIMS:
        for test in claim.tests:
            assert set(test.measured) <= measured.get(claim.id, {}).keys(), claim.id


def test_every_command_can_be_typed():
    folders = {address[0] for claim in CLAIMS for test in claim.tests for address in test.addresses}
    for folder in folders:
        assert folder in composition.names("experiment")
        assert composition.experiment(folder, [])


def test_the_claims_are_the_papers_the_lectures_and_our_own():
    wanted = [f"paper-{n:02}" for n in range(1, 22)] + [f"lecture-{n:02}" for n in range(1, 15)]
    names = [claim.id for claim in CLAIMS]
    assert names[: len(wanted)] == wanted
    assert [name[:6] for name in names[len(wanted) :]] == ["extra-"] * (len(names) - len(wanted))


def test_claims_that_need_norb_name_what_stands_in():
    for claim in CLAIMS:
        assert bool(claim.stand_in) == any(address[0] == "norb" for test in claim.tests for address in test.addresses)


def figure(value, interval=None):
    return Measured(value, "made up", "", interval)


def outcome(measured, **words):
    """How one test of a number comes out."""
    test = claims.Test("x", None, None, None, ("number",), *_bound(words), words.get("of", 0), words.get("alone"))
    claim = claims.Claim("lecture-00", "x", "x", "", "", (test,))
    (result,) = verdicts.judge(claim, verdicts.Evidence({}, {"lecture-00": {"number": measured}}, [])).results
    return result.outcome


def _bound(words):
    return next((word, words[word]) for word in claims.BOUNDS if word in words)


@pytest.mark.parametrize(
    ("interval", "words", "wanted"),
    [
        ((1, 3), {"above": 0}, "supported"),
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
    ],
)
def test_the_whole_interval_decides(interval, words, wanted):
    assert outcome(figure(sum(interval) / 2, interval), **words) == wanted


@pytest.mark.parametrize(
    ("value", "words", "wanted"),
    [
        (5, {"above": 0}, "undecided"),
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
def test_what_has_no_interval_decides_by_the_width_that_it_is_given(value, words, wanted):
    assert outcome(figure(value), **words) == wanted


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
    test = claims.Test("x", None, None, None, ("a", "b"), "above", 0, 0, None)
    claim = claims.Claim("lecture-00", "x", "x", "", "", (test,))
    numbers = {"a": Measured(5, "one", "%", (4, 6), 9), "b": Measured(2, "other", "%", (1, 4), 7)}
    (result,) = verdicts.judge(claim, verdicts.Evidence({}, {"lecture-00": numbers}, [])).results
    assert result.figure == Measured(3, "one, less other", "%", (0, 5), 7)
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
    found = {("ablation", "refined", model): cell(model, each) for model, each in curves.items()}
    effect = claims.Effect(("ablation", "refined", "avgpool"), ("ablation", "refined", "lcn_avgpool"))
    test = claims.Test("x", effect, None, 0.5, (), *_bound(words), 0, 0.1)
    claim = claims.Claim("paper-00", "x", "x", "", "", (test,))
    (result,) = verdicts.judge(claim, verdicts.Evidence(found, {}, [])).results
    assert (result.side, result.outcome, result.figure.n) == (side, wanted, 2)


def test_half_of_what_the_paper_does_not_have_is_refused():
    effect = claims.Effect(("ablation", "refined", "avgpool"), ("ablation", "refined", "lcn_avgpool"))
    test = claims.Test("x", effect, None, None, (), "above", claims.HALF, 0, None)
    with pytest.raises(MultistageError, match=r"paper-00: the paper has no figure for ablation \| refined \| avgpool"):
        verdicts.judge(claims.Claim("paper-00", "x", "x", "", "", (test,)), NOTHING)


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
    path = tmp_path / verdicts.MEASURED
    path.parent.mkdir()
    entries = '{"value": 0.5, "what": "error", "unit": "%", "interval": [0, 1], "n": 20}'
    path.write_text(f'{{"lecture-04": {{"bank": {entries}}}}}', encoding="utf-8")
    assert verdicts.measurements(tmp_path) == {"lecture-04": {"bank": Measured(0.5, "error", "%", (0, 1), 20)}}
