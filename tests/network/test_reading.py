"""Several levels, several filter sets, powers: which features a classifier reads."""

import pytest
import torch

from multistage import MultiStageNet
from multistage.network.randomness import seeds
from multistage.network.reading import Reading
from multistage.network.shapes import StageGeometry, trace
from multistage.registry.errors import ConfigError

IMAGE = (1, 18, 16)
STAGES = [StageGeometry(6, 3, 4, 2), StageGeometry(8, 3, 2, 1, fan_in=3)]  # pooled: 6 x 7x6, 8 x 4x3
X = torch.randn(3, *IMAGE, generator=torch.Generator().manual_seed(0))

UPPER, LOWER, LEFT, RIGHT = slice(0, 2), slice(2, 4), slice(0, 2), slice(1, 3)  # three columns: cells share the middle
QUARTERS = [(rows, columns) for rows in (UPPER, LOWER) for columns in (LEFT, RIGHT)]
QUARTER_ROOT = (12 / 4) ** 0.5 / 4  # mean of four positions, times the root of the twelve over four cells


def network(**options):
    return MultiStageNet(IMAGE, 5, STAGES, **options).eval()


def test_levels_of_the_last_stage_stand_behind_its_maps():
    net = network(reading=Reading(levels=[2, 1]))
    maps = net.stages(X)
    quarters = torch.stack([maps[:, :, rows, columns].sum((2, 3)) for rows, columns in QUARTERS], 2)
    expected = [maps.flatten(1), QUARTER_ROOT * quarters.flatten(1), maps.sum((2, 3)) / 12**0.5]
    torch.testing.assert_close(net.features(X), torch.cat(expected, 1))


def test_a_list_for_each_stage_reads_them_all():
    net = network(reading=Reading(levels=[[3], []]))
    first = net.stages[0](X)
    found = net.features(X)
    assert torch.equal(found[:, :96], net.stages(X).flatten(1))
    cell = found[:, 96:].view(3, 6, 3, 3)[:, :, 0, 0]
    torch.testing.assert_close(cell, first[:, :, :3, :2].mean((2, 3)) * (42 / 9) ** 0.5)
    assert net.num_features == 96 + 6 * 9 == found.shape[1] == Reading(levels=[[3], []]).length(trace(IMAGE, STAGES))


def test_a_power_keeps_signs_and_gradients_finite():
    net = network(reading=Reading(power=0.5))
    plain = net.stages(X).flatten(1)
    torch.testing.assert_close(net.features(X), plain.sign() * plain.abs().sqrt())
    flat = torch.zeros_like(X, requires_grad=True)
    net.features(flat).sum().backward()
    assert flat.grad.isfinite().all()


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ([3, 1], r"readout\.levels=\[3, 1\] pools maps of stage 2, of 3 positions a side, into as many cells or more"),
        ([[2]], r"readout\.levels=\[\[2\]\] has 1 lists for 2 stages; expected one for each"),
        ([[6], [2]], r"pools maps of stage 1, of 6 positions a side, .*expected less than 6"),
    ],
)
def test_levels_that_maps_do_not_have_are_refused(levels, message):
    with pytest.raises(ConfigError, match=message):
        Reading(levels=levels).check(trace(IMAGE, STAGES))


def test_filter_sets_stand_side_by_side_the_first_as_if_alone():
    one, three = network(seed=4), network(seed=4, banks=3)
    assert three.num_features == 3 * one.num_features
    assert torch.equal(three.features(X)[:, : one.num_features], one.features(X))
    for number, seed in enumerate(seeds(4, 3)):
        alone = network(seed=seed)
        part = three.features(X)[:, number * one.num_features :][:, : one.num_features]
        assert torch.equal(part, alone.features(X))
    assert len(set(seeds(4, 3))) == 3
    assert three.state_dict().keys() > one.state_dict().keys()
    assert len(three.filter_banks) == 6


def test_a_network_of_one_set_is_what_it_was():
    assert [name for name in network().state_dict() if name.startswith("further")] == []
