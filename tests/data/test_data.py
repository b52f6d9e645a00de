import numpy as np
import pytest
import torch
from data.conftest import SIZES

from multistage.data import data_sets
from multistage.data.sets.caltech101 import Preprocessed
from multistage.data.splits import draw_split
from multistage.registry.errors import MultistageError

each_kind = pytest.mark.parametrize("name", SIZES)


def prepared(data, path):
    """An image file as a network that was trained on a data set takes it."""
    return data.prepare(data.decode(path))


def test_every_data_set_is_known_here():
    assert {*SIZES} == {*data_sets}


@each_kind
@pytest.mark.parametrize("shape", [(28, 28), (40, 60, 3), (300, 20), (3, 5, 3)], ids=str)
def test_any_image_file_becomes_what_the_network_takes(tmp_path, write_image, settings, name, shape):
    maps, side = SIZES[name]
    x = prepared(settings(name).data, write_image(tmp_path / "a.png", shape))
    assert x.dtype == torch.float32
    assert x.shape == (maps, side, side)
    assert x.isfinite().all()
    if not issubclass(data_sets[name], Preprocessed):
        assert abs(x.mean()) < 1e-5
        assert abs(x.std(correction=0) - 1) < 1e-5


@each_kind
def test_a_flat_image_file_becomes_0_and_one_that_is_no_image_is_named(tmp_path, write_image, settings, refused, name):
    path = write_image(tmp_path / "a.png", np.full((30, 40), 200, np.uint8))
    assert prepared(settings(name).data, path).abs().max() < 1e-6
    path.write_bytes(b"no image")
    with refused(path):
        prepared(settings(name).data, path)


@each_kind
def test_a_gray_image_is_the_same_gray_or_in_colour(tmp_path, write_image, settings, name):
    gray = np.random.default_rng(0).integers(0, 256, (30, 40), dtype=np.uint8)
    one = write_image(tmp_path / "gray.png", gray)
    three = write_image(tmp_path / "colour.png", np.repeat(gray[:, :, None], 3, 2))
    assert torch.equal(prepared(settings(name).data, one), prepared(settings(name).data, three))


def test_a_digit_in_a_file_is_the_digit_of_the_data_set(tmp_path, write_image, settings, load):
    small, dataset = load("digits", image_size=8), load("digits")
    for index in (0, 11, 1796):
        path = write_image(tmp_path / f"{index}.png", small.images[index, 0].numpy())
        assert torch.equal(prepared(settings("digits").data, path), dataset.pixels(torch.tensor([index]))[0])


def test_a_colour_image_in_a_file_is_the_image_of_the_data_set(tmp_path, write_image, made, settings, load):
    path = write_image(tmp_path / "a.png", made("cifar10").truth.images[0].transpose(1, 2, 0))
    assert torch.equal(prepared(settings("cifar10").data, path), load("cifar10").pixels(torch.tensor([0]))[0])


@pytest.mark.parametrize("variance", ["one_pass", "two_pass"])
@pytest.mark.parametrize("name", ["caltech101", "image_folder"])
def test_a_photograph_is_prepared_as_when_it_is_loaded(made, settings, load, name, variance):
    data = made(name)
    chosen = settings(name, variance=variance).data
    loaded = load(name, variance=variance).pixels(torch.arange(len(data.files)))
    for path, image in zip(data.files, loaded, strict=True):
        assert torch.equal(prepared(chosen, path), image)


def test_split_takes_its_numbers_from_the_configuration(settings, load):
    dataset = load("fake", classes=2)
    drawn = settings("fake", draw=3, train_per_class=9, test_per_class=5, validation=2).draw
    assert drawn.of(dataset).digest == draw_split(dataset, 3, 9, 5, 2).digest


@pytest.mark.parametrize("name", ["digits", "image_folder"])
def test_maps_that_a_data_set_does_not_have_are_refused(made, load, name):
    if name == "image_folder":
        made(name)
    with pytest.raises(MultistageError):
        load(name, maps=3)
