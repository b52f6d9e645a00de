import hashlib
import pickle

import numpy as np
import pytest
import torch
from torchvision.datasets import CIFAR10

from multistage.data import data_sets, manifest
from multistage.data.sets.caltech101 import Preprocessed
from multistage.data.splits import draw_split
from multistage.registry.errors import MultistageError
from multistage.settings.tree import parse

KINDS = {"digits": (1, 28), "mnist": (1, 28), "cifar10": (3, 32), "norb": (2, 96), "fake": (1, 28)}
KINDS |= {"caltech101": (1, 143), "image_folder": (1, 60)}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("shape", [(28, 28), (40, 60, 3), (300, 20), (3, 5, 3)], ids=str)
def test_any_image_file_becomes_what_the_network_takes(tmp_path, write_image, config, name, shape):
    maps, side = KINDS[name]
    path = write_image(tmp_path / "a.png", shape)
    x = parse(config(name, maps=maps, image_size=side)).data.prepare(path)
    assert x.dtype == torch.float32
    assert x.shape == (maps, side, side)
    assert x.isfinite().all()
    if not issubclass(data_sets[name], Preprocessed):
        assert abs(x.mean()) < 1e-5
        assert abs(x.std(correction=0) - 1) < 1e-5


@pytest.mark.parametrize("name", KINDS)
def test_a_flat_image_file_becomes_0(tmp_path, write_image, config, name):
    maps, side = KINDS[name]
    path = write_image(tmp_path / "a.png", np.full((30, 40), 200, np.uint8))
    assert parse(config(name, maps=maps, image_size=side)).data.prepare(path).abs().max() < 1e-6


@pytest.mark.parametrize("name", KINDS)
def test_a_file_that_is_no_image_is_named(tmp_path, config, refused, name):
    maps, side = KINDS[name]
    (tmp_path / "a.png").write_bytes(b"no image")
    with refused(tmp_path / "a.png"):
        parse(config(name, maps=maps, image_size=side)).data.prepare(tmp_path / "a.png")


def test_a_gray_image_is_the_same_gray_or_in_colour(tmp_path, write_image, config):
    gray = np.random.default_rng(0).integers(0, 256, (30, 40), dtype=np.uint8)
    one = write_image(tmp_path / "gray.png", gray)
    three = write_image(tmp_path / "colour.png", np.repeat(gray[:, :, None], 3, 2))
    for name, (maps, side) in KINDS.items():
        flat = config(name, maps=maps, image_size=side)
        assert torch.equal(parse(flat).data.prepare(one), parse(flat).data.prepare(three))


def test_a_digit_in_a_file_is_the_digit_of_the_data_set(tmp_path, write_image, config):
    small = parse(config("digits", image_size=8)).data.load()
    flat = config("digits", image_size=28)
    dataset = parse(flat).data.load()
    for index in (0, 11, 1796):
        path = write_image(tmp_path / f"{index}.png", small.images[index, 0].numpy())
        assert torch.equal(parse(flat).data.prepare(path), dataset.pixels(torch.tensor([index]))[0])


def test_a_colour_image_in_a_file_is_the_image_of_the_data_set(tmp_path, root, write_image, config, monkeypatch):
    batches = [[f"data_batch_{n}", None] for n in range(1, 6)]
    monkeypatch.setattr(CIFAR10, "train_list", batches)
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", None]])
    monkeypatch.setattr(CIFAR10, "meta", CIFAR10.meta | {"md5": None})
    pixels = np.random.default_rng(0).integers(0, 256, (1, 3072), dtype=np.uint8)
    (root / "cifar-10-batches-py").mkdir()
    for name, content in (
        *((name, {"data": pixels, "labels": [0]}) for name, _ in [*batches, ["test_batch", None]]),
        ("batches.meta", {"label_names": ["a"]}),
    ):
        (root / "cifar-10-batches-py" / name).write_bytes(pickle.dumps(content))
    flat = config("cifar10", image_size=32, maps=3)
    path = write_image(tmp_path / "a.png", pixels.reshape(3, 32, 32).transpose(1, 2, 0))
    assert torch.equal(parse(flat).data.prepare(path), parse(flat).data.load().pixels(torch.tensor([0]))[0])


@pytest.mark.parametrize("variance", ["one_pass", "two_pass"])
@pytest.mark.parametrize("name", ["caltech101", "image_folder"])
def test_a_photograph_is_prepared_as_when_it_is_loaded(root, write_image, config, monkeypatch, name, variance):
    folder = root / "caltech101/101_ObjectCategories" if name == "caltech101" else root
    names = {"ant/a.jpg": (60, 90, 3), "bee/b.jpg": (90, 60), "bee/c.jpg": (30, 30, 3)}
    paths = [write_image(folder / n, shape) for n, shape in names.items()]
    expected = {n: hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in names}
    monkeypatch.setattr(manifest, "read", lambda name: expected)
    flat = config(name, variance=variance)
    loaded = parse(flat).data.load().pixels(torch.arange(3))
    for path, image in zip(paths, loaded, strict=True):
        assert torch.equal(parse(flat).data.prepare(path), image)


def test_split_takes_its_numbers_from_the_configuration(config):
    flat = config("fake", classes=2, image_size=12, train_per_class=9, test_per_class=5, validation=2) | {"draw": 3}
    dataset = parse(flat).data.load()
    assert parse(flat).draw.of(dataset).digest == draw_split(dataset, 3, 9, 5, 2).digest


@pytest.mark.parametrize(("name", "maps"), [("digits", 3), ("image_folder", 3)])
def test_maps_that_a_data_set_does_not_have_are_refused(root, write_image, config, name, maps):
    write_image(root / "a/a.png", (9, 9))
    write_image(root / "b/b.png", (9, 9))
    with pytest.raises(MultistageError):
        parse(config(name, image_size=28, maps=maps)).data.load()
