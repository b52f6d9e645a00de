"""A folder of class folders of images; what damage does to it is tested in `test_damage`."""

import shutil

import numpy as np
import pytest
import torch
from data.sets import PICTURES

from multistage.data import image_folder
from multistage.data.caltech101 import decode, prepare
from multistage.data.images import read_rgb


@pytest.fixture
def folder(made):
    return made("image_folder").folder


def test_any_images_of_any_size_are_prepared(folder, load):
    dataset = load("image_folder", image_size=30)
    assert dataset.images.shape == (7, 1, 30, 30)
    assert dataset.class_names == ("ant", "bee")
    assert dataset.labels.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert list(dataset.names) == sorted(PICTURES)
    assert dataset.is_test is None
    for name, image in zip(dataset.names, dataset.images, strict=True):
        assert torch.equal(image, prepare(read_rgb(folder / name), 30))


def test_the_form_of_the_variance_is_the_one_asked_for(folder, load, write_image):
    image = np.random.default_rng(0).integers(0, 256, (38, 38), dtype=np.uint8)
    image[:, :19] //= 32
    write_image(folder / "ant/1.png", image)
    one, two = (load("image_folder", image_size=30, variance=form).images[1] for form in ("one_pass", "two_pass"))
    assert torch.equal(one, prepare(image, 30, "one_pass"))
    assert torch.equal(two, prepare(image, 30, "two_pass"))
    assert not torch.equal(one, two)


def test_hidden_files_and_folders_and_files_beside_the_class_folders_are_left_out(folder, load):
    (folder / "bee/.DS_Store").write_bytes(b"x")
    (folder / "README.txt").write_bytes(b"x")
    (folder / ".ipynb_checkpoints").mkdir()
    shutil.copy(folder / "bee/1.png", folder / ".ipynb_checkpoints/1.png")
    dataset = load("image_folder")
    assert list(dataset.names) == sorted(PICTURES)
    assert dataset.class_names == ("ant", "bee")


@pytest.mark.parametrize("removed", [["ant"], ["ant", "bee"]])
def test_fewer_than_two_classes_are_refused(folder, load, refused, removed):
    for name in removed:
        shutil.rmtree(folder / name)
        (folder / name).mkdir()  # without images it is no class
    with refused(f"data.root={folder}", "fewer than two class folders"):
        load("image_folder")


@pytest.mark.parametrize("name", ["nowhere", "file"])
def test_what_is_no_folder_is_refused(tmp_path, load, refused, name):
    (tmp_path / "file").touch()
    with refused(f"data.root={tmp_path / name}", "not a folder"):
        load("image_folder", root=str(tmp_path / name))


def test_the_content_hash_follows_contents_and_names(folder, load, write_image):
    def content_hash():
        return load("image_folder").content_hash

    hashes = [content_hash(), content_hash()]
    assert hashes[0] == hashes[1]
    write_image(folder / "bee/1.png", (9, 201))
    hashes.append(content_hash())
    (folder / "bee/2.bmp").rename(folder / "bee/3.bmp")
    hashes.append(content_hash())
    (folder / "bee/3.bmp").rename(folder / "ant/4.bmp")
    hashes.append(content_hash())
    (folder / "ant/4.bmp").unlink()
    hashes.append(content_hash())
    assert len(set(hashes)) == 5


def test_images_are_decoded_again_only_when_something_changed(folder, load, write_image, monkeypatch):
    calls = []
    monkeypatch.setattr(image_folder, "decode", lambda *args: calls.append(args) or decode(*args))
    first, second = (load("image_folder") for _ in range(2))
    assert torch.equal(first.images, second.images)
    assert len(calls) == 1
    write_image(folder / "bee/1.png", (9, 201))
    changed = load("image_folder")
    assert len(calls) == 2
    assert not torch.equal(changed.images[5], first.images[5])
    load("image_folder", image_size=31)
    load("image_folder", image_size=31, variance="two_pass")
    assert len(calls) == 4


def test_an_unchanged_copy_elsewhere_is_the_same_set(folder, load, settings, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    here, there = load("image_folder"), load("image_folder", root=str(tmp_path / "copy"))
    assert here.content_hash == there.content_hash
    assert torch.equal(here.images, there.images)
    draw = settings("image_folder", train_per_class=1, test_per_class=1).draw
    assert draw.of(here).digest == draw.of(there).digest
