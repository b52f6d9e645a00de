import pytest
import torch

from multistage.data import dataset
from multistage.data.dataset import Dataset, Some, hash_tensors, standardise


def random_images(*shape):
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (2, 96, 96), (1, 1, 2)], ids=str)
def test_each_image_gets_mean_0_and_deviation_1(shape):
    images = standardise(random_images(5, *shape))
    assert images.dtype == torch.float32
    assert images.shape == (5, *shape)
    assert images.mean((1, 2, 3)).abs().max() < 1e-5
    assert (images.double().std((1, 2, 3), correction=0) - 1).abs().max() < 1e-5


def test_maps_are_scaled_together():
    images = random_images(1, 3, 8, 8)
    images[:, 1] //= 4
    x = images.double()
    expected = (x - x.mean()) / x.std(correction=0)
    assert (standardise(images) - expected).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("lowest", "shape"), [(0, (1, 28, 28)), (0, (3, 32, 32)), (0, (2, 96, 96)), (240, (3, 301, 299))], ids=str
)
def test_a_flat_image_becomes_0_at_every_level(lowest, shape):
    levels = torch.arange(lowest, 256, dtype=torch.uint8)[:, None, None, None]
    assert standardise(levels.expand(len(levels), *shape)).abs().max() == 0


def test_an_image_does_not_depend_on_its_batch():
    images = random_images(6, 1, 28, 28)
    images[3] = 255
    together = standardise(images)
    for index in range(6):
        assert torch.equal(standardise(images[index : index + 1])[0], together[index])
    assert torch.equal(standardise(images.flip(0)).flip(0), together)


def test_brightness_and_contrast_do_not_matter():
    images = random_images(4, 1, 28, 28) // 4
    assert (standardise(images * 2 + 30) - standardise(images)).abs().max() < 1e-5


def test_the_images_themselves_are_left_alone():
    images = random_images(2, 1, 8, 8)
    before = images.clone()
    standardise(images)
    assert torch.equal(images, before)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_bytes_are_standardised_and_preprocessed_images_taken_as_they_are(dtype):
    images = random_images(5, 1, 8, 8).to(dtype)
    dataset = Dataset(images, torch.zeros(5), ("a",), list("abcde"), None, "")
    chosen = torch.tensor([4, 1])
    expected = standardise(images[chosen]) if dtype == torch.uint8 else images[chosen]
    assert torch.equal(dataset.pixels(chosen), expected)
    assert dataset.pixels(chosen).dtype == torch.float32


def test_the_hash_is_of_the_values_in_order():
    first, second = random_images(3, 4), random_images(2, 5)
    hashes = [hash_tensors(first, second), hash_tensors(second, first), hash_tensors(first), hash_tensors(first + 1)]
    assert len(set(hashes)) == 4
    assert hash_tensors(first.T.contiguous().T, second) == hashes[0]


def test_many_images_are_standardised_in_blocks_as_each_alone(monkeypatch):
    images = random_images(7, 2, 8, 8)
    together = standardise(images)
    monkeypatch.setattr(dataset, "BLOCK", 3)
    assert torch.equal(standardise(images), together)


@pytest.mark.parametrize("missing", [0, 4, 9])
def test_an_image_that_is_not_there_is_not_replaced_by_its_neighbour(missing):
    some = Some(torch.arange(3.0)[:, None, None, None], torch.tensor([1, 5, 7]), 10)
    assert some[torch.tensor([7, 1, 7])].flatten().tolist() == [2, 0, 2]
    assert some[torch.tensor([], dtype=torch.int64)].shape == (0, 1, 1, 1)
    with pytest.raises(IndexError, match="some of 2 images are not among the 3 that are there"):
        some[torch.tensor([5, missing])]
