import pytest
from ladder import figures
from report import invented

from audit.ladder import measures, rungs
from audit.ladder.climb import DRAWS, Ladder
from audit.ladder.costs import Costs
from audit.ladder.rungs import Rung
from multistage.registry.errors import MultistageError
from multistage.settings import composition


@pytest.fixture
def climb(tmp_path):
    """The ladder of runs in results/ladder and results/table1."""
    return lambda ladder=(), table1=(): Ladder(
        invented.results(tmp_path, ladder=list(ladder), table1=list(table1)),
        figures.RUNGS,
        figures.BESIDE,
        figures.COLOUR,
    )


@pytest.fixture
def page(tmp_path):
    return lambda **folders: figures.page(invented.results(tmp_path, **folders))


def steps(ladder):
    return {step.rung.name: step for step in ladder.steps}


def cells_of(row):
    return [entry.strip() for entry in row.strip("|").split(" | ")]


@pytest.mark.parametrize("name", figures.SETTINGS)
def test_a_rung_is_found_by_its_settings_alone(climb, name):
    every = [figures.run(other, draw) for other in figures.SETTINGS for draw in (0, 1)]
    step = steps(climb(every))[name]
    assert step.some.n == 2
    assert step.some.records == tuple(r for r in every if r["run"] in {figures.run(name, d)["run"] for d in (0, 1)})
    assert step.rest is None


def test_runs_on_all_remaining_images_are_told_apart(climb):
    some, rest = figures.run("ridge", 0), figures.run("ridge", 0, data__test_per_class="null")
    other = figures.run("ridge", 1, contrast_norm__border="reflect")
    step = steps(climb([some, rest, other]))["ridge"]
    assert (list(step.some.records), list(step.rest.records)) == ([some], [rest])


def test_the_first_rung_is_that_of_table_1_unless_it_was_run_again(climb):
    old, new = figures.run("UU", 0, (1, 1, 1)), figures.run("UU", 0, (2, 2, 2))
    assert steps(climb(table1=[old]))["UU"].some.records == (old,)
    assert steps(climb([new], [old]))["UU"].some.records == (new,)


def test_a_refined_rung_is_told_by_every_setting_that_was_typed(tmp_path):
    """Whole files of settings, as optimizer=adamw, are recorded key by key."""
    settings = {"filters": "psd", "data": "caltech101", "augment__mirror": "true", "optimizer": "adamw"}
    plain, named = (invented.record(draw=0, **settings, **more) for more in ({}, {"trainer__max_epochs": 24}))
    for record in (plain, named):
        record["overrides"] = list(composition.plan(record["overrides"]).overrides)
    adamw = {"_target_": "torch.optim.AdamW", "lr": 0.001, "weight_decay": 0.01, "momentum": None}
    further = {"augment.mirror": True, **{f"optimizer.{key}": value for key, value in adamw.items()}}
    refined = [
        Rung("refined", "", "", "U+U+", further),
        Rung("longer", "", "", "U+U+", {**further, "trainer.max_epochs": 24}),
    ]
    found = Ladder(invented.results(tmp_path, ladder=[plain, named]), refined, [], []).rungs
    assert [step.some and step.some.records for step in found] == [(plain,), (named,)]
    without = [Rung("refined", "", "", "U+U+", {"augment.mirror": True})]
    assert Ladder(invented.results(tmp_path, ladder=[plain, named]), without, [], []).rungs[0].some is None


def test_a_gain_is_counted_draw_by_draw(climb):
    """Draws 0 and 1 gain 10 and 20 points; Student's quantile for one degree of freedom is 12.706."""
    before = [figures.run("UU", 0, (3, 3, 3)), figures.run("UU", 1, (2, 2, 2)), figures.run("UU", 2, (9, 9, 9))]
    after = [figures.run("ridge", 0, (4, 4, 4)), figures.run("ridge", 1, (4, 4, 4)), figures.run("ridge", 4)]
    gain = steps(climb(after, before))["ridge"].gain
    assert (gain.n, gain.value) == (2, pytest.approx(15))
    assert gain.interval == pytest.approx((15 - 12.706 * 5, 15 + 12.706 * 5), abs=0.01)


def test_a_rung_above_one_that_is_missing_has_no_gain(climb, page):
    ladder = [figures.run("levels", 0)]
    assert steps(climb(ladder))["levels"].gain is None
    text = page(ladder=ladder, table1=[]).climbed(climb(ladder).rungs)
    assert [cells_of(row)[0] for row in text.splitlines()[2:]] == ["3 levels"]
    assert cells_of(text.splitlines()[2])[5] == "–"


def test_nothing_is_missing_silently(page):
    made = page(ladder=[figures.run("levels", 0), figures.run("ridge", 0)], table1=[])
    said = made.missing()
    for step in made.ladder.steps:
        assert step.rung.name in said
    assert "Not run: 1 UU (about 7 minutes a run), 4 four filter sets" in said
    assert said.endswith("Not tested on all other images: 2 ridge and 3 levels.")
    every = [figures.run(name, 0, **how) for name in figures.SETTINGS for how in ({}, {"data__test_per_class": "null"})]
    assert page(ladder=every).missing() == "Every rung was run."
    assert made.climbed(made.ladder.beside).startswith("Not run yet; `python train.py experiment=ladder`")


