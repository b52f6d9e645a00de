"""The choice is made by code, on images that were held out, and never reads what became of test images."""

import copy

import pytest
from committed import ROOT
from ladder import figures
from report import invented

from audit.ladder import choice
from audit.ladder.climb import DRAWS
from audit.ladder.rungs import BESIDE, COLOUR, REST, RUNGS, SCORED
from audit.tables.results import Results
from multistage.registry.errors import MultistageError
from multistage.settings import composition, experiments

LEAST = {"UU": (60, 61, 62, 63, 64), "ridge": (64, 65, 66, 67, 68)}


def tuning(**accuracies):
    return [record for name, given in accuracies.items() for record in figures.tuning(name, given)]


def chosen(records):
    """By `choice.candidates`: what it is, in words."""
    (found,) = [candidate for candidate in choice.candidates(records) if candidate.chosen]
    return found.words


RIDGE, LEVELS = "filters=psd readout=ridge", "filters=psd readout=ridge readout.levels=[2,1]"
WIDE = f"{LEVELS} filters.banks=4"


def test_the_most_accurate_is_chosen_where_nothing_smaller_is_near():
    assert chosen(tuning(**LEAST)) == RIDGE
    wide = {"four filter sets": (70, 71, 72, 73, 74)}
    assert chosen(tuning(**LEAST, **wide)) == WIDE


@pytest.mark.parametrize(("points", "expected"), [(0.5, RIDGE), (0.51, LEVELS)])
def test_of_those_within_half_a_point_the_one_with_the_fewest_features_is_chosen(points, expected):
    ridge = LEAST["ridge"]
    assert chosen(tuning(ridge=ridge, levels=tuple(each + points for each in ridge))) == expected


def test_of_as_many_features_the_most_accurate_is_chosen():
    assert chosen(tuning(UU=(66, 66, 66, 66, 66), ridge=(66.4, 66.4, 66.4, 66.4, 66.4))) == RIDGE
    assert chosen(tuning(UU=(66.4, 66.4, 66.4, 66.4, 66.4), ridge=(66, 66, 66, 66, 66))) == "filters=psd readout=lbfgs"


def test_what_was_not_run_on_all_draws_is_not_chosen_and_is_named():
    records = tuning(**LEAST, levels=(99, 99, 99, 99))
    assert chosen(records) == RIDGE
    first, *_ = choice.candidates(records)
    assert (first.complete, first.words) == (False, LEVELS)
    assert not any(candidate.chosen for candidate in choice.candidates(tuning(levels=(99, 99))))


def test_a_refined_configuration_says_so():
    records = figures.tuning("UU", (60, 60, 60, 60, 60), refine="true", readout="softmax")
    assert chosen(records) == "filters=psd refine=true"


def test_gray_and_colour_are_chosen_for_by_themselves(tmp_path):
    records = tuning(**LEAST) + figures.tuning("ridge", (90, 90, 90, 90, 90), data__colour="rgb")
    assert chosen(records) == RIDGE
    assert [c.words for c in choice.candidates(records, "rgb")] == [f"{RIDGE} data.colour=rgb"]
    tried = figures.page(invented.results(tmp_path, ladder_tuning=records)).tried()
    assert "`data.colour=rgb`, selected separately:" in tried
    assert tried.count("**chosen**") == 2


def test_the_table_of_what_was_tried_by_hand(tmp_path):
    """UU has four points less in each draw; the mean of 64 to 68 has an interval of 2.776 times the root of 1/2."""
    records = tuning(**LEAST, levels=(99,))
    rows = figures.page(invented.results(tmp_path, ladder_tuning=records)).tried().splitlines()[2:]
    assert [[entry.strip() for entry in row.strip("|").split(" | ")] for row in rows] == [
        [f"`{LEVELS}`", "1", "99.00", "+35.00", rows[0].split(" | ")[4], "5.5", "not run on all draws"],
        [f"`{RIDGE}`", "5", "66.00 ± 1.96", "", rows[1].split(" | ")[4], "5.5", "**chosen**"],
        ["`filters=psd readout=lbfgs`", "5", "62.00 ± 1.96", "−4.00 ± 0.00", rows[2].split(" | ")[4], "5.5", "dropped"],
    ]


def test_it_is_said_whether_the_last_rung_is_what_the_rule_chooses(tmp_path):
    rungs = figures.ALL
    tried = choice.candidates(tuning(**LEAST))
    assert [choice.is_chosen(rungs[name], tried) for name in ("UU", "ridge", "levels")] == [False, True, False]
    wide = {"four filter sets": (80, 80, 80, 80, 80)}
    said = [
        figures.page(invented.results(tmp_path, ladder_tuning=records)).agreed()
        for records in ([], tuning(**LEAST), tuning(**LEAST, **wide))
    ]
    assert said == [
        "Nothing is chosen yet.",
        f"The rule chooses `{RIDGE}`, and the last rung, 4 four filter sets, is another configuration.",
        "The last rung, 4 four filter sets, is what the rule chooses.",
    ]


