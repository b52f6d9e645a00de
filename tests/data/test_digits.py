import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

HASH = "0b7e9c3202d7bcd255d6a19a238d3743bf5e320ba74812a6679958a017c55382"


def test_all_digits_are_there(load):
    dataset = load("digits")
    assert dataset.images.shape == (1797, 1, 28, 28)
    assert dataset.images.dtype == torch.uint8
    assert dataset.class_names == tuple("0123456789")
    assert dataset.labels.bincount().tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert dataset.is_test is None
    assert len(set(dataset.names)) == 1797


def test_gray_levels_fill_the_range_at_the_original_size(load):
    images = load("digits", image_size=8).images
    assert np.array_equal(images[:, 0].numpy(), np.rint(load_digits().images * 255 / 16))
    assert (images.min(), images.max()) == (0, 255)


@pytest.mark.parametrize("side", [8, 28])
def test_the_hash_is_pinned_and_of_the_source_wherever_scikit_learn_keeps_it(load, monkeypatch, side):
    assert load("digits", image_size=side).content_hash == HASH
    monkeypatch.setattr("multistage.data.sets.digits.FILE", "elsewhere.csv.gz")
    assert load("digits", image_size=side).content_hash == HASH


def test_the_default_split_is_130_a_class_and_the_rest(load, settings):
    split = settings("digits", train_per_class=130, test_per_class=None).draw.of(load("digits", image_size=8))
    assert (len(split.train), len(split.test)) == (1300, 497)
