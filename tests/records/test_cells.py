import random
from statistics import mean

import numpy as np
import pytest
from scipy import stats

from multistage.records.cells import cells, paired
from multistage.records.intervals import is_chance, t_interval
from multistage.registry.errors import MultistageError

TABLE1 = {"data": "caltech101", "refine": "false", "readout": "lbfgs"}


def cell(record, accuracies, published=(), **settings):
    (made,) = cells([record(a, draw, **settings) for draw, a in enumerate(accuracies)], published)
    return made


def test_the_interval_of_one_two_three():
    low, high = t_interval([1, 2, 3])  # standard deviation 1, t of 2 degrees of freedom 4.3027
    assert (low, high) == pytest.approx((2 - 4.302653 / 3**0.5, 2 + 4.302653 / 3**0.5), abs=1e-6)


@pytest.mark.parametrize("n", [2, 3, 5, 10, 40])
def test_intervals_are_those_of_scipy(n):
    values = np.random.default_rng(n).normal(60, 2, n)
    expected = stats.t.interval(0.95, n - 1, loc=values.mean(), scale=stats.sem(values))
    assert t_interval(values.tolist()) == pytest.approx(expected, rel=1e-9)


def test_the_interval_holds_the_true_mean_95_times_in_100():
    numbers = random.Random(1)
    covered = 0
    for _ in range(2000):
        low, high = t_interval([numbers.gauss(0, 1) for _ in range(5)])
        covered += low <= 0 <= high
    assert covered / 2000 == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize("each", [1, 4, 10, 300])
@pytest.mark.parametrize("classes", [2, 4, 10])
def test_chance_is_what_wilsons_interval_holds_or_lies_above(each, classes):
    n = each * classes
    for correct in range(n + 1):
        interval = stats.binomtest(correct, n, 1 / classes).proportion_ci(0.95, "wilson")
        assert is_chance(correct / n, [each] * classes) == (interval.low <= 1 / classes)


def test_always_the_same_is_chance_whatever_the_sizes_of_classes():
    assert is_chance(1 / 3, [1000, 10, 10])
    assert not is_chance(0.6, [1000, 10, 10, 0])
    assert not is_chance(1.0, [])
    assert not is_chance(1.0, [7])


def test_draws_that_choose_nothing_are_one_run(record):
    """A data set's own split, all of it: the same images in every draw, so that the same seed is the same run."""
    split = {"split_hash": "the only one"}
    same = [record(0.5, draw, seed=0, **TABLE1) | split for draw in range(3)]
    (made,) = cells(same)
    assert (made.n, made.repeats, made.interval) == (1, 2, None)
    assert paired(made, made).n == 1
    (made,) = cells([record(0.5, draw, seed=draw, **TABLE1) | split for draw in range(3)])
    assert (made.n, made.repeats) == (3, 0)


def test_figures_of_a_cell_are_those_of_numpy(record):
    accuracies = [0.61, 0.64, 0.60, 0.63, 0.62]
    made = cell(record, accuracies, **TABLE1)
    percent = 100 * np.array(accuracies)
    assert made.values == pytest.approx(tuple(percent))
    assert made.n == 5
    assert made.mean == pytest.approx(percent.mean())
    assert made.sd == pytest.approx(percent.std(ddof=1))
    assert mean(made.interval) == pytest.approx(made.mean)
    assert made.half_width == pytest.approx(stats.t.ppf(0.975, 4) * percent.std(ddof=1) / 5**0.5)
    assert made.seconds == 120


def test_a_single_run_has_no_spread(record, published):
    made = cell(record, [0.629], published, **TABLE1)
    assert (made.n, made.mean, made.sd, made.interval, made.half_width) == (1, 62.9, None, None, None)
    assert made.mark == "within three points"


def test_runs_that_agree_have_an_interval_of_no_width(record):
    made = cell(record, [0.5, 0.5, 0.5], **TABLE1)
    assert made.sd == 0
    assert made.interval == (50, 50)


def test_neither_order_of_records_nor_what_does_not_bear_on_results_matters(record):
    runs = [record(0.5 + draw / 100, draw, **TABLE1) for draw in range(4)]
    for run, name in zip(runs, ("a", "b", "c", "d"), strict=True):
        run["config"] |= {"name": name, "logger": "wandb", "data.root": name, "trainer.accelerator": "cpu"}
    (forward,), (backward,) = cells(runs), cells(reversed(runs))
    assert [run["config"]["draw"] for run in backward.records] == [0, 1, 2, 3]
    assert forward.values == backward.values
    assert forward.key == backward.key


@pytest.mark.parametrize(
    "other",
    [{"model": "avgpool"}, {"stages": 1}, {"readout": "sgd"}, {"contrast_norm__border": "reflect"}, {"data": "norb"}],
    ids=str,
)
def test_other_settings_make_other_cells_with_other_titles(record, other):
    found = cells([record(**TABLE1), record(**{**TABLE1, **other})])
    assert [made.n for made in found] == [1, 1]
    assert found[0].title != found[1].title


@pytest.mark.parametrize(
    ("accuracies", "mark"),
    [
        ([0.629], "within three points"),
        ([0.60, 0.65, 0.63], "inside"),
        ([0.620, 0.622, 0.624], "within three points"),
        ([0.655, 0.660, 0.662], "within three points"),
        ([0.599], "within three points"),  # exactly three
        ([0.5989], "off"),
        ([0.6591], "off"),
        ([0.30, 0.31, 0.32], "off"),
        ([0.60, 0.65], "within three points"),  # the interval of two runs is too wide to be hit
        ([0.2, 0.9], "off"),
    ],
)
def test_marks(record, published, accuracies, mark):
    made = cell(record, accuracies, published, **TABLE1)  # the paper: 62.9
    assert made.mark == mark
    assert made.difference == pytest.approx(100 * mean(accuracies) - 62.9)


