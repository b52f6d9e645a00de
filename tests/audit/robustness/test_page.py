"""What is kept, what N brings, the tables and the picture, of invented runs."""

import copy

import pytest
from committed import RESULTS
from PIL import Image
from report import invented

from audit.claims import robustness as claims
from audit.claims.templates import Figures, readmes
from audit.claims.verdicts import gather, judge
from audit.robustness import measures
from audit.robustness.page import NOT_RUN, PICTURE, Page
from audit.tables.kept import accuracies, kept
from audit.tables.plot import carried
from multistage.data.corruptions import CORRUPTIONS
from multistage.records.schema import OPTIONAL
from multistage.registry.errors import MultistageError
from multistage.settings import composition, experiments

pytest.importorskip("matplotlib")

TESTED = {"data": "caltech101", "refine": "false", "readout": "lbfgs", "data__test_per_class": 1}
TESTED |= {"test__corrupted": "true"}


def run(model, draw, clean=0.5, share=0.5, light=None, **more):
    """A run that keeps a share of its accuracy, under corruptions of light perhaps another."""
    record = invented.record(clean, draw, model=model, **TESTED | more)
    shares = {name: share if light is None or name not in claims.LIGHT else light for name in CORRUPTIONS}
    record["corruptions"] = {name: [clean * each] * 5 for name, each in shares.items()}
    assert OPTIONAL["corruptions"].accepts(record["corruptions"])
    return record


def runs():
    """N keeps twenty points more under corruptions of light, two less under others; one pair differs in nothing."""
    gcn = {"data__preprocessing": "gcn"}
    return [
        record
        for draw in range(3)
        for record in (
            run("abs_lcn_avgpool", draw, 0.6, 0.48 + draw / 100, light=0.7 + draw / 50),
            run("abs_avgpool", draw, 0.5, 0.5 + draw / 100, light=0.5),
            run("lcn_maxpool", draw, 0.5, 0.5),
            run("maxpool", draw, 0.4, 0.5),
            run("abs_lcn_avgpool", draw, light=0.9 + draw / 50, **gcn),
            run("abs_avgpool", draw, light=0.2, **gcn),
        )
    ]


def test_what_is_kept_is_the_mean_over_strengths_of_the_clean_accuracy():
    record = run("avgpool", 0, clean=0.8)
    record["corruptions"]["fog"] = [0.8, 0.6, 0.4, 0.2, 0.0]
    assert accuracies(record, "fog") == pytest.approx([80, 80, 60, 40, 20, 0])
    assert kept(record, "fog") == pytest.approx(50)
    with pytest.raises(MultistageError, match=r"not tested under rain; expected a run with test\.corrupted=true"):
        kept(record, "rain")
    record["metrics"]["test_mean_class_accuracy"] = 0.0
    with pytest.raises(MultistageError, match="never right"):
        kept(record, "fog")


def test_networks_that_would_have_one_name_are_refused(tmp_path):
    """Otherwise one of them would be missing from tables and picture."""
    twice = [*runs(), run("abs_lcn_avgpool", 0, readout="sgd")]
    with pytest.raises(MultistageError, match=r"lbfgs.* and .*sgd.* are both R_abs-N-P_A, RR there; expected one"):
        Page(invented.results(tmp_path, robustness=twice))


def test_pairs_differ_in_n_alone_and_are_compared_draw_by_draw(tmp_path):
    page = Page(invented.results(tmp_path, robustness=runs()))
    found = {page._name[change.after]: change for change in page.changes}
    gcn = "images without local normalisation"
    assert list(found) == ["R_abs-N-P_A, RR", f"R_abs-N-P_A, RR, {gcn}", "N-P_M, RR"]
    light = measures.gain(found["R_abs-N-P_A, RR"], "contrast")
    assert (light.value, light.n) == (pytest.approx(22), 3)
    assert measures.gain(found["R_abs-N-P_A, RR"], "fog").value == pytest.approx(-2)
    other = runs()
    other[0]["split_hash"] = "others"
    with pytest.raises(MultistageError, match="split_hash"):
        Page(invented.results(tmp_path / "other", robustness=other[:2]))


def test_the_claim_is_decided_by_these_runs_and_by_no_others(tmp_path):
    (claim,) = claims.CLAIMS
    judged = judge(claim, gather([claim], invented.results(tmp_path, robustness=runs())))
    outcomes = [result.outcome for result in judged.results]
    assert outcomes == ["supported"] * 2 + ["contradicted"] * 2 + ["no data"] * 2 + ["supported"] * 2
    assert judged.verdict == "holds in part"
    assert [round(result.figure.value) for result in judged.results if result.figure] == [22, 22, 0, 0, 72, 72]
    assert not judge(claim, gather([claim], invented.results(tmp_path / "none"))).measured


def test_every_cell_of_the_claim_is_planned_by_the_experiment():
    with composition.hydra():
        planned = [composition.plan(job).config for job in experiments.experiment("robustness", ["draw=0"])]
    (claim,) = claims.CLAIMS
    for wanted in {wanted for test in claim.tests for wanted in test.cells}:
        names = {**dict(wanted.settings), "data.test_per_class": 1, "test.corrupted": True}
        names["data.preprocessing"] = dict(wanted.further).get("preprocessing", "lcn")
        assert any(names.items() <= config.items() for config in planned), wanted


@pytest.mark.parametrize("found", [[], runs()], ids=["nothing was run", "pairs were run"])
def test_the_page_is_made_whatever_was_run(tmp_path, found):
    page = Page(invented.results(tmp_path, robustness=found))
    (tmp_path / "robustness").mkdir(exist_ok=True)
    template = RESULTS / "robustness" / "README.template.md"
    (tmp_path / "robustness" / template.name).write_bytes(template.read_bytes())
    (text,) = readmes(tmp_path, Figures({}, []), **page.functions()).values()
    assert (NOT_RUN in text) == (not found) == (PICTURE not in text)
    assert "| contrast: less contrast; share that is kept | 0.4 0.3 0.2 0.1 0.05 | the same |" in text
    if found:
        assert "| R_abs-N-P_A, RR | R_abs-P_A, RR | 3 | **+22.00 ± " in text
        assert "| lighting | 2 of 3 | 0.00 to +72.00 |" in text
        assert "| maxpool, RR | 3 | 40.00 ± 0.00 | 50.00 ± 0.00 |" in text


def test_the_picture_is_drawn_once_for_its_records(tmp_path):
    page = Page(invented.results(tmp_path, robustness=runs()))
    file = page.picture()
    with Image.open(file) as picture:
        assert picture.width > 1000
    assert page.picture() is None
    assert page.picture(redraw=True) == file
    before, other = carried(file), copy.deepcopy(runs())
    other[0]["corruptions"]["fog"][0] = 0.1
    assert Page(invented.results(tmp_path, robustness=other)).picture() == file
    assert carried(file) != before
    assert Page(invented.results(tmp_path / "nothing")).picture() is None
