"""The text of the ledger, and that what is committed is what its rules and records make."""

import json
import re
import shutil
from html import unescape
from pathlib import Path

import pytest
from report import evidence

from audit.claims import claims, ledger, verdicts, wording
from audit.tables.addresses import addresses
from multistage.registry.errors import MultistageError

RESULTS = Path(__file__).parents[3] / "results"
CLAIMS = {claim.id: claim for claim in claims.read(RESULTS / "claims.yaml")}
PUBLISHED = evidence.PUBLISHED


@pytest.fixture(scope="module")
def committed():
    return ledger.ledger(RESULTS, addresses(RESULTS, PUBLISHED), PUBLISHED)


def judged(name, wanted, draws=5):
    return verdicts.judge(CLAIMS[name], evidence.made(CLAIMS[name], wanted, draws))


def test_the_committed_text_is_what_is_made_now(committed):
    text = ledger.document(committed, PUBLISHED)
    assert (RESULTS / "claims.md").read_text(encoding="utf-8") == text, "run python scripts/report.py"


def test_no_claim_lacks_a_cell_that_is_published_under_a_longer_name():
    found = addresses(RESULTS, PUBLISHED)
    for claim in CLAIMS.values():
        for folder, row, column in {a for test in claim.tests for a in test.addresses} - found.keys():
            longer = [a for a in found if (a[0], a[2]) == (folder, column) and a[1].startswith(f"{row}, ")]
            others = [a for a in longer if not any(b[:2] == (folder, row) for b in found)]
            assert others == [], f"{claim.id} asks for {folder} | {row} | {column}"


def test_every_claim_is_in_the_summary_and_has_a_section(committed):
    text = ledger.document(committed, PUBLISHED)
    for claim in CLAIMS.values():
        assert text.count(f"[{claim.id}](#{claim.id}) | {claim.claim} |") == 1
        assert text.count(f'<a id="{claim.id}"></a>\n\n### {claim.id}: {claim.claim}\n') == 1
    assert "[[" not in text
    for line in text.splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) == 5, line


def test_a_rule_in_words_has_its_quantity_its_bound_and_its_width():
    first, *_ = judged("paper-02", "supported").results
    assert wording.rule(first, PUBLISHED) == (
        "`R_abs-N-P_A (RR, sgd)` less `R_abs-P_A (RR, sgd)` is above 14.6, half of the paper's 29.2"
    )
    assert wording.rule(judged("paper-01", "supported").results[0], PUBLISHED) == (
        "`R_abs-N-P_A (RR, sgd)` less the paper's 62.9 is above −3"
    )
    epochs = judged("paper-18", "supported").results[0]
    assert wording.rule(epochs, PUBLISHED) == (
        "epochs to a training loss of 0.46: `R_abs-N-P_A (R+R+)` less `table1_tests: R_abs-P_A (R+R+, lr-0.2)` "
        "is below 0 (single run: ± 0.5)"
    )
    labels = judged("paper-15", "supported").results[0]
    assert wording.rule(labels, PUBLISHED).startswith("(`labels_mnist: R_abs-N-P_A, R+R+, 10 labels a class` less `")


@pytest.mark.parametrize(
    ("names", "bound", "words"),
    [
        (
            ("deviation",),
            {"relation": "within", "bound": 0.1, "of": 1, "alone": None},
            "`deviation` is within 0.1 of 1",
        ),
        (
            ("before", "after"),
            {"relation": "above", "bound": 0, "of": 0, "alone": 0},
            "`before` less `after` is above 0 (without interval: ± 0)",
        ),
    ],
)
def test_a_rule_about_measurements_names_them(names, bound, words):
    test = claims.Test("x", None, None, None, names, **bound)
    assert wording.rule(verdicts.Result(test, test.bound, None, None, "no data"), PUBLISHED) == words


def test_words_and_verdict_come_from_the_same_bound():
    for name in ("paper-03", "paper-09", "paper-13", "lecture-11"):
        for result in judged(name, "undecided").results:
            shown = re.search(r"(?:above|below|within) (−?[\d.]+)", wording.rule(result, PUBLISHED))
            edge = float(shown[1].replace("−", "-"))
            off = abs(result.figure.value - result.test.of) if result.test.relation == "within" else result.figure.value
            assert off == pytest.approx(edge, abs=1e-6)