def test_the_papers_error_bar_does_not_widen_our_interval(record, published):
    made = cell(record, [0.350, 0.351, 0.352], published, model="abs_avgpool", **TABLE1)
    assert made.paper["value"] + made.paper["error"] > made.interval[0]  # 33.7 with 1.5
    assert made.mark == "within three points"


def test_no_mark_where_nothing_was_published(record, published):
    made = cell(record, [0.9, 0.91], published, data="digits")
    assert (made.paper, made.difference, made.mark) == (None, None, None)


def test_paired_differences_are_those_of_a_paired_t_test(record):
    a, b = [0.61, 0.64, 0.60, 0.63, 0.62], [0.60, 0.61, 0.60, 0.61, 0.61]
    difference = paired(cell(record, a, **TABLE1), cell(record, b, model="avgpool", **TABLE1))
    expected = stats.ttest_rel(100 * np.array(a), 100 * np.array(b)).confidence_interval(0.95)
    assert difference.interval == pytest.approx((expected.low, expected.high))
    assert difference.value == pytest.approx(1.4)
    assert difference.n == 5


def test_only_shared_draws_are_paired(record):
    (a,) = cells([record(0.60, 0, **TABLE1), record(0.70, 1, **TABLE1), record(0.99, 2, **TABLE1)])
    (b,) = cells([record(0.5, draw, model="avgpool", **TABLE1) for draw in (1, 0, 7)])
    assert paired(a, b).n == 2
    assert paired(a, b).value == pytest.approx(15)
    (c,) = cells([record(0.5, 0, seed=1, model="avgpool", **TABLE1)])
    with pytest.raises(MultistageError, match="share no draw"):
        paired(a, c)
    (d,) = cells([record(0.5, 1, model="avgpool", **TABLE1)])
    assert (paired(a, d).n, paired(a, d).interval) == (1, None)


@pytest.mark.parametrize("field", ["data_hash", "split_hash", "results_version"])
def test_runs_on_other_images_or_code_are_not_paired(record, field):
    other = record(0.5, model="avgpool", **TABLE1) | {field: "another"}
    (a,), (b,) = cells([record(**TABLE1)]), cells([other])
    with pytest.raises(MultistageError, match=field):
        paired(a, b)


@pytest.mark.parametrize("field", ["data_hash", "results_version"])
def test_runs_on_other_images_or_code_are_not_averaged(record, field):
    with pytest.raises(MultistageError, match=f"draw-0.* and .*draw-1.* differ in {field}"):
        cells([record(**TABLE1), record(draw=1, **TABLE1) | {field: 2}])


def test_draws_of_ones_own_images_hold_other_images(record, tmp_path):
    own = {"data": "image_folder", "data.root": str(tmp_path)}
    first, second = record(**own), record(draw=1, **own) | {"data_hash": "of the images of draw 1"}
    (own_cell,) = cells([first, second])
    assert own_cell.n == 2
    with pytest.raises(MultistageError, match="differ in data_hash"):
        cells([second, record(draw=1, seed=1, **own)])


def test_two_folders_of_ones_own_images_are_two_cells_though_they_may_hold_the_same(record, tmp_path):
    folders = [{"data": "image_folder", "data.root": str(tmp_path / name)} for name in ("set 1", "set_1")]
    first, second = cells([record(0.5, **folders[0]), record(0.7, **folders[1])])
    assert (first.n, first.mean) == (1, 50)
    assert (second.n, second.mean) == (1, 70)
    assert first.title != second.title
    other = record(0.7, draw=1, **folders[1]) | {"data_hash": "of other images"}
    assert [cell.n for cell in cells([record(0.5, **folders[0]), other])] == [1, 1]


def test_seeds_of_one_draw_must_share_its_split(record):
    cells([record(seed=0, **TABLE1), record(seed=1, **TABLE1), record(draw=1, **TABLE1)])
    with pytest.raises(MultistageError, match="differ in split_hash"):
        cells([record(seed=0, **TABLE1), record(seed=1, **TABLE1) | {"split_hash": "another"}])


def test_a_run_counts_once(record):
    with pytest.raises(MultistageError, match=r"draw-0-seed-0 is recorded twice"):
        cells([record(0.5, **TABLE1), record(0.6, **TABLE1)])


@pytest.mark.parametrize("draw", [0, 1])
def test_settings_that_changed_between_the_draws_of_a_cell_are_refused(record, draw):
    later = record(draw=draw, **TABLE1)
    later["config"]["lbfgs.penalty"] = 0.01  # another default, so that the folder does not show it
    with pytest.raises(MultistageError, match=r"differ in lbfgs\.penalty and cannot stand in one table"):
        cells([record(**TABLE1), later])


def test_old_records_know_neither_their_folder_nor_their_command(record):
    old = record(**TABLE1)
    for field in ("run", "overrides"):
        del old[field]
    (made,) = cells([old, record(draw=1, **TABLE1)])
    assert made.n == 2


def test_runs_from_before_the_demos_rate_could_be_set_had_the_demos_rate(record):
    settings = TABLE1 | {"readout": "sgd"}
    old, new = record(**settings), record(draw=1, **settings)
    del old["config"]["sgd.rate"], old["config"]["sgd.start"]
    (made,) = cells([old, new])
    assert made.n == 2
    new["config"]["sgd.rate"] = 0.001
    with pytest.raises(MultistageError, match=r"differ in sgd\.rate"):
        cells([old, new])
