import re
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.pages import captions, figures, pictures
from audit.pages.figures import Scale
from multistage.dashboards.pictures import tiles

VALUES = st.lists(st.floats(0.001, 1e5), min_size=1, max_size=20)


@given(VALUES, st.booleans())
def test_every_value_stands_within_the_margins_and_in_order(values, logarithmic):
    scale = Scale(values, logarithmic, margin=5)
    at = [scale(v) for v in sorted(values)]
    assert at == sorted(at)
    assert min(at) >= 5 - 1e-6
    assert max(at) <= 95 + 1e-6


@given(VALUES, st.booleans(), st.integers(2, 8))
def test_ticks_are_few_and_within(values, logarithmic, count):
    scale = Scale(values, logarithmic)
    ticks = scale.ticks(count)
    assert len(ticks) <= count + 1
    assert ticks == sorted(set(ticks))
    assert all(scale.low - 1e-6 <= tick <= scale.high + 1e-6 for tick in ticks)


def test_ticks_are_round():
    assert Scale([8.8, 65]).ticks() == [10, 20, 30, 40, 50, 60]
    assert Scale([96.2, 99.1]).ticks() == [96.5, 97, 97.5, 98, 98.5, 99]
    assert Scale([0.002, 2], logarithmic=True).ticks() == [0.01, 0.1, 1]


def test_the_front_is_what_nothing_beats_in_both():
    given = ((3, 50), (1, 40), (2, 30), (4, 60), (5, 60), (1, 20))
    places = [SimpleNamespace(cell=SimpleNamespace(seconds=s, mean=a)) for s, a in given]
    assert [(p.cell.seconds, p.cell.mean) for p in figures.front(places)] == [(1, 40), (3, 50), (4, 60)]


@pytest.mark.parametrize("epochs", [1, 2, figures.MOST_POINTS, 1000])
def test_a_long_curve_has_fewer_points_its_ends_among_them(epochs):
    drawn = figures.curves({"a": [[2.0, *[1.0] * (epochs - 2), 0.5][-epochs:]]}, "loss")
    points = [point.split(",") for point in re.findall(r'points="([^"]*)"', drawn)[0].split()]
    assert len(points) == min(epochs, figures.MOST_POINTS)
    assert [points[0][0], points[-1][0]] == ["0.0", "100.0" if epochs > 1 else "0.0"]


def test_names_are_escaped():
    name = '<script>"&'
    cell = SimpleNamespace(values=(1.0, 2.0), mean=1.5, interval=(1.0, 2.0), seconds=1.0)
    place = SimpleNamespace(cell=cell, row=name, series=0, paper=(3.0, 0.5), text=name, identifier="link")
    drawn = figures.dots([place], [name]) + figures.curves({name: [[1.0, 0.5]]}, name)
    drawn += figures.scatter([place], [name])
    drawn += pictures.confusion([name, "b"], np.array([[1, 2], [0, 3]]))
    drawn += captions.curves({name: [[1.0]]}, name) + captions.filters(
        name, np.ones((1, 1, 2, 2)), np.ones((1, 1, 2, 2))
    )
    assert "<script" not in drawn
    assert "&lt;script&gt;" in drawn


def test_a_mosaic_shows_every_weight_on_one_scale():
    kernels = np.linspace(-1, 1, 8 * 9).reshape(8, 3, 3)
    image = pictures.mosaic(kernels, limit=1.0)
    assert image.shape == (2 * 7 + 1, 4 * 7 + 1)
    assert (image[1, 1], image[13, 27]) == (1, 255)
    assert sorted(image[image > 0])[::4] == [max(1, round(128 + 127 * w)) for w in kernels.flat]


def test_filters_over_three_maps_are_in_colour_and_the_caption_says_so():
    red = np.tile(np.array([1.0, -1.0, -1.0]).reshape(1, 3, 1, 1), (4, 1, 2, 2))
    image = pictures.mosaic(tiles(red), limit=1.0)
    assert image[1, 1].tolist() == [255, 1, 1]
    assert image.shape == (2 * 5 + 1, 2 * 5 + 1, 3)
    assert pictures.learned_filters(red).count("<img") == 1
    assert "Red, green and blue" in captions.filters("a", red, red)
    assert "Red, green and blue" not in captions.filters("a", red[:, :1], red[:, :1])


def test_the_change_of_filters_is_told_in_parts_of_their_norm_before_training():
    before = np.full((4, 1, 3, 3), 2.0, dtype=np.float32)
    assert "Training changed the 4 first-stage filters of the best refined run by 50% of their norm. " in (
        captions.filters("a", before, before + 1)
    )


def test_the_most_frequent_confusions_come_first():
    counts = np.array([[5, 2, 0], [1, 6, 3], [0, 0, 9]])
    assert pictures.errors("abc", counts) == [("b", "c", 3, 10), ("a", "b", 2, 7), ("b", "a", 1, 10)]


def test_learned_filters_come_with_what_was_measured_of_them():
    kernels = np.linspace(-0.5, 0.5, 4 * 25, dtype=np.float32).reshape(4, 1, 5, 5)
    measured = {"prediction_snr": 9.52, "reconstruction_snr": 6.3, "active_fraction": 0.414}
    record = {"run": "a/<b>", "filters": [measured | {"oriented": 3}, measured]}
    said = captions.learned_filters(record, kernels)
    assert said.startswith("4 first-stage filters that predict sparse codes; 3 are localised and oriented.")
    for figure in ("9.5&nbsp;dB", "6.3&nbsp;dB", "41%", "0.50", "a/&lt;b&gt;"):
        assert figure in said
    assert "oriented" not in captions.learned_filters(record | {"filters": [measured]}, kernels)
    assert pictures.learned_filters(kernels).count("<img") == 1


@pytest.mark.parametrize("classes", [3, 30])
def test_confusions_are_a_table_or_a_map(classes):
    drawn = pictures.confusion([f"class {c}" for c in range(classes)], np.eye(classes, dtype=int) * 4)
    assert ("<table" in drawn) == (classes <= pictures.TABLE)
    assert ("<img" in drawn) == (classes > pictures.TABLE)
    assert "no errors" in drawn


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.312, "0.31 s"), (9.96, "10 s"), (59.4, "59 s"), (90, "1.5 min"), (3599, "60.0 min"), (7200, "2.0 h")],
)
def test_durations_are_said_as_people_do(seconds, text):
    assert captions.duration(seconds) == text
