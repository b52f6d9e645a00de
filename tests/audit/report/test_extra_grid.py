"""Claims about the grid: verdicts follow its runs, cells are found by their operations, means over cells are taken."""

import copy
from dataclasses import replace

import pytest
from grid import runs
from report import evidence as published
from report import invented

from audit.claims import extra_grid, ledger, wording
from audit.claims.extra_grid import FROZEN, REFINED, at, normalised, over
from audit.claims.quantities import estimate
from audit.claims.verdicts import Evidence, gather, judge
from audit.grid.choice import ONE_STEP
from audit.grid.places import BEST_OF_PAPER, DISTINCT, PAPER, PRESETS, RANDOM, Place, Protocol
from multistage.records.cells import typed
from multistage.settings import composition, experiments

CLAIMS = {claim.id: claim for claim in extra_grid.CLAIMS}


def paper(place, protocol=RANDOM, draw=1):
    """A run of the paper's five, as results/table1 has it."""
    made = copy.deepcopy(runs.record(place, protocol, draw))
    row = "false" if not protocol.refine else "true"
    readout = "softmax" if protocol.refine else "lbfgs"
    settings = {"model": PRESETS[place], "stages": protocol.stages, "filters": protocol.filters}
    plain = invented.record(data="caltech101", refine=row, readout=readout, draw=draw, **settings)
    return plain | {"metrics": made["metrics"], "split_hash": made["split_hash"]}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The whole grid, and what results/table1 has for it."""
    steps = [runs.record(place, draw=draw) for place in ONE_STEP for draw in range(1, 5)]
    refined = [runs.record(place, Protocol(2, "random", True), draw) for place in ONE_STEP for draw in (1, 2)]
    third = {name: [runs.record(place, Protocol(3, name), 1) for place in PAPER] for name in ("random", "psd")}
    table1 = [paper(place, Protocol(2, "psd"), 1) for place in PAPER]
    table1 += [paper(place, draw=draw) for place in PAPER for draw in range(5)]
    table1 += [paper(BEST_OF_PAPER, Protocol(2, "random", True), draw) for draw in (1, 2)]
    parts = {"grid": [*runs.first(), *steps], "grid_refined": refined}
    parts |= {"grid_stages": third["random"], "grid_psd": third["psd"]}
    return invented.results(tmp_path_factory.mktemp("claims") / "results", **parts, table1=table1)


@pytest.fixture(scope="module")
def evidence(results):
    return gather(extra_grid.CLAIMS, results)


@pytest.fixture(scope="module")
def judged(evidence):
    return {name: judge(claim, evidence) for name, claim in CLAIMS.items()}


def test_every_cell_that_claims_want_is_a_place_with_its_own_runs(evidence):
    for place in DISTINCT:
        config = evidence.cells[at(place)].config
        assert [config[key] for key in place.typed] == [*place.typed.values()], place


@pytest.mark.parametrize(
    ("part", "row", "stages"),
    [
        *(("grid_draws", FROZEN, 2), ("grid_refined", REFINED, 2)),
        *(("grid_stages", "RRR, lbfgs", 3), ("grid_psd", "UUU, lbfgs", 3)),
    ],
)
def test_claims_name_cells_as_the_planned_runs_do(part, row, stages):
    planned, _, _ = composition.plan_all(experiments.experiment(part, ["draw=1"]))
    runs_of = {Place.of(run.config): run for run in planned if run.config["stages"] == stages}
    places = [place for place in runs_of if stages == 2 or place in PRESETS]
    assert len(places) >= 5
    for place in places:
        words = " ".join(typed({"overrides": runs_of[place].overrides}))
        expected = ", ".join(filter(None, [row, words])), PAPER[place if stages == 3 else BEST_OF_PAPER]
        assert at(place, row).place(published.PUBLISHED) == expected


def test_cells_are_named_by_their_operations():
    assert wording.cell(at(Place("none", "lcn_within", "l2")), []) == "`grid: none lcn_within l2 (RR, lbfgs)`"
    assert (
        wording.cell(at(Place("square", "lcn", "average"), "R+R+"), []) == "`grid_refined: square lcn average (R+R+)`"
    )


def test_nothing_is_missing_where_all_was_run(judged):
    assert [result.missing for each in judged.values() for result in each.results if result.missing] == []


def test_verdicts_follow_the_runs(judged):
    verdicts = {name: each.verdict for name, each in judged.items()}
    assert verdicts["extra-07"] == "fails"  # these add nothing there, and N ten points
    assert verdicts["extra-09"] == "fails"
    assert verdicts["extra-11"] in ("holds", "holds in part")
    assert {result.outcome for result in judged["extra-06"].results} <= {"supported", "undecided"}
    within, *others = judged["extra-08"].results
    assert within.outcome == "supported"
    assert {result.outcome for result in others} == {"undecided"}


def test_another_truth_turns_them(evidence):
    raised = {}
    for wanted in (wanted for test in CLAIMS["extra-07"].tests for wanted in test.cells):
        records = copy.deepcopy(evidence.cells[wanted].records)
        for record in records if records[0]["config"]["model.normalise"] in extra_grid.TODAY else ():
            record["metrics"]["test_mean_class_accuracy"] += 0.15
        raised[wanted] = replace(evidence.cells[wanted], records=records)
    assert judge(CLAIMS["extra-07"], Evidence(raised, {}, [])).verdict == "holds"


def test_a_mean_over_cells_is_that_of_their_differences(evidence):
    found = estimate(normalised("lcn", "instancenorm"), evidence.cells, {}).figure
    differences = [
        evidence.cells[at(Place(rectify, "lcn", pool))].values[0]
        - evidence.cells[at(Place(rectify, "instancenorm", pool))].values[0]
        for rectify, pool in extra_grid.EVERYWHERE
    ]
    assert found.n == 30
    assert found.unit == "points"
    assert found.value == pytest.approx(sum(differences) / 30, abs=0.3)  # of some, further draws are shared
    assert found.interval[0] < found.value < found.interval[1]


def test_cells_that_equal_each_other_are_no_pair():
    pairs = [(Place("abs", "none", pool), Place("none", "none", pool)) for pool in ("l2", "max")]
    assert len(over(pairs).parts) == 1


def test_what_is_missing_is_counted_where_it_is_much(tmp_path):
    empty = invented.results(tmp_path / "results")
    claim = CLAIMS["extra-06"]
    found = judge(claim, gather([claim], empty))
    assert found.verdict == "no data"
    assert "322 cells (`python train.py experiment=grid`)" in ledger._missing(found.results, [])


def test_a_mean_over_cells_has_words():
    text = wording.quantity(normalised("groupnorm", "lcn"), [])
    assert text.startswith("mean over 30 differences such as `grid: ")


def test_one_cell_that_was_not_run_leaves_a_mean_without_data(evidence):
    claim = CLAIMS["extra-09"]
    first, *others = dict.fromkeys(wanted for test in claim.tests for wanted in test.cells)
    (result,) = judge(claim, Evidence({wanted: evidence.cells[wanted] for wanted in others}, {}, [])).results
    assert result.outcome == "no data"
    assert result.missing == (first,)
