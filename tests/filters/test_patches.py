import pytest
import torch

from multistage.filters.patches import FLAT, Patches
from multistage.registry.errors import MultistageError


def random(seed=0):
    return torch.Generator().manual_seed(seed)


def images(n=4, maps=2, height=9, width=11):
    return torch.randn(n, maps, height, width, generator=random(7))


def test_patches_are_patches_of_the_maps_from_everywhere():
    """Every value says where it comes from."""
    n, maps, height, width = shape = 3, 2, 6, 7
    numbered = torch.arange(float(n * maps * height * width)).reshape(shape)
    found = Patches(numbered, 4, random()).draw(2000)
    assert found.shape == (2000, maps, 4, 4)
    corners = set()
    for patch in found:
        image, rest = divmod(int(patch[0, 0, 0]), maps * height * width)
        row, column = divmod(rest, width)
        assert torch.equal(patch, numbered[image, :, row : row + 4, column : column + 4])
        corners.add((image, row, column))
    assert len(corners) == n * (height - 3) * (width - 3)  # every place of every image


def test_a_patch_of_the_maps_size_is_an_image():
    maps = images(height=5, width=5)
    found = Patches(maps, 5, random()).draw(3)
    assert all(any(torch.equal(patch, image) for image in maps) for patch in found)


def test_the_seed_decides_and_the_supply_has_no_end():
    first, second, other = (Patches(images(), 3, random(seed)) for seed in (0, 0, 1))
    start = first.draw(50)
    assert torch.equal(start, second.draw(50))
    assert not torch.equal(start, other.draw(50))
    assert not torch.equal(start, first.draw(50))
    assert first.length == 2 * 3 * 3


def test_flat_patches_are_left_out():
    maps = images(n=6, height=20, width=20)
    maps[:, :, :14] = 3.0  # bars
    maps[:3] *= 1e-3  # dim images
    patches = Patches(maps, 5, random())
    found = patches.draw(500)
    assert len(found) == 500
    assert found.flatten(1).std(1).min() > FLAT * maps.std()
    assert not (found[:, :, -1] == 3.0).all((1, 2)).any()


def test_what_counts_as_flat_does_not_depend_on_the_scale():
    maps = images()
    maps[:, :, :5] *= 0.1
    first, scaled = (Patches(factor * maps, 3, random()).draw(100) for factor in (1, 1024))
    assert torch.equal(1024 * first, scaled)


@pytest.mark.parametrize("value", [0.0, 5.0])
def test_flat_images_are_refused(value):
    with pytest.raises(MultistageError, match="not flat") as refusal:
        Patches(torch.full((2, 1, 8, 8), value), 3, random()).draw(5)
    assert "\n" not in str(refusal.value)
