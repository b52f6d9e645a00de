"""Damaged inputs through the real loaders: each is refused by name, or its change shows in the content hash.

Damage is generated from fixed seeds. A case changes one file of a small, faithful data set; afterwards that file is
restored, so that every case starts from the same set.
"""

import gzip
import hashlib
import logging
import os
import re
import shutil
import struct
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets import MNIST

from multistage.data import manifest
from multistage.data.images import read_rgb
from multistage.data.norb import STEMS
from multistage.registry.errors import DataError
from multistage.settings.config import options
from multistage.settings.tree import parse

PHOTOGRAPHS = [f"{name}/image_000{n}.jpg" for name in ("ant", "bee", "cat") for n in range(3)]
PICTURES = ["ant/0.jpg", "ant/1.png", "ant/2.bmp", "ant/3.gif", "bee/0.jpg", "bee/1.jpg", "bee/2.jpg"]
FILES = 4  # of each data set are damaged


class Damage(NamedTuple):
    kind: str
    apply: Callable  # to a path


def flip(position, bit):
    def apply(path):
        content = bytearray(path.read_bytes())
        content[int(position * len(content)) if isinstance(position, float) else position] ^= 1 << bit
        path.write_bytes(content)

    return Damage("flipped bit", apply)


def truncate(kept):
    return Damage("truncated", lambda path: path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)]))


def become(kind, content):
    return Damage(kind, lambda path: path.write_bytes(content))


def png_claiming(width, height, before_pixels=b""):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    text = chunk(b"zTXt", b"k\0\0" + before_pixels) if before_pixels else b""
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * 10_000))
    return b"\x89PNG\r\n\x1a\n" + header + text + pixels + chunk(b"IEND", b"")


def bombs():
    """Small files that claim to be huge, in every way that we know: {name: content}."""
    packer = zlib.compressobj(9)
    megabyte = packer.compress(b"a" * 2**20) + packer.flush(zlib.Z_FULL_FLUSH)
    text = megabyte[:2] + 256 * megabyte[2:]
    ifd = [(256, 60_000), (257, 60_000), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, 60_000), (279, 9)]
    tiff = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in ifd)
    jpeg = b"\xff\xd8\xff\xc0\x00\x11\x08\xff\xdc\xff\xdc\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01\xff\xda\x00\x0c"
    jpeg += b"\x03\x01\x00\x02\x11\x03\x11\x00\x3f\x00" + b"\0" * 99
    return {
        **{f"{side}.png": png_claiming(side, side) for side in (7_072, 12_000, 100_000, 2**31 - 1)},
        "wide.png": png_claiming(2**31 - 1, 1),
        "high.png": png_claiming(1, 50_000_001),
        "text.png": png_claiming(9, 9, before_pixels=text),
        "a.jpg": jpeg,
        "a.gif": b"GIF89a\xff\xff\xff\xff\x80\x00\x00" + b"\0" * 6 + b"\x2c\0\0\0\0\xff\xff\xff\xff\0\x02\x01\0\0;",
        "a.bmp": struct.pack("<2sIIIIiiHHIIiiII", b"BM", 99, 0, 54, 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0),
        "a.ppm": b"P6 60000 60000 255\n" + b"\0" * 99,
        "a.tif": struct.pack("<2sHIH", b"II", 42, 8, len(ifd)) + tiff + b"\0" * 4,
        "a.webp": b"RIFF\x1a\0\0\0WEBPVP8L\x0e\0\0\0\x2f\xfe\xff\xff\x0f" + b"\0" * 9,
    }


