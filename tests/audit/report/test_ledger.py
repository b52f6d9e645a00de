"""The text of the ledger, and that what is committed is what its rules and records make."""

import json
import re

import pytest
from committed import RESULTS
from report import evidence, invented

from audit.claims import ledger, verdicts, wording
from audit.claims.claims import ask
from audit.claims.quantities import Number
from audit.claims.templates import PaperFigures
from audit.tables.addresses import find
from audit.tables.results import Results
from multistage.registry.errors import MultistageError

CLAIMS = {claim.id: claim for claim in ledger.CLAIMS}
PUBLISHED = evidence.PUBLISHED


@pytest.fixture(scope="module")
def committed():
    return Results(RESULTS)


def judged(name, wanted, draws=5):
    return verdicts.judge(CLAIMS[name], evidence.made(CLAIMS[name], wanted, draws))


def test_claims_find_their_cells_and_name_them_as_tables_do(committed):
    found = committed.found
    for wanted in {wanted for claim in ledger.CLAIMS for test in claim.tests for wanted in test.cells}:
        fitting = [placed for placed in found.get(wanted.folder, ()) if wanted.fits(placed.cell)]
        cell = find(wanted, found)
        # of an unfinished sweep, only cells with further settings may be there
        assert cell or all(wanted.unsaid(placed.cell) for placed in fitting), wanted
        assert not cell or wanted.place(PUBLISHED) in [placed[:2] for placed in fitting if placed.cell is cell]


def test_every_claim_is_in_the_summary_and_has_a_section(committed):
    text = ledger.document(ledger.ledger(committed), PUBLISHED)
    for claim in CLAIMS.values():
        assert text.count(f"[{claim.id}](#{claim.id}) | {claim.claim} |") == 1
        assert text.count(f'<a id="{claim.id}"></a>\n\n### {claim.id}: {claim.claim}\n') == 1
    assert "{{" not in text
    for line in text.splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) == 5, line


def test_cells_without_an_experiment_have_their_commands_in_a_table():
    assert ledger.command("table1") == "`python train.py experiment=table1`"
    assert ledger.command("idea") == "those in [idea/table.md](idea/table.md)"


def test_a_rule_in_words_has_its_quantity_its_bound_and_its_width():
    first, *_ = judged("paper-02", "supported").results
    assert wording.rule(first, PUBLISHED) == (
        "`R_abs-N-P_A (RR, sgd)` minus `R_abs-P_A (RR, sgd)` is above 14.6, half of the paper's 29.2"
    )
    assert wording.rule(judged("paper-01", "supported").results[0], PUBLISHED) == (
        "`R_abs-N-P_A (RR, sgd)` minus the paper's 62.9 is above −3"
    )
    epochs = judged("paper-18", "supported").results[0]
    assert wording.rule(epochs, PUBLISHED) == (
        "epochs to a training loss of 0.46: `R_abs-N-P_A (R+R+)` minus "
        "`table1_tests: R_abs-P_A (R+R+, optimizer.lr=0.2)` is below 0 (single run: ± 0.5)"
    )
    labels = judged("paper-15", "supported").results[0]
    assert wording.rule(labels, PUBLISHED).startswith("(`labels_mnist: R_abs-N-P_A, R+R+, 10 labels a class` minus `")


def test_a_rule_about_measurements_names_them():
    def words(rule, quantity):
        (test,) = rule.of(quantity)
        return wording.rule(
            verdicts.Result(figure=None, test=test, bound=test.bound, interval=None, outcome="no data"), PUBLISHED
        )

    assert words(ask("x", within=0.1, of=1), Number("deviation")) == "`deviation` is within 0.1 of 1"
    exact = words(ask("x", above=0, alone=0), Number("before") - Number("after"))
    assert exact == "`before` minus `after` is above 0 (without interval: ± 0)"


def test_words_and_verdict_come_from_the_same_bound():
    for name in ("paper-03", "paper-09", "paper-13", "lecture-11"):
        for result in judged(name, "undecided").results:
            shown = re.search(r"(?:above|below|within) (−?[\d.]+)", wording.rule(result, PUBLISHED))
            edge = float(shown[1].replace("−", "-"))
            assert abs(result.figure.value - result.test.around) == pytest.approx(abs(edge), abs=1e-6)


def test_the_verdict_says_how_much_was_measured_and_what_stands_in():
    assert wording.verdict(judged("paper-02", "supported")) == "holds"
    assert (
        wording.verdict(judged("paper-15", "contradicted"))
        == f"fails (0 of {len(CLAIMS['paper-15'].tests)} tests, stand-in data)"
    )
    assert wording.verdict(judged("paper-02", "undecided")) == "no data that decides"
    nothing = verdicts.judge(CLAIMS["paper-15"], verdicts.Evidence({}, {}, PUBLISHED))
    assert wording.verdict(nothing) == "no data"
    found = judged("paper-02", "supported")
    part = verdicts.Judged(found.claim, (*found.results[:2], *nothing.results[:1]))
    assert wording.verdict(part) == "holds (2 of 2 tests, 1 not run)"
    mixed = verdicts.Judged(found.claim, (found.results[0], judged("paper-02", "contradicted").results[1]))
    assert wording.verdict(mixed) == "holds in part (1 of 2 tests)"


