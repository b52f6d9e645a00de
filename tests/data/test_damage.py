"""Damaged inputs through the real loaders: each is refused by name, or its change shows in the content hash.

A case changes one file of a small, faithful data set; afterwards that file is restored, so that every case starts from
the same set.
"""

import gzip
import logging
import os
import shutil
from collections import Counter

import pytest
import torch
from data.damage import CASES, FILES, NORB_HEADERS, OF_IMAGES, become, bombs, flip, truncate
from data.sets import packed
from PIL import ImageFile

from multistage.data import manifest
from multistage.data.images import read_image
from multistage.data.sets.mnist import Mnist
from multistage.registry.errors import DataError
from multistage.settings.config import options


@pytest.fixture
def data(made, load):
    """``data("mnist")``: a small data set, as its files and a function that loads it."""
    return lambda name: (made(name).files, lambda **changes: load(name, **changes))


def damaged(files, damages):
    """Each of some files with each damage, restored afterwards: (file, kind of damage)."""
    for path in files[:FILES]:
        before = path.read_bytes()
        for damage in damages:
            damage.apply(path)
            yield path, damage.kind
            if path.is_dir():
                path.rmdir()
            for other in path.parent.glob(f"{path.name}.*"):
                other.unlink()
            path.write_bytes(before)


def refusal(load):
    """The message that a data set is refused with, or None and what was accepted; other exceptions pass."""
    try:
        return None, load()
    except DataError as error:
        return str(error), None


def assert_named(message, path, kind=""):
    assert message is not None, f"accepted: {path.name} {kind}"
    assert path.name in message, f"not named: {path.name} {kind}: {message}"
    assert message.isprintable(), "more than one line"


def assert_is_whole_without(dataset, whole, name):
    kept = [index for index, other in enumerate(whole.names) if other != name]
    assert list(dataset.names) == [whole.names[index] for index in kept]
    everything = torch.arange(len(kept))
    assert torch.equal(dataset.pixels(everything), whole.pixels(torch.tensor(kept)))
    assert torch.equal(dataset.labels, whole.labels[kept])
    assert dataset.class_names == whole.class_names
    assert dataset.content_hash != whole.content_hash


@pytest.mark.parametrize("name", ["caltech101", "mnist"])
def test_whatever_differs_from_a_manifest_is_named_and_refused(data, name):
    files, load = data(name)
    before = load()
    for path, kind in damaged(files, CASES[name]):
        assert_named(refusal(load)[0], path, kind)
    after = load()
    assert after.content_hash == before.content_hash
    assert torch.equal(after.images, before.images)


def test_an_image_of_a_folder_is_named_and_refused_or_changes_the_hash_and_can_be_left_out(data, caplog):
    files, load = data("image_folder")
    whole, refused = load(), Counter()
    for path, kind in damaged(files, OF_IMAGES):
        name = f"{path.parent.name}/{path.name}"
        message, dataset = refusal(load)
        if kind in ("missing", "renamed", "folder"):  # another data set, but none that is damaged
            assert dataset is not None
        elif kind != "flipped bit" or path.suffix == ".png" or dataset is None:
            assert_named(message, path, kind)
            refused[kind] += 1
        assert dataset is None or dataset.content_hash != whole.content_hash
        caplog.clear()
        rest = load(skip_damaged=True)
        assert rest.content_hash != whole.content_hash
        assert (rest.skipped == (name,)) == (message is not None), kind
        assert len(caplog.records) == len(rest.skipped) == (name in caplog.text)
        if rest.skipped:
            assert_is_whole_without(rest, whole, name)
    assert refused["flipped bit"] > 9  # all of the PNG file, whose format has checksums
    assert sum(refused.values()) > 60
    restored = load(skip_damaged=True)
    assert restored.skipped == ()
    assert restored.content_hash == load().content_hash == whole.content_hash


def test_norb_is_refused_by_name_or_its_hash_follows_what_was_read(data):
    files, load = data("norb")
    before, refused = load(), Counter()
    for path, kind in damaged(files, CASES["norb"]):
        message, dataset = refusal(load)
        if dataset is None:
            assert path.name[: -len("-dat.mat")] in message
            assert message.isprintable()
            refused[kind] += 1
        else:
            assert kind == "flipped bit"
            same = torch.equal(dataset.images, before.images) and torch.equal(dataset.labels, before.labels)
            assert (dataset.content_hash == before.content_hash) == same
    assert refused["flipped bit"] >= FILES * len(NORB_HEADERS)
    assert sum(refused.values()) >= FILES * (len(CASES["norb"]) - 9)


@pytest.mark.parametrize("name", CASES)
def test_what_is_not_damaged_is_accepted_and_the_checks_would_notice(data, name):
    files, load = data(name)
    message, dataset = refusal(load)
    assert dataset.skipped == ()
    with pytest.raises(AssertionError, match="accepted"):
        assert_named(message, files[0])
    with pytest.raises(AssertionError, match="not named"):
        assert_named("something is wrong", files[0])


