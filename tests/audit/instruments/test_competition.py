import pytest
import torch

from audit.instruments.competition import neighbours, response_ratio
from multistage.layers import local_contrast_norm


def maps(seed=0):
    return torch.rand(6, 15, 15, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_neighbours_are_the_window_in_the_same_map_or_the_other_maps_at_the_same_position():
    unit = torch.tensor([1, 4, 5])
    places, others = (neighbours(torch.Size((3, 9, 9)), unit, which, 5) for which in ("places", "maps"))
    assert places.sum() == 24
    assert places[1, 2:7, 3:8].sum() == 24
    assert others.sum() == 2
    assert others[[0, 2], 4, 5].all()
    assert not places[1, 4, 5] | others[1, 4, 5]


def test_at_the_border_the_window_is_cut_off():
    assert neighbours(torch.Size((1, 9, 9)), torch.tensor([0, 0, 8]), "places", 5).sum() == 8


@pytest.mark.parametrize("which", ["places", "maps"])
def test_without_normalisation_neighbours_do_not_matter(which):
    units = torch.tensor([[0, 7, 7], [3, 2, 9]])
    ratio = response_ratio(lambda x: x, maps(), units, which, 5.0)
    torch.testing.assert_close(ratio, torch.ones(2).double())


@pytest.mark.parametrize("which", ["places", "maps"])
def test_the_ratio_is_that_of_two_normalisations(which):
    x, unit = maps(), torch.tensor([2, 6, 8])
    other = torch.where(neighbours(x.shape, unit, which, 9), 3 * x, x)
    expected = local_contrast_norm(other[None])[0, 2, 6, 8] / local_contrast_norm(x[None])[0, 2, 6, 8]
    ratio = response_ratio(local_contrast_norm, x, unit[None], which, 3.0)
    torch.testing.assert_close(ratio, expected[None])


def test_division_by_a_local_sum_inhibits_exactly_as_much_as_it_grows():
    """y = x / (sum over maps): with the others doubled, 1 / (1 + 1) becomes 1 / (1 + 2)."""
    x = torch.ones(2, 5, 5)
    ratio = response_ratio(lambda m: m / m.sum(1, keepdim=True), x, torch.tensor([[0, 2, 2]]), "maps")
    torch.testing.assert_close(ratio, torch.tensor([2 / 3]))
