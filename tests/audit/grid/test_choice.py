"""Which cells the later parts hold: a rule on the first part alone, and yaml that is what the rule gives."""

from itertools import chain

import pytest
import yaml
from committed import ROOT
from grid import runs

from audit.grid import choice
from audit.grid.places import BEST_OF_PAPER, CHOOSING, DISTINCT, OWN, PAPER, PRESETS, Grid, Place, Protocol
from audit.tables.results import Results
from multistage.registry.errors import MultistageError
from multistage.settings import composition, experiments

EXPERIMENTS = ROOT / "conf" / "experiment"
PARTS = {part.name: part for part in choice.PARTS}


def grid(records, **others):
    return Grid(runs.published(ROOT / "results", grid=records, **others))


@pytest.fixture(scope="module")
def ranking():
    return choice.ranked(grid(runs.first()))


def held(part, ranking):
    """The place and the settings of every grid of a part."""
    found = []
    for each in yaml.safe_load(choice.text(PARTS[part], ranking))["grids"]:
        within = each.get("contrast_norm.across_maps", True) is False
        if "model.rectify" in each:
            normalise = "lcn_within" if within else each["model.normalise"]
            place = Place(each["model.rectify"], normalise, each["model.pool"])
        else:
            (place,) = (place for place, preset in PRESETS.items() if preset == each["model"])
        found.append((place, each))
    return found


def test_places_are_ranked_by_the_draw_that_chooses(ranking):
    accuracy = {place: runs.record(place)["metrics"]["test_mean_class_accuracy"] for place in DISTINCT}
    assert ranking == sorted(DISTINCT, key=lambda place: -accuracy[place])


def test_nothing_is_chosen_before_the_first_part_is_whole():
    assert choice.ranked(grid(runs.first(DISTINCT[1:]))) == []
    elsewhere = [runs.record(DISTINCT[0]) | {"name": "table1"}]
    assert choice.ranked(grid(runs.first(DISTINCT[1:]), table1=elsewhere)) == []


def test_runs_of_other_draws_do_not_choose(ranking):
    further = [runs.record(place, draw=draw, noise=30) for place in DISTINCT[:50] for draw in range(1, 5)]
    assert choice.ranked(grid([*runs.first(), *further])) == ranking


@pytest.mark.parametrize(
    ("part", "best"), [("grid_stages", 40), ("grid_draws", 30), ("grid_psd", 30), ("grid_refined", 15)]
)
def test_a_part_holds_the_best_and_what_it_names(part, best, ranking):
    found = held(part, ranking)
    wanted = {*PARTS[part].first, *ranking[:best]}
    if part in ("grid_draws", "grid_refined"):
        wanted -= set(PAPER)
    places = [place for place, each in found if each.get("draw") != 1 or part != "grid_draws"]
    assert sorted(places) == sorted(wanted)
    assert len(found) == len({place for place, _ in found})


def test_no_part_measures_on_the_draw_that_chooses(ranking):
    for part in PARTS:
        for _, each in held(part, ranking):
            draws = composition.expand([f"draw={each['draw']}"])
            assert [f"draw={CHOOSING}"] not in draws
            assert each["seed"] == "${draw}"


def test_every_place_of_more_stages_has_two_on_the_same_draw(ranking):
    two = {place for place, _ in held("grid_draws", ranking)} | set(PAPER)  # these stand in table1
    assert {place for place, _ in held("grid_stages", ranking)} <= two


def test_what_a_place_has_of_its_own_is_not_handed_on(ranking):
    found = held("grid_refined", ranking)
    assert {each["optimizer.lr"] for place, each in found if place.pool == "max_overlap"} == {0.005}
    assert {each["optimizer.lr"] for place, each in found if place.pool == "average"} <= {0.02, 0.2}
    for place, each in held("grid_draws", ranking):
        assert ("contrast_norm.across_maps" in each) == (place.normalise == "lcn_within")
    for part in PARTS:
        first, *_ = held(part, ranking)
        assert not {"contrast_norm.across_maps"} & first[1].keys()  # which the others begin with


@pytest.mark.parametrize(
    ("place", "rate"),
    [
        ("abs lcn average", 0.02),
        ("none lcn max", 0.005),
        ("abs none average", 0.2),
        ("none lcn average", 0.2),
        ("none lcn l2", 0.02),
    ],
)
def test_rates_are_those_of_the_column_that_is_most_like_it(place, rate):
    assert choice.rate(Place(*place.split())) == rate


@pytest.mark.parametrize("part", PARTS)
def test_the_committed_part_is_what_the_rule_gives(part):
    made = choice.files(Grid(Results(ROOT / "results")), EXPERIMENTS)
    assert (EXPERIMENTS / f"{part}.yaml").read_text(encoding="utf-8") == made[EXPERIMENTS / f"{part}.yaml"]


def test_the_committed_parts_make_up_the_experiment():
    parts = yaml.safe_load((EXPERIMENTS / "grid.yaml").read_text(encoding="utf-8"))["parts"]
    assert parts == ["grid_random", *PARTS]
    jobs = [experiments.experiment(part, []) for part in parts]
    plain = [tuple(word for word in job if not word.startswith("experiment=")) for job in chain.from_iterable(jobs)]
    assert len(set(plain)) == len(plain)


def test_the_folders_that_are_read_are_those_of_the_parts():
    assert [*OWN] == [*dict.fromkeys(("grid", *(part.folder or part.name for part in choice.PARTS)))]


@pytest.mark.parametrize("folder", OWN)
def test_runs_that_are_none_of_the_grid_are_refused(folder):
    held_out = runs.record(BEST_OF_PAPER)
    held_out["config"]["data.validation"] = 5
    with pytest.raises(MultistageError, match=rf"results/{folder} has caltech101/.* no images held out"):
        Grid(runs.published(ROOT / "results", **{folder: [held_out]}))


def test_a_run_of_the_paper_stands_in_for_one_that_the_grid_lacks():
    made = grid(
        [runs.record(BEST_OF_PAPER)], table1=[runs.record(BEST_OF_PAPER, draw=draw, noise=20) for draw in range(3)]
    )
    found = made.runs(BEST_OF_PAPER, Protocol())
    assert sorted(found.records) == [0, 1, 2]
    assert found.records[0] is made.own[0]
