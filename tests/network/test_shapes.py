import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from multistage.layers import AveragePool, FilterBank
from multistage.network.shapes import ShapeError, StageGeometry, trace
from multistage.registry.errors import ConfigError
from multistage.settings import automatic
from multistage.settings.composition import CONF, plan

PAPER = [StageGeometry(64, 9, 10, 5), StageGeometry(256, 9, 6, 4, 16)]


def configured(data, *typed):
    """The stages of a configuration."""
    return plan([f"data={data}", *typed]).settings.geometry


def sizes(image, stages):
    return [side for s in trace(image, stages) for side in (s.filtered, s.pooled)]


def test_the_papers_two_stages():
    assert sizes((1, 143, 143), PAPER) == [(64, 135, 135), (64, 26, 26), (256, 18, 18), (256, 4, 4)]


def test_each_stage_starts_from_what_the_last_one_pooled():
    first, second = trace((1, 143, 143), PAPER)
    assert first.input == (1, 143, 143)
    assert second.input == first.pooled


# Every geometry of conf/, with average pooling, its features after one stage, two and three
FEATURES = {
    "caltech101": ((1, 143, 143), 43_264, 4_096, 2_048),
    "mnist": ((1, 28, 28), 32 * 12 * 12, 1_024, 512),
    "norb": ((1, 96, 96), 8 * 23 * 23, 864, 384),
}


def test_every_configured_geometry_is_known_here():
    assert {*FEATURES, "auto"} == {path.stem for path in CONF.joinpath("geometry").glob("*.yaml")}


@pytest.mark.parametrize("name", FEATURES)
def test_configured_geometries_give_the_papers_number_of_features(name):
    image, *features = FEATURES[name]
    for count, expected in enumerate(features, 1):
        maps, height, width = trace(image, configured(name, f"stages={count}"))[-1].pooled
        assert maps * height * width == expected


def test_the_papers_geometry_is_the_configured_one():
    assert list(configured("caltech101")) == PAPER


def test_max_pooling_takes_windows_as_wide_as_their_step():
    stages = configured("caltech101", "model=lcn_maxpool")
    assert [side for _, side, _ in sizes((1, 143, 143), stages)] == [135, 27, 19, 4]


def test_overlapping_max_pooling_keeps_the_means_windows():
    assert list(configured("caltech101", "model=lcn_maxpool_overlap")) == PAPER


def test_padding_comes_from_the_filter_bank():
    stages = configured("mnist", "filter_bank.padding=2")
    assert [stage.padding for stage in stages] == [2, 2]
    assert sizes((1, 28, 28), stages)[0] == (32, 28, 28)


def fitted(side, stages, pool):
    typed = {"data.image_size": side, "stages": stages, "filter_bank.padding": 0}
    chosen = automatic.geometry(typed)
    for number in range(1, stages + 1):
        key = f"geometry.stage{number}."
        size = {name: chosen[key + name] for name in ("maps", "kernel", "window", "step", "fan_in")}
        yield StageGeometry(**size | ({"window": size["step"]} if pool == "max" else {}))


@pytest.mark.parametrize("pool", ["average", "max"])
@pytest.mark.parametrize("stages", [1, 2, 3, 4])
def test_automatic_sizes_fit_every_image_from_24_to_512_pixels(stages, pool):
    """And leave at least two positions a side, at most twice what is aimed at."""
    for side in range(24, 513):
        pooled = trace((1, side, side), list(fitted(side, stages, pool)))[-1].pooled
        assert 2 <= pooled[1] <= (2 * automatic.FINAL_OF_ONE if stages == 1 else 2 * automatic.FINAL), side


def test_automatic_sizes_keep_what_was_typed_and_refuse_what_they_cannot_fit():
    run = plan(["data=mnist", "geometry=auto", "geometry.stage1.kernel=7", "stages=3"])
    assert run.settings.geometry[0].kernel == 7
    assert run.folder.name == "draw-0-seed-0-geometry-auto-stage1.kernel-7"
    for typed, named in (
        ("stages=5", "expected 1 to 4, or another geometry"),
        ("data.image_size=20", "24 to 512 pixels"),
    ):
        with pytest.raises(ConfigError, match=named):
            plan(["data=fake", "geometry=auto", typed])


def test_sizes_of_the_paper_s_network_are_described_as_the_paper_gives_them():
    assert automatic.described(plan(["data=caltech101"]).settings) == (
        "143 pixels -> kernels 9, windows 10 every 5: 64 maps of 26 -> kernels 9, windows 6 every 4: 256 maps of 4"
    )


