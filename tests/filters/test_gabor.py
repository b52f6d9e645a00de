import math

import pytest
import torch
from scipy.ndimage import rotate

from multistage.filters.gabor import gabor, gabor_bank
from multistage.filters.gabor_counts import gabor_counts
from multistage.filters.values import Site, of_length
from multistage.layers import FilterBank
from multistage.registry.errors import ConfigError

CPU = torch.device("cpu")


def maps(n=6, in_maps=5, side=12, seed=0):
    return torch.randn(n, in_maps, side, side, generator=torch.Generator().manual_seed(seed))


def refuse(limit):
    raise AssertionError("the first stage looks at no image")


@pytest.mark.parametrize(
    ("count", "expected"),
    [(64, (8, 4)), (32, (8, 2)), (8, (4, 1)), (4, (2, 1)), (6, (3, 1)), (24, (6, 2)), (128, (16, 4)), (62, (31, 1))],
)
def test_a_bank_is_divided_among_orientations_and_wavelengths(count, expected):
    assert gabor_counts(count, 9) == expected


@pytest.mark.parametrize(("count", "size"), [(64, 9), (32, 5), (8, 5), (24, 6), (4, 7)])
def test_every_filter_has_mean_0_and_length_1_and_no_two_are_alike(count, size):
    bank = gabor_bank(count, size)
    assert bank.shape == (count, size, size)
    assert bank.dtype == torch.float32
    torch.testing.assert_close(bank.mean((1, 2)), torch.zeros(count), atol=1e-7, rtol=0)
    torch.testing.assert_close(bank.flatten(1).norm(dim=1), torch.ones(count))
    alike = bank.flatten(1) @ bank.flatten(1).T - torch.eye(count)
    assert alike.abs().max() < 0.95


def test_phases_are_even_and_odd_in_turn():
    even, odd = gabor_bank(64, 9).unflatten(0, (32, 2)).unbind(1)
    torch.testing.assert_close(even.flip(-1, -2), even)
    torch.testing.assert_close(odd.flip(-1, -2), -odd)
    assert (even * odd).sum((1, 2)).abs().max() < 1e-6


def test_orientations_divide_half_a_turn():
    bank = gabor_bank(64, 9).unflatten(0, (4, 8, 2))
    torch.testing.assert_close(bank[:, 4, 0], bank[:, 0, 0].transpose(-1, -2))  # a quarter turn
    for waves in bank[:, :, 0]:  # sizes grow, shapes stay: the eighth of a turn between neighbours is a rotation
        turned = torch.from_numpy(rotate(waves[0].numpy(), -22.5, reshape=False, order=3))
        middle = (slice(2, -2), slice(2, -2))
        assert torch.nn.functional.cosine_similarity(turned[middle].flatten(), waves[1][middle].flatten(), 0) > 0.98


def test_wavelengths_are_where_the_documentation_says():
    """The strongest frequency of the odd filters of the first orientation; the window cuts the longest wave."""
    odd = gabor_bank(64, 9).unflatten(0, (4, 8, 2))[:, 0, 1]
    spectra = torch.fft.rfft(odd.sum(1), n=1024).abs()
    expected = [3 * 3 ** ((number + 0.5) / 4) for number in range(4)]
    assert (1024 / spectra.argmax(1)).tolist() == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize(
    ("count", "size", "named"),
    [
        (63, 9, "geometry.stage1.maps=63"),
        (2, 9, "geometry.stage1.maps=2"),
        (64, 3, "geometry.stage1.kernel=3"),
    ],
)
def test_what_cannot_be_divided_is_refused(plan, count, size, named):
    with pytest.raises(ConfigError, match=named):
        gabor_bank(count, size)
    typed = [f"geometry.stage1.maps={count}", f"geometry.stage1.kernel={size}", "stages=1"]
    plan(*typed)
    with pytest.raises(ConfigError, match=named):
        plan(*typed, "filters=gabor")


def test_filters_are_as_long_as_random_ones():
    random = torch.rand(20_000, 3, 5, 5, generator=torch.Generator().manual_seed(0)) * 0.4 - 0.2
    expected = random.flatten(1).square().sum(1).mean().sqrt().item()
    site = Site(1, FilterBank(3, 1, 5), refuse, 0.2, 0, CPU)
    assert site.random_length == pytest.approx(expected, rel=1e-2)
    found = of_length(torch.stack([random[0], torch.zeros(3, 5, 5)]), 2.0)
    assert found.flatten(1).norm(dim=1).tolist() == pytest.approx([2, 0])


@pytest.mark.parametrize(("in_maps", "connections"), [(1, None), (3, None), (3, torch.tensor([[0, 2]] * 8))])
def test_a_first_stage_correlates_with_the_bank_on_every_map_and_looks_at_no_image(in_maps, connections):
    bank = FilterBank(in_maps, 8, 7, connections, squash="none")
    found = gabor(Site(1, bank, refuse, 0.11, 0, CPU))
    fan_in = bank.kernels.shape[1]
    assert found.gain is None
    torch.testing.assert_close(found.kernels.flatten(1).norm(dim=1), torch.full((8,), 0.11 * 7 * math.sqrt(fan_in / 3)))
    found.install(bank)
    assert (bank.gain == 1).all()
    gray = torch.zeros(1, in_maps, 7, 7) + gabor_bank(8, 7)[2]  # the same on every map
    answers = bank(gray).flatten()
    assert answers.argmax() == 2
    assert answers[2].item() == pytest.approx(0.11 * 7 * fan_in / math.sqrt(3), rel=1e-5)


def test_a_second_stage_correlates_with_patches_on_the_maps_that_it_sees():
    connections = torch.tensor([[0, 1], [3, 4], [2, 0], [1, 4]])
    bank = FilterBank(5, 4, 3, connections, squash="none")
    asked = []

    def look(limit):
        asked.append(limit)
        return maps()

    found = gabor(Site(2, bank, look, 0.2, 0, CPU))
    assert asked == [4]  # an image each is enough
    assert found.kernels.shape == (4, 2, 3, 3)
    torch.testing.assert_close(found.kernels.flatten(1).norm(dim=1), torch.full((4,), 0.2 * 3 * math.sqrt(2 / 3)))
    torch.testing.assert_close(found.kernels.mean((1, 2, 3)), torch.zeros(4), atol=1e-7, rtol=0)
    windows = maps().unfold(2, 3, 1).unfold(3, 3, 1).permute(0, 2, 3, 1, 4, 5).reshape(-1, 5, 3, 3)
    for kernel, row in zip(found.kernels.flip(-1, -2), connections, strict=True):
        seen = windows[:, row].flatten(1)
        seen = seen - seen.mean(1, keepdim=True)
        alike = torch.nn.functional.cosine_similarity(seen, kernel.flatten()[None])
        assert alike.max() > 0.9999


def test_a_first_stage_sees_the_mean_of_three_maps_and_no_colour_alone():
    bank = FilterBank(3, 8, 7, squash="none")
    gabor(Site(1, bank, refuse, 0.11, 0, CPU)).install(bank)
    image = maps(4, 3)
    mean = image.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    torch.testing.assert_close(bank(image), bank(mean))
    assert bank(image - mean).abs().max() < 1e-5 * bank(image).abs().max()
