import shutil

import numpy as np
import pytest
import torch

from multistage import data
from multistage.data import image_folder
from multistage.data.caltech101 import decode, prepare
from multistage.data.images import read_rgb
from multistage.settings.tree import parse

SHAPES = {
    "bird/a.png": (40, 60, 3),
    "bird/b.jpg": (60, 40),
    "dog/c.JPG": (33, 33, 3),
    "dog/d.png": (9, 200),
    "dog/e.bmp": (1, 7, 3),
}


@pytest.fixture
def folder(root, write_image):
    for name, shape in SHAPES.items():
        write_image(root / name, shape)
    return root


def test_any_images_of_any_size_are_prepared(folder, config):
    dataset = parse(config("image_folder", image_size=30)).data.load()
    assert dataset.images.shape == (5, 1, 30, 30)
    assert dataset.class_names == ("bird", "dog")
    assert dataset.labels.tolist() == [0, 0, 1, 1, 1]
    assert list(dataset.names) == sorted(SHAPES)
    assert dataset.is_test is None
    for name, image in zip(dataset.names, dataset.images, strict=True):
        assert torch.equal(image, prepare(read_rgb(folder / name), 30))


def test_the_form_of_the_variance_is_the_one_asked_for(folder, config):
    image = np.random.default_rng(0).integers(0, 256, (38, 38), dtype=np.uint8)
    image[:, :19] //= 32
    data.images.Image.fromarray(image).save(folder / "bird/a.png")
    one, two = (
        parse(config("image_folder", image_size=30, variance=v)).data.load().images for v in ("one_pass", "two_pass")
    )
    assert torch.equal(one[0], prepare(image, 30, "one_pass"))
    assert torch.equal(two[0], prepare(image, 30, "two_pass"))
    assert not torch.equal(one[0], two[0])


@pytest.mark.parametrize("content", [b"", b"some text"], ids=["empty", "text"])
def test_an_unreadable_file_is_named(folder, config, refused, content):
    (folder / "dog/notes.txt").write_bytes(content)
    with refused(folder / "dog/notes.txt"):
        parse(config("image_folder", image_size=30)).data.load()


def test_a_truncated_image_is_named(folder, config, refused):
    content = (folder / "bird/b.jpg").read_bytes()
    (folder / "bird/b.jpg").write_bytes(content[: len(content) // 2])
    with refused(folder / "bird/b.jpg"):
        parse(config("image_folder", image_size=30)).data.load()


def test_hidden_files_and_files_beside_the_class_folders_are_left_out(folder, config):
    (folder / "dog/.DS_Store").write_bytes(b"x")
    (folder / "README.txt").write_bytes(b"x")
    assert list(parse(config("image_folder", image_size=30)).data.load().names) == sorted(SHAPES)


def test_hidden_folders_are_no_classes(folder, config):
    (folder / ".ipynb_checkpoints").mkdir()
    shutil.copy(folder / "dog/d.png", folder / ".ipynb_checkpoints/d.png")
    assert parse(config("image_folder", image_size=30)).data.load().class_names == ("bird", "dog")


@pytest.mark.parametrize("removed", ["bird", "bird and dog"])
def test_fewer_than_two_classes_are_refused(folder, config, refused, removed):
    for name in removed.split(" and "):
        shutil.rmtree(folder / name)
        (folder / name).mkdir()  # without images it is no class
    with refused(f"data.root={folder}", "fewer than two class folders"):
        parse(config("image_folder", image_size=30)).data.load()


@pytest.mark.parametrize("name", ["nowhere", "file"])
def test_what_is_no_folder_is_refused(tmp_path, config, refused, name):
    (tmp_path / "file").touch()
    with refused(f"data.root={tmp_path / name}", "not a folder"):
        parse(config("image_folder", root=str(tmp_path / name))).data.load()


def test_the_content_hash_follows_contents_and_names(folder, config, write_image):
    def content_hash():
        return parse(config("image_folder", image_size=30)).data.load().content_hash

    hashes = [content_hash(), content_hash()]
    assert hashes[0] == hashes[1]
    write_image(folder / "dog/d.png", (9, 201))
    hashes.append(content_hash())
    (folder / "dog/e.bmp").rename(folder / "dog/f.bmp")
    hashes.append(content_hash())
    (folder / "dog/f.bmp").rename(folder / "bird/f.bmp")
    hashes.append(content_hash())
    (folder / "bird/f.bmp").unlink()
    hashes.append(content_hash())
    assert len(set(hashes)) == 5


def test_images_are_decoded_again_only_when_something_changed(folder, config, write_image, monkeypatch):
    calls = []
    monkeypatch.setattr(image_folder, "decode", lambda *args: calls.append(args) or decode(*args))
    first, second = (parse(config("image_folder", image_size=30)).data.load() for _ in range(2))
    assert torch.equal(first.images, second.images)
    assert len(calls) == 1
    write_image(folder / "dog/d.png", (9, 201))
    changed = parse(config("image_folder", image_size=30)).data.load()
    assert len(calls) == 2
    assert not torch.equal(changed.images[3], first.images[3])
    parse(config("image_folder", image_size=31)).data.load()
    parse(config("image_folder", image_size=31, variance="two_pass")).data.load()
    assert len(calls) == 4


def test_an_unchanged_copy_elsewhere_is_the_same_set(folder, config, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    here = parse(config("image_folder", image_size=30)).data.load()
    there = parse(config("image_folder", image_size=30, root=str(tmp_path / "copy"))).data.load()
    assert here.content_hash == there.content_hash
    assert torch.equal(here.images, there.images)
    flat = config("image_folder", train_per_class=1, test_per_class=1)
    assert parse(flat).draw.of(here).digest == parse(flat).draw.of(there).digest
