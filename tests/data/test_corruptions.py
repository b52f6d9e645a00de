"""Corrupted images: seeded, harmless at strength 0, and the worse the stronger."""

import dataclasses

import numpy as np
import pytest
import torch

from multistage.data import corruptions
from multistage.data.corruptions import CORRUPTIONS, STRENGTHS, Corrupted, corrupted
from multistage.network.randomness import generator
from multistage.registry.errors import DataError


def photograph(height=90, width=120, maps=()):
    """Something with large parts, edges and fine texture."""
    rows, columns = np.mgrid[:height, :width]
    waves = 0.5 + 0.25 * np.sin(rows / 9) * np.cos(columns / 13) + 0.15 * (rows // 20 % 2) + 0.05 * np.sin(columns)
    levels = np.rint(255 * waves.clip(0, 1)).astype(np.uint8)
    return np.stack([levels, 255 - levels, levels // 2], -1) if maps else levels


def random(seed=0):
    return generator(seed, "test")


def distance(name, strength, seed=0):
    """Mean square of what a corruption changes, in levels of 0 to 255."""
    before = photograph()
    return float(np.square(corrupted(before, name, strength, random(seed)).astype(float) - before).mean())


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_every_corruption_has_five_strengths_and_each_changes_more(name):
    assert len(CORRUPTIONS[name].amounts) == len(STRENGTHS) == 5
    if name == "shift":  # two places of a pattern may look alike; how far it moves is measured below
        return
    for seed in range(3):
        found = [distance(name, strength, seed) for strength in (0, *STRENGTHS)]
        assert found[0] == 0
        assert all(np.diff(found) > 0), found


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("maps", [(), (3,)], ids=["gray", "colour"])
def test_the_same_seed_gives_the_same_image_of_the_same_kind(name, maps):
    image = photograph(maps=maps)
    for strength in (0, 3):
        one, again = (corrupted(image, name, strength, random()) for _ in range(2))
        assert one.dtype == np.uint8
        assert one.shape == image.shape
        assert np.array_equal(one, again)
    if name not in ("contrast", "blur"):  # nothing is random in these
        several = {corrupted(image, name, 3, random(seed)).tobytes() for seed in range(8)}
        assert len(several) == (2 if name == "rotation" else 8)


def test_contrast_keeps_the_mean_and_the_share_of_the_deviation():
    levels = photograph() / 255
    changed = corruptions.contrast(levels, 0.2, random())
    assert changed.mean() == pytest.approx(levels.mean())
    assert changed.std() == pytest.approx(0.2 * levels.std())


def test_light_falls_off_evenly_to_what_is_left_at_the_dark_end():
    light = corruptions.lighting(np.ones((30, 40, 1)), 0.7, random())[..., 0]
    assert light.max() == pytest.approx(1)
    assert light.min() == pytest.approx(0.3)
    assert np.allclose(np.diff(light, 2, axis=0), 0)
    assert np.allclose(np.diff(light, 2, axis=1), 0)


def test_fog_is_white_and_between_half_as_dense_and_as_dense_as_said():
    on_black = corruptions.fog(np.zeros((50, 70, 1)), 0.6, random())
    assert on_black.min() == pytest.approx(0.3)
    assert on_black.max() == pytest.approx(0.6)
    assert np.allclose(corruptions.fog(np.ones((50, 70, 1)), 0.6, random()), 1)


def test_noise_has_the_deviation_that_is_said():
    assert corruptions.noise(np.zeros((200, 200, 1)), 0.18, random()).std() == pytest.approx(0.18, rel=0.02)


def test_blur_spreads_a_point_by_its_deviation():
    point = np.zeros((81, 101, 1))
    point[40, 50] = 1
    spread = corruptions.blur(point, 4 / 101, random())[..., 0]
    assert spread.sum() == pytest.approx(1)
    assert (spread.sum(1) * (np.arange(81) - 40) ** 2).sum() == pytest.approx(16, rel=0.01)


@pytest.mark.parametrize("share", CORRUPTIONS["occlusion"].amounts)
def test_an_occlusion_hides_its_share_of_the_area(share):
    hidden = corruptions.occlusion(np.zeros((300, 400, 1)), share, random()) == 0.5
    assert hidden.mean() == pytest.approx(share, abs=0.005)
    assert hidden.any(1).sum() * hidden.any(0).sum() == hidden.sum()  # one rectangle


def test_a_shift_is_as_far_as_is_said_and_a_rotation_turns_by_its_degrees():
    rows, columns = np.mgrid[:101, :121].astype(float)

    def centre(levels):
        weights = levels[..., 0] / levels.sum()
        return np.array([(weights * rows).sum(), (weights * columns).sum()])

    blob = np.exp(-((rows - 50) ** 2 + (columns - 60) ** 2) / 50)[..., None]
    for far in (0.02, 0.2):
        moved = centre(corruptions.shift(blob, far, random())) - centre(blob)
        assert np.hypot(*moved) == pytest.approx(121 * far, rel=0.01)
    beside = np.exp(-((rows - 50) ** 2 + (columns - 85) ** 2) / 50)[..., None]
    down, right = centre(corruptions.rotation(beside, 30, random())) - (50, 60)
    assert np.hypot(down, right) == pytest.approx(25, rel=0.01)
    assert abs(np.degrees(np.arctan2(down, right))) == pytest.approx(30, abs=0.5)


def test_images_of_more_than_8_bits_are_refused():
    with pytest.raises(DataError, match="8 bits"):
        corrupted(photograph().astype(float), "fog", 1, random())


@pytest.mark.parametrize("name", ["digits", "mnist", "cifar10", "norb", "caltech101", "image_folder"])
def test_at_strength_0_images_are_those_of_the_data_set_to_the_last_digit(made, load, settings, name):
    if name != "digits":
        made(name)
    data, dataset = settings(name).data, load(name)
    some = torch.arange(0, len(dataset.names), 3)
    clean = dataset.pixels(some)
    for corruption in CORRUPTIONS:
        assert torch.equal(Corrupted(data, dataset, corruption, 0, seed=0)[some], clean), corruption
        changed = Corrupted(data, dataset, corruption, 5, seed=0)[some]
        assert changed.shape == clean.shape
        assert changed.dtype == clean.dtype
        assert not torch.equal(changed, clean), corruption


def test_an_image_is_corrupted_alike_wherever_it_stands(load, settings):
    data, dataset = settings("digits").data, load("digits")
    images = Corrupted(data, dataset, "noise", 3, seed=1)
    assert torch.equal(images[torch.tensor([5, 2])][1], images[torch.tensor([2])][0])
    assert not torch.equal(images[torch.tensor([2])], Corrupted(data, dataset, "noise", 3, seed=2)[torch.tensor([2])])


def test_images_that_were_not_kept_as_decoded_are_refused(load, settings):
    dataset = dataclasses.replace(load("digits"), images=torch.zeros(1797, 1, 28, 28))
    with pytest.raises(DataError, match=r"test\.corrupted=true needs decoded images; data=digits"):
        Corrupted(settings("digits").data, dataset, "noise", 1, 0)[torch.tensor([0])]
