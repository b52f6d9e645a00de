import random
from pathlib import Path

import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from multistage.layers import AveragePool, FilterBank
from multistage.network.shapes import StageGeometry, trace
from multistage.registry.errors import ConfigError

GEOMETRIES = {path.stem: path for path in Path(__file__).parents[2].joinpath("conf/geometry").glob("*.yaml")}
PAPER = [StageGeometry(64, 9, 10, 5), StageGeometry(256, 9, 6, 4, 16)]


def flat_config(name, stages=2, pool="average"):
    geometry = yaml.safe_load(GEOMETRIES[name].read_text())
    sizes = {f"geometry.{stage}.{key}": value for stage, keys in geometry.items() for key, value in keys.items()}
    return {"stages": stages, "readout": "softmax", "model.pool": pool, "filter_bank.padding": 0, **sizes}


def sizes(image, stages):
    return [side for s in trace(image, stages) for side in (s.filtered, s.pooled)]


def test_the_papers_two_stages():
    assert sizes((1, 143, 143), PAPER) == [(64, 135, 135), (64, 26, 26), (256, 18, 18), (256, 4, 4)]


def test_each_stage_starts_from_what_the_last_one_pooled():
    first, second = trace((1, 143, 143), PAPER)
    assert first.input == (1, 143, 143)
    assert second.input == first.pooled


# Every geometry of conf/, with average pooling, its features after one stage and after two
FEATURES = {
    "caltech101": ((1, 143, 143), 43_264, 4_096),
    "mnist": ((1, 28, 28), 32 * 12 * 12, 1_024),
    "norb": ((1, 96, 96), 8 * 23 * 23, 864),
}


def test_every_configured_geometry_is_known_here():
    assert set(FEATURES) == set(GEOMETRIES)


@pytest.mark.parametrize("name", GEOMETRIES)
def test_configured_geometries_give_the_papers_number_of_features(name):
    image, *features = FEATURES[name]
    for count, expected in enumerate(features, 1):
        maps, height, width = trace(image, stage_geometries(flat_config(name, count)))[-1].pooled
        assert maps * height * width == expected


def test_the_papers_geometry_is_the_configured_one():
    assert stage_geometries(flat_config("caltech101")) == PAPER


def test_max_pooling_takes_windows_as_wide_as_their_step():
    stages = stage_geometries(flat_config("caltech101", pool="max"))
    assert [side for _, side, _ in sizes((1, 143, 143), stages)] == [135, 27, 19, 4]


def test_overlapping_max_pooling_keeps_the_means_windows():
    assert stage_geometries(flat_config("caltech101", pool="max_overlap")) == PAPER


def test_padding_comes_from_the_filter_bank():
    config = flat_config("mnist") | {"filter_bank.padding": 2}
    assert [stage.padding for stage in stage_geometries(config)] == [2, 2]
    assert sizes((1, 28, 28), stage_geometries(config))[0] == (32, 28, 28)


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
    with pytest.raises(ConfigError, match=rf"^geometry\.stage{number}\.{key}={value} .*{limit}"):
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
        with pytest.raises(ConfigError, match=r"^geometry\.stage[12]\.(kernel|window|fan_in)="):
            trace(image, stages)
    else:
        assert sizes(image, stages) == expected
