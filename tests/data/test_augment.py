"""Augmentation: what each change does to an image, and of what it is a function."""

import pytest
import torch

from multistage.data.augment import ERASED, NUMBERS, Augmentation

SIDE = 32


@pytest.fixture
def images():
    return torch.rand(8, 2, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def blob():
    """A bright square of 8 pixels, its corner at row 6, column 10."""
    image = torch.zeros(1, 1, SIDE, SIDE)
    image[..., 6:14, 10:18] = 1
    return image


def numbers(**values):
    """Random numbers of one image: the middle of each range, but for some."""
    places = {"angle": 0, "size": 1, "aspect": 2, "mirror": 3, "across": 4, "down": 5, "erase": 6, "area": 7}
    random = torch.full((1, NUMBERS), 0.5)
    for name, value in values.items():
        random[0, places[name]] = value
    return random


def centre(image):
    """Mean (row, column) of an image's brightness."""
    weight = image[0, 0] / image.sum()
    steps = torch.arange(SIDE) + 0.5
    return (weight.sum(1) @ steps).item(), (weight.sum(0) @ steps).item()


def test_nothing_happens_unless_it_is_asked_for(images):
    augmentation = Augmentation()
    assert not augmentation.changes
    assert augmentation.apply(images, augmentation.epoch(8, 0, 1)) is images


@pytest.mark.parametrize("change", [{"shift": 0.3}, {"scale": 0.5}, {"rotation": 90.0}, {"aspect": 0.5}])
def test_the_middle_of_a_range_is_no_change(images, change):
    torch.testing.assert_close(Augmentation(**change).apply(images[:1], numbers()), images[:1], atol=1e-5, rtol=0)


def test_half_of_the_images_are_mirrored(images):
    augmentation = Augmentation(mirror=True)
    torch.testing.assert_close(augmentation.apply(images[:1], numbers(mirror=0.4)), images[:1].flip(3))
    torch.testing.assert_close(augmentation.apply(images[:1], numbers(mirror=0.6)), images[:1])
    assert 400 < (augmentation.epoch(1000, 0, 0)[:, 3] < 0.5).sum() < 600


def test_a_shift_is_a_part_of_the_side(blob):
    row, column = centre(Augmentation(shift=0.25).apply(blob, numbers(across=0.0, down=0.25)))
    assert (row, column) == pytest.approx((10 + SIDE / 8, 14 + SIDE / 4), abs=0.01)


def test_a_quarter_turn_is_a_quarter_turn(images):
    turned = Augmentation(rotation=90.0).apply(images[:1], numbers(angle=1.0))
    clockwise, counter = images[:1].rot90(-1, (2, 3)), images[:1].rot90(1, (2, 3))
    assert min((turned - clockwise).abs().max(), (turned - counter).abs().max()) < 1e-4


@pytest.mark.parametrize(("drawn", "factor"), [(1.0, 1.25), (0.0, 0.8)])
def test_a_scale_is_a_factor_either_way(blob, drawn, factor):
    area = Augmentation(scale=0.25).apply(blob, numbers(size=drawn)).sum() / blob.sum()
    assert area.sqrt().item() == pytest.approx(factor, rel=0.03)


def test_aspect_leaves_the_area(blob):
    wide = Augmentation(aspect=0.44).apply(blob, numbers(aspect=1.0))
    assert wide.sum().item() == pytest.approx(64, rel=0.05)
    row, column = map(int, centre(wide))
    assert (wide[0, 0, row].sum(), wide[0, 0, :, column].sum()) == pytest.approx((8 * 1.2, 8 / 1.2), abs=0.2)


def test_what_is_erased_has_the_size_that_was_drawn(images):
    augmentation = Augmentation(erasing=0.5)
    erased = augmentation.apply(torch.ones(200, 2, SIDE, SIDE), augmentation.epoch(200, 0, 1))
    parts = 1 - erased[:, 0].mean((1, 2))
    assert torch.equal(erased[:, 0], erased[:, 1])
    assert 60 < (parts > 0).sum() < 140
    assert parts.max() < ERASED[1] + 0.04
    assert parts[parts > 0].min() > ERASED[0] - 0.015


def test_mixing_pairs_every_image_once():
    augmentation = Augmentation(mixup=0.2)
    partner, weight = augmentation.mixed(augmentation.epoch(500, 0, 1))
    assert sorted(partner.tolist()) == list(range(500))
    assert 0 <= weight.min() <= weight.max() <= 1
    assert weight.var().item() == pytest.approx(1 / (4 * (2 * 0.2 + 1)), rel=0.15)  # of Beta(a, a)


def test_an_image_changes_by_seed_epoch_and_number_alone(images):
    augmentation = Augmentation(mirror=True, shift=0.1, scale=0.2, rotation=10, aspect=0.2, erasing=0.5)
    random = augmentation.epoch(8, 3, 5)
    together = augmentation.apply(images, random)
    alone = torch.cat([augmentation.apply(images[i : i + 1], random[i : i + 1]) for i in range(8)])
    torch.testing.assert_close(together, alone)
    assert torch.equal(random, augmentation.epoch(8, 3, 5))
    assert not torch.equal(random, augmentation.epoch(8, 3, 6))
    assert not torch.equal(random, augmentation.epoch(8, 4, 5))