def test_what_was_a_little_more_accurate_with_more_features_is_named_below_the_choice(tmp_path):
    records = tuning(**{"four filter sets": (80,) * 5}) + figures.tuning(
        "four filter sets", (80.4,) * 5, filters__banks="8"
    )
    assert figures.page(invented.results(tmp_path, ladder_tuning=records)).agreed() == (
        "The last rung, 4 four filter sets, is what the rule chooses. More accurate, but by less than the rule asks "
        f"for, with more features: `{LEVELS} filters.banks=8`."
    )


def test_what_became_of_test_images_is_read_by_nothing_that_chooses(tmp_path):
    """The same choice and the same table, whatever the runs say of their test images, or if they say nothing."""
    records = tuning(**LEAST, levels=(66.2, 66.1, 66, 66, 66))
    before = figures.page(invented.results(tmp_path / "before", ladder_tuning=records))
    turned, silent = copy.deepcopy(records), copy.deepcopy(records)
    for number, record in enumerate(turned):
        record["metrics"] |= {"test_accuracy": number / 100, "test_mean_class_accuracy": 1 - number / 100}
        for entry in record["per_class"]:
            entry["correct"] = number % 2
    assert figures.page(invented.results(tmp_path / "turned", ladder_tuning=turned)).tried() == before.tried()
    for record in silent:
        del record["metrics"]["test_accuracy"], record["metrics"]["test_mean_class_accuracy"], record["per_class"]
    (one,) = [each for each in choice.candidates(records) if each.chosen]
    (other,) = [each for each in choice.candidates(silent) if each.chosen]
    assert (one.words, one.accuracy) == (other.words, other.accuracy)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"first": 4}, r"draw=4 with data\.validation=5"),
        ({"first": 10}, r"draw=10 with data\.validation=5"),
        ({"data__validation": 0}, r"draw=5 with data\.validation=0"),
    ],
)
def test_a_run_that_must_not_choose_is_refused(more, said):
    with pytest.raises(MultistageError, match=f"results/ladder_tuning has a run of {said}"):
        choice.candidates(figures.tuning("ridge", (60,), **more))


def test_draws_that_choose_are_not_those_that_score():
    assert not set(choice.DRAWS) & set(DRAWS)


# What is committed.

RESULTS = Results(ROOT / "results")
TUNED, CLIMBED = RESULTS.records("ladder_tuning"), RESULTS.records("ladder")


def test_committed_runs_that_chose_held_images_out_of_draws_that_score_nothing():
    for record in TUNED:
        config = record["config"]
        assert config["draw"] in choice.DRAWS
        assert (config["data.validation"], config["data.test_per_class"]) == (5, 1)
        assert record["metrics"]["validation_accuracy"] > 0


def test_committed_runs_that_score_held_nothing_out_of_draws_that_chose_nothing():
    for record in CLIMBED:
        assert record["config"]["draw"] in DRAWS
        assert record["config"]["data.validation"] == 0
        assert "validation_accuracy" not in record["metrics"]


def test_the_last_rung_is_what_the_rule_chooses():
    tried = choice.candidates(TUNED)
    if not any(candidate.chosen for candidate in tried):
        pytest.skip("results/ladder_tuning has no configuration with all draws yet")
    assert choice.is_chosen(RUNGS[-1], tried)


@pytest.mark.skipif("ladder" not in composition.names("experiment"), reason="conf/experiment/ladder.yaml is not there")
def test_every_rung_is_a_run_of_the_experiment():
    planned = [composition.plan(job) for job in experiments.experiment("ladder", [])]
    assert {run.config["draw"] for run in planned} == set(DRAWS)
    assert {run.config["data.validation"] for run in planned} == {0}
    of_rung = {figures.planned(run): [] for run in planned}
    for rung in (*RUNGS, *BESIDE, *COLOUR):
        for how in (SCORED, REST):
            wanted = rung.wanted("ladder", how)
            for cell in of_rung:
                if wanted.fits(cell) and not wanted.unsaid(cell):
                    of_rung[cell].append((rung.name, how is SCORED))
    assert [len(rungs) for rungs in of_rung.values()] == [1] * len(of_rung)  # each run has its row
    scored = {name for (name, is_scored), *_ in of_rung.values() if is_scored}
    assert scored >= {rung.name for rung in (*RUNGS[1:], *BESIDE, *COLOUR)}  # table1 has the first


def test_the_experiment_that_tunes_draws_what_it_may():
    for job in experiments.experiment("ladder_tuning", []):
        config = composition.plan(job).config
        assert config["draw"] in choice.DRAWS
        assert (config["data.validation"], config["data.test_per_class"]) == (5, 1)