@pytest.mark.parametrize("name", ["caltech101", "mnist"])
def test_a_wrong_checksum_is_refused_by_name(data, name, monkeypatch):
    _, load = data(name)
    expected = manifest.read(name)
    for listed, digest in expected.items():
        wrong = expected | {listed: digest[:-1] + ("0" if digest[-1] != "0" else "1")}
        monkeypatch.setattr(manifest, "read", {name: wrong}.__getitem__)
        assert f"1 changed: {listed}" in refusal(load)[0]


def test_packed_files_of_mnist_are_not_unpacked_when_damaged(data, monkeypatch):
    files, load = data("mnist")
    contents = {path.name: gzip.compress(path.read_bytes()) for path in files}
    monkeypatch.setattr(Mnist, "packed", packed({f"{name}.gz": content for name, content in contents.items()}))
    for victim in contents:
        for damage in (truncate(0.5), flip(0.5, 3), become("wrong type", b"hello")):
            for path in files[0].parent.iterdir():
                path.unlink()
            for name, content in contents.items():
                files[0].with_name(f"{name}.gz").write_bytes(content)
            damage.apply(files[0].with_name(f"{victim}.gz"))
            assert_named(refusal(load)[0], files[0].with_name(victim), damage.kind)


def test_caltech101_without_its_damaged_files_is_stamped(data, caplog):
    files, load = data("caltech101")
    whole = load()
    one_of_each_kind = {damage.kind: damage for damage in OF_IMAGES}
    for path, kind in damaged(files, one_of_each_kind.values()):
        name = f"{path.parent.name}/{path.name}"
        caplog.clear()
        dataset = load(skip_damaged=True)
        assert dataset.skipped == ((name, f"{name}.part") if kind == "renamed" else (name,))
        assert [record.levelno for record in caplog.records] == [logging.WARNING]
        assert name in caplog.text
        assert_is_whole_without(dataset, whole, name)
        assert_named(refusal(load)[0], path, kind)  # which the cache does not excuse
    restored = load(skip_damaged=True)
    assert restored.skipped == ()
    assert restored.content_hash == whole.content_hash


def test_stray_files_are_refused_or_named_as_left_out(data):
    files, load = data("caltech101")
    whole = load()
    shutil.copy(files[0], files[0].with_name("copy\nof.jpg"))
    message, _ = refusal(load)
    assert "1 unexpected: ant/copy\\nof.jpg" in message
    assert message.isprintable()
    dataset = load(skip_damaged=True)
    assert dataset.skipped == ("ant/copy\nof.jpg",)
    assert dataset.content_hash == whole.content_hash  # what was read is the whole data set


@pytest.mark.parametrize("name", ["caltech101", "image_folder"])
def test_a_class_does_not_vanish_with_its_images_all_of_which_are_named(data, name, settings):
    files, load = data(name)
    damaged = [path for path in files if path.parent.name == "bee"]
    for path in damaged:
        path.write_bytes(b"hello")
    message, _ = refusal(load)
    for path in damaged:
        assert_named(message, path)
    dataset = load(skip_damaged=True)
    assert len(dataset.skipped) == len(damaged)
    assert "bee" in dataset.class_names
    with pytest.raises(DataError, match="class 'bee' has 0 images"):
        settings(name, train_per_class=1, test_per_class=1).draw.of(dataset)


@pytest.mark.parametrize("name", [b"a\nb.jpg", b"\xff.jpg"], ids=["line break", "no Unicode"])
def test_a_name_that_cannot_be_shown_is_refused(data, name):
    files, load = data("image_folder")
    shutil.copy(files[0], os.fsencode(files[0].parent) + b"/" + name)
    message, _ = refusal(load)
    assert "rename it" in message
    assert message.isprintable()


@pytest.mark.parametrize("damage", ["swapped images", "swapped labels", "impossible label"])
def test_images_and_labels_that_do_not_belong_together_are_refused(data, root, damage):
    files, load = data("fashion_mnist")  # which has no manifest
    folder = files[0].parent
    if damage == "impossible label":
        flip(-1, 6).apply(folder / "train-labels-idx1-ubyte")
    else:
        kind = {"swapped images": "images-idx3-ubyte", "swapped labels": "labels-idx1-ubyte"}[damage]
        (folder / f"train-{kind}").rename(folder / "other")
        (folder / f"t10k-{kind}").rename(folder / f"train-{kind}")
        (folder / "other").rename(folder / f"t10k-{kind}")
    assert f"FashionMNIST in {root} is damaged" in refusal(load)[0]


def test_a_run_without_damaged_files_is_another_run():
    assert options()["data.skip_damaged"].bears


# Small files that claim to be huge


@pytest.fixture
def bombed(tmp_path):
    for name, content in bombs().items():
        assert len(content) < 2**19
        (tmp_path / name).write_bytes(content)
    return list(tmp_path.iterdir())


def assert_each_is_refused(paths):
    for path in paths:
        message, _ = refusal(lambda path=path: read_image(path))
        assert_named(message, path)
        assert "pixels" in message or path.name == "text.png"


def test_a_bomb_is_refused_before_it_is_decoded(bombed, monkeypatch):
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("it was decoded"))
    assert_each_is_refused(bombed)


def test_a_bomb_is_refused_before_it_takes_memory(bombed, peak):
    assert peak(lambda: assert_each_is_refused(bombed)) < 100 * 2**20