def test_the_headline_is_the_figure_that_fits_least():
    good, bad = judged("paper-02", "supported"), judged("paper-02", "contradicted")
    mixed = verdicts.Judged(good.claim, (*good.results[:-1], bad.results[-1]))
    worst = bad.results[-1]
    assert wording.headline(mixed, PUBLISHED) == (
        f"`R_abs-N-P_A (RR, lbfgs)` minus `P_A (RR, lbfgs)`: {wording.figure(worst)}"
    )
    assert wording.headline(verdicts.Judged(good.claim, ()), PUBLISHED) == ""
    least = min(good.results, key=lambda result: result.margin)
    assert wording.headline(good, PUBLISHED).endswith(f": {wording.figure(least)}")


def test_figures_have_unit_interval_and_number_of_draws():
    assert re.fullmatch(
        r"[+−]\d+\.\d\d ± \d\.\d\d points \(5\)", wording.figure(judged("paper-02", "supported").results[0])
    )
    single = judged("paper-18", "supported", draws=1).results[0]
    assert re.fullmatch(r"[+−]\d\.\d\d epochs \(1\)", wording.figure(single))
    assert wording.outcome(single) in ("supported (single run)", "undecided (single run)")
    assert wording.figure(judged("lecture-01", "supported").results[1]) == "4e+06: made up"
    nothing = verdicts.judge(CLAIMS["paper-02"], verdicts.Evidence({}, {}, PUBLISHED))
    assert wording.figure(nothing.results[0]) == "–"


def test_single_runs_that_do_not_decide_are_asked_for_more():
    text = ledger.document([judged("paper-02", "supported", draws=1)], PUBLISHED)
    assert "*Missing:* more draws of RR, sgd: R_abs-N-P_A, R_abs-P_A, N-P_A and P_A; RR, lbfgs: " in text


def test_many_tests_are_summed_up():
    text = ledger.document([judged("paper-08", "supported")], PUBLISHED)
    assert "- what refinement brings two stages, 20 tests: 20 supported\n" in text
    assert "<details>" in text
    assert "<details>" not in ledger.document([judged("paper-02", "supported")], PUBLISHED)


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ('{{ table1("RR", ABS) }} %', "33.7 %"),
        ('{{ table1("UU, pyramid_svm", BOTH) }}', "52.8"),
        ('{{ table1("R+R+", NEITHER) - table1("U+U+", NEITHER) }}', "−2.3"),
        ('{{ norb("R+R+", NEITHER, labels=20) }}', "46.3 % error"),
        ('{{ mnist("U+U+", BOTH) }}', "0.53 % error"),
    ],
)
def test_evidence_is_filled_from_the_papers_figures(text, filled):
    assert PaperFigures(PUBLISHED).fill(text, "x") == filled


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ('table1("RR", "maxpool")', "table1 | RR | maxpool"),
        ('norb("R+R+", NEITHER, labels=21)', "norb | P_A, R+R+ | 21"),
        ('norb("R+R+", NEITHER)', "norb | refined | avgpool"),
    ],
)
def test_evidence_that_the_paper_does_not_have_is_refused(cell, name):
    for text in (f"{{{{ {cell} }}}}", f'{{{{ (table1("RR", ABS) - {cell}) }}}}'):
        with pytest.raises(MultistageError, match=re.escape(f"x, line 1: the paper has no figure for {name}")):
            PaperFigures(PUBLISHED).fill(text, "x")


def test_records_on_disk_become_verdicts(record, tmp_path):
    """From records.jsonl and measured.json to the text, as scripts/report.py goes."""
    accuracies = {"abs_lcn_avgpool": 0.6, "abs_avgpool": 0.2, "lcn_avgpool": 0.2, "avgpool": 0.1}
    made = [
        record(accuracy, draw, data="caltech101", refine="false", readout=readout, model=model)
        for readout in ("sgd", "lbfgs")
        for model, accuracy in accuracies.items()
        for draw in range(2)
    ]
    numbers = evidence.made(CLAIMS["lecture-04"], "contradicted").measured["lecture-04"]
    results = invented.results(tmp_path, table1=made)
    (tmp_path / "lecture").mkdir()
    entries = {
        name: {"value": m.value, "what": m.what, "unit": "", "interval": m.interval} for name, m in numbers.items()
    }
    (tmp_path / "lecture" / "measured.json").write_text(json.dumps({"lecture-04": entries}), encoding="utf-8")
    text = ledger.document(ledger.ledger(results), PUBLISHED)
    for name, verdict in (("paper-02", "holds"), ("lecture-04", "fails"), ("paper-08", "no data")):
        assert f"| [{name}](#{name}) | {CLAIMS[name].claim} | **{verdict}** |" in text
