"""What an operation, a filter method or a readout of one's own must keep to; a run refuses the others in one line."""

from dataclasses import dataclass, replace

import pytest
import torch
from torch import nn

from multistage.filters.values import Filters
from multistage.layers import FilterBank
from multistage.operations import Pooling
from multistage.readout import Readout
from multistage.registry.errors import ConfigError, MultistageError
from multistage.train.restore import check_restorable, make_network


@dataclass(frozen=True)
class Padded(Pooling):
    """Makes larger maps than planned."""

    name = "padded"

    def build(self, kernel_size, stride):
        return nn.MaxPool2d(kernel_size, stride, padding=1)


def test_maps_of_another_size_than_planned_are_refused_before_training(plan):
    settings = plan("model.pool=max").settings
    assert make_network(settings, 4).training
    other = tuple(replace(done, pool=Padded()) for done in settings.operations)
    with pytest.raises(ConfigError, match=r"^stage 1 with .*model\.pool=padded makes maps [\dx]+; expected [\dx]+$"):
        make_network(replace(settings, operations=other), 4)


class Cosine(nn.Linear):
    """Has the weights of a linear layer and is none."""

    def forward(self, x):
        return super().forward(nn.functional.normalize(x))


@dataclass(frozen=True)
class Own(Readout):
    """Some readout."""

    name = "own"


@pytest.mark.parametrize("trained", [nn.Linear(5, 2), nn.Linear(5, 3, bias=False), Cosine(5, 3)])
def test_a_classifier_that_cannot_be_restored_is_refused(trained):
    with pytest.raises(
        MultistageError, match=r"^readout=own trained .* would be restored as Linear \(weight 3x5, bias 3\)"
    ):
        check_restorable(Own(), nn.Linear(5, 3), trained, (5, 1, 1))


def test_classifiers_that_can_be_restored_are_taken():
    check_restorable(Own(), nn.Linear(5, 3), nn.Linear(5, 3), (5, 1, 1))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (Filters(torch.ones(1, 1, 3, 3)), r"found kernels \[1, 1, 3, 3\]; expected \[4, 1, 3, 3\]"),
        (Filters(torch.ones(4, 1, 3, 3), torch.ones(1)), r"found gain \[1\]; expected \[4\]"),
        (Filters(torch.full((4, 1, 3, 3), torch.nan)), "found kernels that are not finite numbers"),
    ],
)
def test_filters_that_would_be_broadcast_or_are_no_numbers_are_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        wrong.install(FilterBank(1, 4, 3))