def test_accuracy_is_counted_in_four_ways():
    record = {"per_class": figures.classes((1, 6, 3), (10, 10, 5))}
    found = {name: measure(record) for name, measure in measures.MEASURES.items()}
    assert found == {
        "102 classes, mean per class": pytest.approx((10 + 60 + 60) / 3),
        "102 classes, overall": pytest.approx(1000 / 25),
        "101 classes, mean per class": pytest.approx(60),
        "101 classes, overall": pytest.approx(900 / 15),
    }
    untested = {"per_class": [*record["per_class"], {"name": "bass", "correct": 0, "total": 0}]}
    assert {name: measure(untested) for name, measure in measures.MEASURES.items()} == found


def test_the_tables_show_accuracy_gain_minutes_and_threads(page):
    ladder = [
        *(figures.run("UU", draw, (3 + draw, 6, 6)) for draw in DRAWS),
        *(figures.run("ridge", draw, (4 + draw, 7, 7)) for draw in DRAWS),
        *(figures.run("UU", draw, (0, 3, 6), data__test_per_class="null") for draw in (0, 1)),
        *(figures.run("ridge", draw, (0, 9, 9), data__test_per_class="null") for draw in (0, 1)),
    ]
    made = page(ladder=ladder)
    _, _, first, second = (cells_of(line)[3:] for line in made.climbed(made.ladder.rungs).splitlines())
    assert first == ["5", "56.67 ± 6.54", "", "30.00 ± 0.00 (2)", "", "5.5", "1 of 2"]
    gains = ["**+10.00 ± 0.00** (5) on 1", "**+30.00 ± 0.00** (2) on 1"]
    assert second == ["5", "66.67 ± 6.54", gains[0], "60.00 ± 0.00 (2)", gains[1], "5.5", "1 of 2"]
    rows = [cells_of(row) for row in made.counts().splitlines()[2:]]
    assert rows[-1][:3] == ["2 ridge", "all others", "2"]
    assert rows[-1][3:] == ["60.00 ± 0.00", "60.00 ± 0.00", "90.00 ± 0.00", "90.00 ± 0.00"]
    assert rows[0][3:] == ["56.67 ± 6.54", "56.67 ± 6.54", "60.00 ± 0.00", "60.00 ± 0.00"]
    assert (
        made.top() == "The highest rung that was run is 2, ridge. It has 66.67 ± 6.54 % (5 draws) in 6 minutes a run."
    )


def test_what_was_found_ready_is_charged():
    first = figures.run("levels", 0, seconds={"data": 5.0, "filters": 240.0, "features": 60.0, "train": 3.0})
    ready = figures.run("ridge", 0, seconds={"data": 0.1, "filters": 0.1, "features": 50.0, "train": 2.0})
    other_draw = figures.run("ridge", 1, seconds={"data": 0.1, "filters": 999.0, "features": 999.0, "train": 2.0})
    wide = figures.run("four filter sets", 0, seconds={"data": 0.1, "filters": 700.0, "features": 180.0, "train": 9.0})
    kernel = figures.run("kernel", 0, seconds={"data": 0.1, "filters": 0.2, "features": 0.3, "train": 20.0})
    rest = figures.run(
        "kernel",
        0,
        data__test_per_class="null",
        seconds={"data": 0.1, "filters": 0.2, "features": 500.0, "train": 20.0},
    )
    costs = Costs([first, ready, other_draw, wide, kernel, rest])
    assert costs.seconds(first) == 5 + 240 + 60 + 3
    assert costs.seconds(ready) == 5 + 240 + 50 + 2  # features of other maps are other features
    assert costs.seconds(wide) == 5 + (240 + 700) + (60 + 180) + 9
    assert costs.seconds(kernel) == 5 + (240 + 700) + (60 + 180) + 20
    assert costs.seconds(rest) == 5 + (240 + 700) + 500 + 20


@pytest.mark.parametrize(
    ("name", "more", "said"),
    [
        ("UU", {"draw": 5}, r"draw=5 with data\.validation=0"),
        ("UU", {"draw": 0, "data__validation": 5}, r"draw=0 with data\.validation=5"),
    ],
)
def test_a_score_is_of_the_draws_that_chose_nothing_and_holds_nothing_out(climb, name, more, said):
    with pytest.raises(MultistageError, match=said):
        climb([figures.run(name, **more)])


def test_rungs_are_named_once_and_compared_with_one_above(tmp_path):
    results = invented.results(tmp_path)
    with pytest.raises(MultistageError, match="two rungs of the ladder are named UU"):
        Ladder(results, [figures.RUNGS[0], figures.RUNGS[0]], [], [])
    with pytest.raises(MultistageError, match="rung ridge of the ladder is compared with UU, not above it"):
        Ladder(results, [figures.RUNGS[1], figures.RUNGS[0]], [], [])
    with pytest.raises(MultistageError, match=r"rung new of the ladder .*is not a row"):
        Ladder(results, [Rung("new", "", "", "XX, lbfgs")], [], [])


def test_each_rung_but_the_first_is_compared_with_the_one_before():
    assert [rung.against for rung in rungs.RUNGS] == ["", *(rung.name for rung in rungs.RUNGS[:-1])]
    assert all(rung.against and rung.minutes for rung in (*rungs.BESIDE, *rungs.COLOUR))
