import math
import shutil

import numpy as np
import pytest
import torch
from data.sets import PHOTOGRAPHS

from multistage.data import manifest
from multistage.data.files import Files
from multistage.data.images import read_image
from multistage.data.preprocessing import globally, pad_to_square, prepare, preprocess
from multistage.layers.contrast_norm import local_contrast_norm


def picture(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def slow_preprocess(gray):
    x = gray.astype(np.float64)
    x = (x - x.mean()) / x.std(ddof=1)
    window = np.array([[math.exp(-(p * p + q * q) / 2.25**2) for q in range(-4, 5)] for p in range(-4, 5)])
    window /= window.sum()
    height, width = x.shape[0] - 8, x.shape[1] - 8
    y = np.zeros((height, width))
    for j in range(height):
        for k in range(width):
            patch = x[j : j + 9, k : k + 9]
            mean, square = (window * patch).sum(), (window * patch**2).sum()
            y[j, k] = (x[j + 4, k + 4] - mean) / max(1, math.sqrt(max(0, square - mean**2)))
    side = max(height, width)
    square = np.zeros((side, side))
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = y
    return square


@pytest.mark.parametrize("shape", [(23, 23), (23, 18), (15, 24), (9, 20)], ids=str)
def test_preprocess_is_the_slow_definition(shape):
    gray = picture(*shape)
    gray[: shape[0] // 2, : shape[1] // 2] //= 8  # somewhere the floor of 1 must act
    assert np.abs(preprocess(gray)[0].numpy() - slow_preprocess(gray)).max() < 1e-5


@pytest.mark.parametrize("shape", [(151, 151), (151, 90), (63, 151), (151, 9), (151, 3), (1, 151)], ids=str)
@pytest.mark.parametrize("variance", ["one_pass", "two_pass"])
def test_the_shape_is_square_whatever_the_image(shape, variance):
    x = preprocess(picture(*shape), variance)
    assert x.shape == (1, 143, 143)
    assert x.dtype == torch.float32
    assert x.isfinite().all()


def test_padding_is_centred_with_the_odd_row_or_column_last():
    wide = preprocess(picture(20, 31))[0]  # 12 x 23 of it inside, 11 rows to fill
    assert torch.equal((wide != 0).any(1), torch.tensor([False] * 5 + [True] * 12 + [False] * 6))
    assert torch.equal(preprocess(picture(20, 31).T.copy())[0] != 0, (wide != 0).T)
    assert pad_to_square(torch.ones(2, 3)).tolist() == [[1, 1, 1], [1, 1, 1], [0, 0, 0]]
    assert pad_to_square(torch.ones(4, 1)).tolist() == [[0, 1, 0, 0]] * 4
    assert pad_to_square(torch.ones(2, 2)).tolist() == [[1, 1]] * 2


@pytest.mark.parametrize("variance", ["one_pass", "two_pass"])
@pytest.mark.parametrize("level", [0, 77, 255])
def test_a_flat_image_becomes_0(variance, level):
    assert preprocess(np.full((151, 100), level, np.uint8), variance).abs().max() < 1e-6


@pytest.mark.parametrize("colour", ["gray", "rgb", "yuv"])
@pytest.mark.parametrize("level", [12345, 65535, 0.1])
def test_a_flat_image_of_many_levels_becomes_0_after_resizing(colour, level):
    image = np.full((50, 70), level, np.uint16 if level > 1 else np.float64)
    assert prepare(image, colour=colour).abs().max() == 0
    assert globally(image, 64, colour).abs().max() == 0


@pytest.mark.parametrize("variance", ["one_pass", "two_pass"])
def test_below_the_floor_of_1_the_deviation_does_not_divide(variance):
    gray = picture(60, 60)
    gray[:, :30] = 100 + gray[:, :30] % 16
    x = torch.from_numpy(gray.astype(np.float64))
    x = (x - x.mean()) / x.std()
    window = torch.exp(-((torch.arange(-4, 5) / 2.25) ** 2)).double()
    window = torch.outer(window, window) / window.sum() ** 2
    centred = x - torch.nn.functional.conv2d(x[None, None], window[None, None], padding=4)[0, 0]
    inside = (slice(8, 44), slice(4, 18))  # left part, away from the edge between the two
    ours = preprocess(gray, variance)[0][inside]
    assert (ours - centred[4:-4, 4:-4][inside]).abs().max() < 1e-5
    assert preprocess(gray, variance)[0][:, 40:].std() < 1.01


@pytest.mark.parametrize("change", [lambda g: g // 2 + 60, lambda g: g // 2], ids=["brighter", "darker"])
def test_brightness_and_contrast_do_not_matter(change):
    even = picture(40, 40) & 0xFE
    assert (preprocess(change(even)) - preprocess(even)).abs().max() < 1e-5


def test_flipping_commutes_with_preprocessing():
    gray = picture(31, 31)
    assert torch.allclose(preprocess(gray[::-1, ::-1].copy()), preprocess(gray).flip(1, 2), atol=1e-5)
    assert torch.allclose(preprocess(gray.T.copy()), preprocess(gray).mT, atol=1e-5)


def test_the_two_forms_of_the_variance_differ_but_little():
    gray = picture(151, 151)
    gray[:, :75] = 128 + gray[:, :75] // 64  # so that elsewhere the local deviation is above the floor
    difference = preprocess(gray, "one_pass") - preprocess(gray, "two_pass")
    assert difference.abs().max() > 1e-3
    assert difference.square().mean().sqrt() < 0.1
    assert difference[:, :, :60].abs().max() == 0


def test_two_pass_is_the_network_s_own_normalisation_inside():
    gray = picture(40, 33)
    x = torch.from_numpy(gray.astype(np.float64))
    x = (x - x.mean()) / x.std()
    whole = local_contrast_norm(x[None, None], floor=1.0, border="reflect")[0, 0]
    ours = preprocess(gray, "two_pass")[0][:, 3:-4]
    assert (ours[4:-4, 4:-4] - whole[8:-8, 8:-8]).abs().max() < 1e-5


def test_an_unknown_variance_is_refused():
    with pytest.raises(ValueError, match="'one_pass' or 'two_pass', not 'three_pass'"):
        preprocess(picture(20, 20), "three_pass")


def test_preparing_real_files_agrees_with_the_authors(golden, real_data):
    demo = golden("authors_rr_demo.npz")
    for name, expected in zip(demo["names"], demo["preprocessed"], strict=True):
        ours = prepare(read_image(real_data / "caltech101/101_ObjectCategories" / str(name)))[0].numpy()
        assert np.abs(ours - expected).mean() < 0.01
        assert np.corrcoef(ours.ravel(), expected.ravel())[0, 1] > 0.999


@pytest.mark.parametrize("shape", [(40, 60), (40, 60, 3), (700, 3, 3), (1, 1), (1, 500, 3)], ids=str)
@pytest.mark.parametrize("side", [143, 20])
def test_any_image_is_prepared_at_any_size(shape, side):
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    x = prepare(image, side)
    assert x.shape == (1, side, side)
    assert x.isfinite().all()


@pytest.fixture
def folder(made):
    return made("caltech101").folder


@pytest.fixture
def decodings(monkeypatch):
    """How many images were decoded, each time that some were."""
    calls, take = [], Files.__getitem__
    monkeypatch.setattr(Files, "__getitem__", lambda self, chosen: calls.append(len(chosen)) or take(self, chosen))
    return calls


def test_load_gives_every_image_under_its_class(folder, load, digests):
    (folder / "BACKGROUND_Google").mkdir()
    listed = digests(folder)
    (folder / "BACKGROUND_Google/tmp").write_bytes(b"as in the original archive")
    dataset = load("caltech101")
    assert dataset.class_names == ("ant", "bee", "cat")
    assert dataset.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert dataset.labels.dtype == torch.int64
    assert list(dataset.names) == sorted(PHOTOGRAPHS)
    assert dataset.is_test is None
    assert dataset.images.dtype == torch.float32
    assert dataset.content_hash == manifest.digest(listed)
    for name, image in zip(dataset.names, dataset.images, strict=True):
        assert torch.equal(image, prepare(read_image(folder / name), 24))


@pytest.mark.parametrize("name", ["ant/image_0004.jpg", "ant/tmp", "dog/image_0001.jpg", "image_0001.jpg"])
def test_a_stray_file_is_refused_by_name(folder, load, refused, name):
    (folder / name).parent.mkdir(exist_ok=True)
    shutil.copy(folder / "ant/image_0001.jpg", folder / name)
    with refused(f"1 unexpected: {name}"):
        load("caltech101")


def test_damage_is_noticed_although_the_images_are_cached(folder, load, refused, flip_byte):
    load("caltech101")
    flip_byte(folder / "ant/image_0001.jpg", 300)
    with refused("1 changed: ant/image_0001.jpg"):
        load("caltech101")


def test_images_are_decoded_once_for_each_way_to_prepare_them(folder, load, decodings):
    first, second = (load("caltech101") for _ in range(2))
    assert len(decodings) == 1
    assert torch.equal(first.images, second.images)
    two_pass = load("caltech101", variance="two_pass")
    assert len(decodings) == 2
    assert not torch.equal(two_pass.images, first.images)
    assert load("caltech101", image_size=25).images.shape == (9, 1, 25, 25)
    assert len(decodings) == 3


@pytest.mark.usefixtures("folder")
def test_a_class_too_small_for_the_draw_is_named(load, settings, refused):
    with refused("'ant' has 3 images", "data.train_per_class=3"):
        settings("caltech101", train_per_class=3, test_per_class=None).draw.of(load("caltech101"))


@pytest.mark.slow
def test_the_real_caltech101_is_complete(real_data, load, settings):
    dataset = load("caltech101", image_size=143, root=str(real_data))
    assert dataset.images.shape == (9144, 1, 143, 143)
    assert dataset.images.isfinite().all()
    assert dataset.images.flatten(1).std(1).min() > 0.1
    assert len(dataset.class_names) == 102
    assert torch.equal(dataset.labels.unique(), torch.arange(102))
    split = settings("caltech101").draw.of(dataset)
    assert len(split.train) == 3060


# Global contrast normalisation alone


@pytest.mark.parametrize(("maps", "colour"), [(1, "gray"), (3, "rgb")])
def test_images_without_local_normalisation_have_mean_zero_and_deviation_one(maps, colour):
    image = np.random.default_rng(0).integers(0, 256, (40, 20, 3), np.uint8)
    x = globally(image, 40, colour)
    assert x.shape == (maps, 40, 40)
    inside = x[:, :, 10:30].double()
    assert inside.mean().abs() < 1e-6
    assert abs(inside.std() - 1) < 1e-6
    assert not x[:, :, :10].any()
    assert not x[:, :, 30:].any()
    if maps == 3:
        expected = (image - image.mean()) / image.std(ddof=1)
        assert np.abs(inside.permute(1, 2, 0).numpy() - expected).max() < 1e-5


def test_depth_needs_no_setting_without_local_normalisation_either():
    image = np.random.default_rng(0).integers(0, 128, (30, 30), np.uint8)
    assert torch.allclose(globally(image.astype(np.uint16) * 257, 30), globally(image, 30), atol=1e-5)
    assert not globally(np.full((9, 5), 200, np.uint8), 16).any()


def test_luminance_of_colour_is_prepared_as_a_gray_image_is(real_data):
    image = read_image(next((real_data / "caltech101/101_ObjectCategories/sunflower").glob("*.jpg")))
    for way in (lambda colour: prepare(image, colour=colour), lambda colour: globally(image, 143, colour)):
        gray, yuv = way("gray"), way("yuv")
        assert yuv.shape == (3, 143, 143)
        assert (yuv[:1] - gray).abs().max() < 0.1  # gray levels are rounded to whole ones, luminance is not
        assert yuv[1:].abs().amax((1, 2)).min() > 0.3


def test_differences_of_colour_are_zero_where_an_image_is_gray():
    gray = picture(40, 30)
    assert not globally(gray, 40, "yuv")[1:].abs().max() > 1e-6
    assert not prepare(gray, 32, colour="yuv")[1:].abs().max() > 1e-6


def test_differences_of_colour_in_numbers():
    """A red and a blue half: gray is 0.298936 and 0.114021, blue less gray times 0.492, red less gray times 0.877."""
    image = np.zeros((20, 20, 3), np.uint8)
    image[:, :10, 0] = image[:, 10:, 2] = 200
    x = globally(image, 20, "yuv")
    apart = 0.298936 - 0.114021
    deviation = apart / 2 * (400 / 399) ** 0.5
    assert torch.allclose(x[0, 0, [0, -1]], torch.tensor([apart / 2, -apart / 2]) / deviation, atol=1e-5)
    assert torch.allclose(x[1, 0, [0, -1]], 0.492 * torch.tensor([-0.298936, 1 - 0.114021]) / deviation, atol=1e-5)
    assert torch.allclose(x[2, 0, [0, -1]], 0.877 * torch.tensor([1 - 0.298936, -0.114021]) / deviation, atol=1e-5)


def test_an_image_whose_colours_are_equally_bright_keeps_its_content():
    equal = 200 * 0.298936 / 0.587043
    image = np.zeros((20, 20, 3))
    image[:, :10, 0], image[:, 10:, 1] = 200, equal
    for x in (globally(image, 20, "yuv"), prepare(image, 32, colour="yuv")):
        assert x.isfinite().all()
        assert x[0].abs().max() < 1e-3
        assert 0.1 < x[2].abs().max() < 10
    assert not globally(np.full((9, 9, 3), (10, 200, 30), np.uint8), 9, "yuv")[0].abs().max() > 1e-3


@pytest.mark.parametrize("colour", ["rgb", "yuv"])
def test_depth_changes_no_prepared_colour(colour):
    image = np.stack([picture(40, 30), picture(30, 40).T, picture(40, 30)[::-1]], axis=2)
    deep = image.astype(np.uint16) * 257
    assert torch.allclose(prepare(deep, 32, colour=colour), prepare(image, 32, colour=colour), atol=1e-4)


def test_an_unknown_colour_is_refused():
    for way in (lambda image: preprocess(image, colour="hsv"), lambda image: globally(image, 20, "hsv")):
        with pytest.raises(ValueError, match="colour must be one of gray, rgb, yuv, not 'hsv'"):
            way(picture(20, 20))