@pytest.mark.parametrize("padding", [1, 2])
@pytest.mark.parametrize("stages", [1, 2, 3, 4])
def test_automatic_sizes_of_padded_filter_banks_halve_maps_and_pool_the_last_ones_whole(stages, padding):
    for side in range(24, 513):
        typed = {
            "data.image_size": side,
            "data.maps": 3,
            "stages": stages,
            "filter_bank.padding": padding,
            "refine": True,
        }
        chosen = automatic.geometry(typed)
        names = ("maps", "kernel", "window", "step", "fan_in")
        fitting = [
            StageGeometry(**{name: chosen[f"geometry.stage{number}.{name}"] for name in names}, padding=padding)
            for number in range(1, stages + 1)
        ]
        shapes = trace((3, side, side), fitting)
        assert [shape.filtered[1] for shape in shapes] == [side // 2**number for number in range(stages)]
        assert shapes[-1].pooled == (automatic.SMALL_MAPS[stages - 1], 1, 1)
        frozen = automatic.geometry(typed | {"refine": False})
        assert frozen == chosen | {key: frozen[key] for key in chosen if key.endswith((".maps", ".filter_range"))}
        assert frozen[f"geometry.stage{stages}.maps"] == automatic.WIDE_MAPS[stages - 1]


def test_automatic_sizes_of_padded_filter_banks_keep_what_was_typed():
    typed = ["geometry.stage1.kernel=5", "geometry.stage1.maps=8", "geometry.stage2.step=3"]
    run = plan(["data=fake", "model=convnet", *typed])
    first, second, *_, last = run.settings.geometry
    assert (first.kernel, first.maps, second.step) == (5, 8, 3)  # 28 -> 26 -> 13 -> 4 -> 2
    assert last.window == last.step == 2
    assert second.filter_range == round((6 / (8 * 9)) ** 0.5, 4)
    assert {*typed} <= {*run.overrides}
    assert plan(run.overrides).settings.geometry == run.settings.geometry


@pytest.mark.parametrize(
    ("images", "expected"), [(40, 400), (150, 400), (640, 400), (3454, 74), (15_000, 17), (200_000, 10)]
)
def test_few_images_are_shown_more_often(images, expected):
    assert automatic.epochs(images, batch_size=64) == expected


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize(
    ("key", "value", "limit"),
    [("kernel", 11, "10x12 map"), ("window", 9, "8x10 map"), ("fan_in", 4, "3 maps")],
)
def test_impossible_sizes_are_refused_by_key(number, key, value, limit):
    keeps_sizes = StageGeometry(3, 1, 1, 1)
    fits = {"maps": 5, "kernel": 3, "window": 8, "step": 1, "fan_in": 3}
    before = [keeps_sizes] * (number - 1)
    trace((3, 10, 12), [*before, StageGeometry(**fits)])
    with pytest.raises(ShapeError, match=rf"^{key}={value} of stage {number} .*{limit}"):
        trace((3, 10, 12), [*before, StageGeometry(**fits | {key: value})])


def shapes_of_real_layers(image, stages):
    """Each stage's filtered and pooled shape as the layers give them; ValueError where a layer refuses."""
    choose = random.Random(0)
    x, shapes = torch.zeros(1, *image), []
    for stage in stages:
        table = stage.fan_in and torch.tensor([choose.sample(range(x.shape[1]), stage.fan_in)] * stage.maps)
        x = FilterBank(x.shape[1], stage.maps, stage.kernel, table, padding=stage.padding)(x)
        shapes.append(tuple(x.shape[1:]))
        x = AveragePool(stage.window, stage.step)(x)
        shapes.append(tuple(x.shape[1:]))
    return shapes


small = st.integers(1, 6)
stages = st.builds(
    StageGeometry,
    maps=small,
    kernel=small,
    window=small,
    step=small,
    fan_in=st.none() | st.integers(1, 4),
    padding=st.integers(0, 2),
)
images = st.tuples(st.integers(1, 3), st.integers(1, 24), st.integers(1, 24))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(image=images, stages=st.lists(stages, min_size=1, max_size=2))
def test_accepts_exactly_what_the_layers_can_run_and_knows_their_shapes(image, stages):
    try:
        expected = shapes_of_real_layers(image, stages)
    except ValueError:
        with pytest.raises(ShapeError, match=r"^(kernel|window|fan_in)=.* of stage [12] "):
            trace(image, stages)
    else:
        assert sizes(image, stages) == expected