def test_the_verdict_says_how_much_was_measured_and_what_stands_in():
    assert wording.verdict(judged("paper-02", "supported")) == "holds"
    assert wording.verdict(judged("paper-15", "contradicted")) == "fails (stand-in)"
    assert wording.verdict(judged("paper-02", "undecided")) == "no data that decides"
    nothing = verdicts.judge(CLAIMS["paper-15"], verdicts.Evidence({}, {}, PUBLISHED))
    assert wording.verdict(nothing) == "no data"
    found = judged("paper-02", "supported")
    part = verdicts.Judged(found.claim, (*found.results[:2], *nothing.results[:1]))
    assert wording.verdict(part) == "holds, 2 of 3 tests so far"
    mixed = verdicts.Judged(found.claim, (found.results[0], judged("paper-02", "contradicted").results[1]))
    assert wording.verdict(mixed) == "holds in part (1 of 2)"


def test_the_headline_is_the_figure_that_fits_least():
    good, bad = judged("paper-02", "supported"), judged("paper-02", "contradicted")
    mixed = verdicts.Judged(good.claim, (*good.results[:-1], bad.results[-1]))
    worst = bad.results[-1]
    assert wording.headline(mixed, PUBLISHED) == (
        f"`R_abs-N-P_A (RR, lbfgs)` less `P_A (RR, lbfgs)`: {wording.figure(worst)}"
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
        ("[[table1 | RR | R_abs-P_A]] %", "33.7 %"),
        ("[[table1 | UU, pyramid_svm | R_abs-N-P_A]]", "52.8"),
        ("[[table1 | R+R+ | P_A | minus | table1 | U+U+ | P_A]]", "−2.3"),
        ("[[norb | P_A, R+R+ | 20]]", "46.3 % error"),
        ("[[mnist | U+U+R+R+ | R_abs-N-P_A]]", "0.53 % error"),
    ],
)
def test_evidence_is_filled_from_the_papers_figures(text, filled):
    assert wording.evidence(text, PUBLISHED) == filled


@pytest.mark.parametrize(
    "place", ["table1 | RR | x", "table2 | RR | P_A", "norb | P_A, R+R+ | 21", "RR", "table1 | RR | P_A | minus | RR"]
)
def test_evidence_that_the_paper_does_not_have_is_refused(place):
    with pytest.raises(MultistageError, match="the paper has no figure for") as caught:
        wording.evidence(f"[[{place}]]", PUBLISHED)
    assert place in str(caught.value)


def test_records_on_disk_become_verdicts(tmp_path):
    """From records.jsonl and measured.json to the text, as scripts/report.py goes."""
    for name, wanted in (("paper-02", "supported"), ("lecture-04", "contradicted")):
        found = evidence.made(CLAIMS[name], wanted)
        for address, cell in found.cells.items():
            file = tmp_path / address[0] / "records.jsonl"
            file.parent.mkdir(exist_ok=True)
            with file.open("a", encoding="utf-8") as lines:
                lines.writelines(json.dumps(_run_of(record)) + "\n" for record in cell.records)
    numbers = found.measured["lecture-04"]
    (tmp_path / "lecture").mkdir()
    entries = {
        name: {"value": m.value, "what": m.what, "unit": "", "interval": m.interval} for name, m in numbers.items()
    }
    (tmp_path / "lecture" / "measured.json").write_text(json.dumps({"lecture-04": entries}), encoding="utf-8")
    cells = addresses(tmp_path, PUBLISHED)
    assert ledger.write(tmp_path, cells, PUBLISHED) is None  # there is no ledger
    shutil.copy(RESULTS / "claims.yaml", tmp_path)
    assert ledger.write(tmp_path, cells, PUBLISHED) == tmp_path / "claims.md"
    assert ledger.write(tmp_path, cells, PUBLISHED) is None
    text = (tmp_path / "claims.md").read_text(encoding="utf-8")
    assert f"| [paper-02](#paper-02) | {CLAIMS['paper-02'].claim} | **holds** |" in text
    assert f"| [lecture-04](#lecture-04) | {CLAIMS['lecture-04'].claim} | **fails** |" in text
    assert f"| [paper-08](#paper-08) | {CLAIMS['paper-08'].claim} | **no data** |" in text


def _run_of(record):
    """A record with the folder that its draw has."""
    draw = record["config"]["draw"]
    return record | {"run": record["run"].replace("draw-0-seed-0", f"draw-{draw}-seed-{draw}")}


def test_the_page_shows_every_verdict(committed):
    html = ledger.html(committed, PUBLISHED)
    shown = re.findall(r'<tr><th scope="row">(.*?)</th><td>(.*?)</td><td>(.*?)</td><td>(.*?)</td></tr>', html)
    assert [(name, unescape(claim), verdict) for name, claim, verdict, _ in shown] == [
        (each.claim.id, each.claim.claim, wording.verdict(each)) for each in committed
    ]
    assert "`" not in html
    assert ledger.html([], PUBLISHED) == ""