random = np.random.default_rng(0)
OF_ANY_FILE = [
    *(truncate(kept) for kept in (0.0, 0.02, *random.uniform(0.1, 0.95, 5))),
    *(
        flip(float(position), int(bit))
        for position, bit in zip(random.random(9), random.integers(0, 8, 9), strict=True)
    ),
    *(become("wrong type", content) for content in (b"hello", b"<html>404 Not Found</html>", b"\0" * 999)),
    become("wrong type", gzip.compress(b"hello")),
    Damage("missing", lambda path: path.unlink()),
    Damage("renamed", lambda path: path.rename(path.with_name(f"{path.name}.part"))),
    Damage("folder", lambda path: (path.unlink(), path.mkdir())),
]
OF_IMAGES = [
    *OF_ANY_FILE,
    *(become("bomb", png_claiming(*size)) for size in ((12_000, 12_000), (2**31 - 1, 1))),
    become("wrong type", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n"),
    become("wrong type", b"\x89PNG\r\n\x1a\n"),
    become("wrong type", b"\xff\xd8\xff\xe0"),
]


def write_images(folder, names):
    rows, columns = np.mgrid[:40, :50]
    for number, path in enumerate(folder / name for name in names):
        path.parent.mkdir(parents=True, exist_ok=True)
        waves = 128 + 90 * np.sin(rows / (4 + number)) * np.cos(columns / 7 - number)
        Image.fromarray(np.rint(waves).astype(np.uint8)).save(path)
    return [folder / name for name in names]


@pytest.fixture
def caltech101(root, monkeypatch, digests, config):
    """A made Caltech-101 with its manifest: (files, how to load it)."""
    folder = root / "caltech101/101_ObjectCategories"
    files = write_images(folder, PHOTOGRAPHS)
    expected = digests(folder)
    monkeypatch.setattr(manifest, "read", {"caltech101": expected}.__getitem__)
    return files, lambda **changes: parse(config("caltech101", image_size=24, **changes)).data.load()


@pytest.fixture
def image_folder(root, config):
    """A folder of class folders: (files, how to load it)."""
    return write_images(root, PICTURES), lambda **changes: parse(
        config("image_folder", image_size=24, **changes)
    ).data.load()


@pytest.fixture
def mnist(root, idx_files, monkeypatch, digests, config):
    """A made MNIST with its manifest: (files, how to load it)."""
    folder = root / "MNIST/raw"
    folder.mkdir(parents=True)
    for name, content in idx_files[1].items():
        (folder / name).write_bytes(content)
    expected = digests(root)
    monkeypatch.setattr(manifest, "read", {"mnist": expected}.__getitem__)
    return sorted(folder.iterdir()), lambda: parse(config("mnist", image_size=28)).data.load()


@pytest.fixture
def norb(root, config):
    """A made small NORB, which has no manifest: (files, how to load it)."""
    (root / "norb").mkdir()
    for stem, labels in zip(STEMS.values(), ([3, 1, 4, 0, 2], [0, 4, 4]), strict=True):
        pictures = np.random.default_rng(len(labels)).integers(0, 256, (len(labels), 2, 96, 96), np.uint8)
        for kind, array, magic in (("dat", pictures, 0x1E3D4C55), ("cat", np.array(labels, "<i4"), 0x1E3D4C54)):
            sizes = [*array.shape, *[1] * (3 - array.ndim)]
            header = struct.pack(f"<Ii{len(sizes)}i", magic, array.ndim, *sizes)
            (root / f"norb/{stem}-{kind}.mat").write_bytes(header + array.tobytes())
    return sorted((root / "norb").iterdir()), lambda: parse(config("norb", image_size=96)).data.load()


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


NORB_HEADERS = [flip(byte, bit) for byte in range(12) for bit in range(8)]  # type, number of dimensions, first size
CASES = {"caltech101": OF_IMAGES, "image_folder": OF_IMAGES, "mnist": OF_ANY_FILE, "norb": OF_ANY_FILE + NORB_HEADERS}


def test_there_are_more_than_three_hundred():
    assert sum(FILES * len(damages) for damages in CASES.values()) > 700
    assert FILES * len(OF_ANY_FILE) > 90


@pytest.mark.parametrize("name", ["caltech101", "mnist"])
def test_whatever_differs_from_a_manifest_is_named_and_refused(request, name):
    files, load = request.getfixturevalue(name)
    before = load()
    for path, kind in damaged(files, CASES[name]):
        assert_named(refusal(load)[0], path, kind)
    after = load()
    assert after.content_hash == before.content_hash
    assert torch.equal(after.images, before.images)


def test_an_image_of_a_folder_is_named_and_refused_or_changes_the_hash(image_folder):
    files, load = image_folder
    before, refused = load(), Counter()
    for path, kind in damaged(files, CASES["image_folder"]):
        message, dataset = refusal(load)
        if kind in ("missing", "renamed", "folder"):  # another data set, but none that is damaged
            assert dataset is not None
        elif kind != "flipped bit" or path.suffix == ".png" or dataset is None:
            assert_named(message, path, kind)
            refused[kind] += 1
        assert dataset is None or dataset.content_hash != before.content_hash
    assert refused["flipped bit"] > 9  # all of the PNG file, whose format has checksums
    assert sum(refused.values()) > 60
    assert load().content_hash == before.content_hash


def test_norb_is_refused_by_name_or_its_hash_follows_what_was_read(norb):
    files, load = norb
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
def test_what_is_not_damaged_is_accepted_and_the_checks_would_notice(request, name):
    files, load = request.getfixturevalue(name)
    message, dataset = refusal(load)
    assert dataset.skipped == ()
    with pytest.raises(AssertionError, match="accepted"):
        assert_named(message, files[0])
    with pytest.raises(AssertionError, match="not named"):
        assert_named("something is wrong", files[0])


@pytest.mark.parametrize("name", ["caltech101", "mnist"])
def test_a_wrong_checksum_is_refused_by_name(request, name, monkeypatch):
    _, load = request.getfixturevalue(name)
    expected = manifest.read(name)
    for listed, digest in expected.items():
        wrong = expected | {listed: digest[:-1] + ("0" if digest[-1] != "0" else "1")}
        monkeypatch.setattr(manifest, "read", {name: wrong}.__getitem__)
        message, _ = refusal(load)
        assert f"1 changed: {listed}" in message


def test_packed_files_of_mnist_are_not_unpacked_when_damaged(mnist, monkeypatch, nobody, capfd):
    files, load = mnist
    packed = {path.name: gzip.compress(path.read_bytes()) for path in files}
    checksums = [(f"{name}.gz", hashlib.md5(content).hexdigest()) for name, content in packed.items()]
    monkeypatch.setattr(MNIST, "resources", checksums)
    monkeypatch.setattr(MNIST, "mirrors", [nobody])
    for victim in packed:
        for damage in (truncate(0.5), flip(0.5, 3), become("wrong type", b"hello")):
            for path in files[0].parent.iterdir():
                path.unlink()
            for name, content in packed.items():
                files[0].with_name(f"{name}.gz").write_bytes(content)
            damage.apply(files[0].with_name(f"{victim}.gz"))
            assert_named(refusal(load)[0], files[0].with_name(victim), damage.kind)


def peak_megabytes():
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


def test_a_bomb_is_refused_before_it_takes_memory(tmp_path):
    files = bombs()
    for name, content in files.items():
        assert len(content) < 2**19
        (tmp_path / name).write_bytes(content)
    try:
        Path("/proc/self/clear_refs").write_text("5")  # from here on, the peak is that of what follows
        before = peak_megabytes()
    except OSError:
        before = None
    for name in files:
        message, _ = refusal(lambda name=name: read_rgb(tmp_path / name))
        assert_named(message, tmp_path / name)
        assert "pixels" in message or name == "text.png"
    if before is None:
        pytest.skip("peaks of memory cannot be measured here")
    assert peak_megabytes() - before < 100


def test_caltech101_without_its_damaged_files_is_stamped(caltech101, caplog):
    files, load = caltech101
    whole = load()
    for path, kind in damaged(files, OF_IMAGES):
        name = f"{path.parent.name}/{path.name}"
        caplog.clear()
        dataset = load(skip_damaged=True)
        assert dataset.skipped == ((name, f"{name}.part") if kind == "renamed" else (name,))
        assert [record.levelno for record in caplog.records] == [logging.WARNING]
        assert name in caplog.text
        kept = [index for index, other in enumerate(whole.names) if other != name]
        assert list(dataset.names) == [whole.names[index] for index in kept]
        assert torch.equal(dataset.images, whole.images[kept])
        assert torch.equal(dataset.labels, whole.labels[kept])
        assert dataset.class_names == whole.class_names
        assert dataset.content_hash != whole.content_hash
        assert_named(refusal(load)[0], path, kind)  # which the cache does not excuse
    restored = load(skip_damaged=True)
    assert restored.skipped == ()
    assert restored.content_hash == whole.content_hash


def test_a_folder_without_its_damaged_files_is_stamped(image_folder, caplog):
    files, load = image_folder
    whole = load()
    for path, kind in damaged(files, OF_IMAGES):
        name = f"{path.parent.name}/{path.name}"
        caplog.clear()
        dataset, (message, _) = load(skip_damaged=True), refusal(load)
        assert dataset.content_hash != whole.content_hash
        assert (dataset.skipped == (name,)) == (message is not None), kind
        assert len(caplog.records) == len(dataset.skipped) == (name in caplog.text)
        if dataset.skipped:
            kept = [index for index, other in enumerate(whole.names) if other != name]
            assert torch.equal(dataset.images, whole.images[kept])
            assert torch.equal(dataset.labels, whole.labels[kept])
    restored = load(skip_damaged=True)
    assert restored.skipped == ()
    assert restored.content_hash == whole.content_hash


def test_stray_files_are_refused_or_named_as_left_out(caltech101):
    files, load = caltech101
    whole = load()
    shutil.copy(files[0], files[0].with_name("copy\nof.jpg"))
    message, _ = refusal(load)
    assert "1 stray: ant/copy\\nof.jpg" in message
    assert message.isprintable()
    dataset = load(skip_damaged=True)
    assert dataset.skipped == ("ant/copy\nof.jpg",)
    assert dataset.content_hash == whole.content_hash  # what was read is the whole data set


@pytest.mark.parametrize("name", ["caltech101", "image_folder"])
def test_a_class_does_not_vanish_with_its_images(request, name, config):
    files, load = request.getfixturevalue(name)
    for path in files:
        if path.parent.name == "bee":
            path.write_bytes(b"hello")
    message, _ = refusal(load)
    assert "bee/" in message
    assert message.isprintable()
    dataset = load(skip_damaged=True)
    assert len(dataset.skipped) == 3
    assert "bee" in dataset.class_names
    with pytest.raises(DataError, match="class 'bee' has 0 images"):
        parse(config(name, train_per_class=1, test_per_class=1)).draw.of(dataset)


def test_all_images_that_cannot_be_read_are_named(image_folder, config):
    files, load = image_folder
    for path in files[1:4]:
        path.write_bytes(b"hello")
    for path in files[1:4]:
        assert_named(refusal(load)[0], path)


@pytest.mark.parametrize("name", [b"a\nb.jpg", b"\xff.jpg"], ids=["line break", "no Unicode"])
def test_a_name_that_cannot_be_shown_is_refused(image_folder, name):
    files, load = image_folder
    shutil.copy(files[0], os.fsencode(files[0].parent) + b"/" + name)
    message, _ = refusal(load)
    assert "rename it" in message
    assert message.isprintable()


@pytest.mark.usefixtures("mnist")
@pytest.mark.parametrize("damage", ["swapped images", "swapped labels", "impossible label"])
def test_images_and_labels_that_do_not_belong_together_are_refused(root, config, damage):
    (root / "MNIST").rename(root / "FashionMNIST")  # which has no manifest
    folder = root / "FashionMNIST/raw"
    if damage == "impossible label":
        flip(-1, 6).apply(folder / "train-labels-idx1-ubyte")
    else:
        kind = {"swapped images": "images-idx3-ubyte", "swapped labels": "labels-idx1-ubyte"}[damage]
        (folder / f"train-{kind}").rename(folder / "other")
        (folder / f"t10k-{kind}").rename(folder / f"train-{kind}")
        (folder / "other").rename(folder / f"t10k-{kind}")
    message, _ = refusal(lambda: parse(config("fashion_mnist", image_size=28)).data.load())
    assert f"FashionMNIST in {root} is damaged" in message


def test_a_run_without_damaged_files_is_another_run():
    assert options()["data.skip_damaged"].bears
