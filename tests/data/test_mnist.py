import gzip
import hashlib
import shutil

import numpy as np
import pytest
import torch
from torchvision.datasets import MNIST

from multistage.data import manifest
from multistage.registry.errors import DataError
from multistage.settings.tree import parse

NAMES = tuple(f"{part}-{kind}" for part in ("t10k", "train") for kind in ("images-idx3-ubyte", "labels-idx1-ubyte"))


@pytest.fixture
def small(root, idx_files, monkeypatch):
    """A made MNIST with its manifest in place of the real one: (arrays, {name: bytes}, folder, not there yet)."""
    arrays, files = idx_files
    expected = {f"MNIST/raw/{name}": hashlib.sha256(content).hexdigest() for name, content in files.items()}
    monkeypatch.setattr(manifest, "read", {"mnist": expected}.__getitem__)
    return arrays, files, root / "MNIST/raw"


@pytest.fixture
def installed(small):
    arrays, files, folder = small
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return arrays, folder


@pytest.fixture
def mirror(small, serve, monkeypatch):
    """A web server with the files packed, in place of torchvision's."""
    packed = {f"{name}.gz": gzip.compress(content) for name, content in small[1].items()}
    checksums = [(name, hashlib.md5(content).hexdigest()) for name, content in packed.items()]
    monkeypatch.setattr(MNIST, "resources", checksums)
    monkeypatch.setattr(MNIST, "mirrors", [serve(packed)])
    return packed


def check(dataset, arrays):
    images = np.concatenate([arrays["train"][0], arrays["t10k"][0]])
    labels = np.concatenate([arrays["train"][1], arrays["t10k"][1]])
    assert dataset.images.dtype == torch.uint8
    assert np.array_equal(dataset.images.numpy(), images[:, None])
    assert dataset.labels.tolist() == labels.tolist()
    assert dataset.is_test.tolist() == [False] * len(arrays["train"][1]) + [True] * len(arrays["t10k"][1])


def test_files_in_the_original_format_are_read(installed, config):
    arrays, _ = installed
    dataset = parse(config("mnist", image_size=28)).data.load()
    check(dataset, arrays)
    assert dataset.labels.dtype == torch.int64
    assert dataset.class_names == tuple("0123456789")
    assert dataset.content_hash == manifest.digest(manifest.read("mnist"))
    assert len(set(dataset.names)) == 19


@pytest.mark.parametrize("name", NAMES)
def test_a_changed_file_is_refused_by_name(installed, config, refused, flip_byte, name):
    flip_byte(installed[1] / name)
    with refused(f"1 changed: MNIST/raw/{name}"):
        parse(config("mnist", image_size=28)).data.load()


@pytest.mark.parametrize("name", NAMES)
def test_one_missing_file_is_refused_by_name(installed, config, refused, name):
    (installed[1] / name).unlink()
    with refused(f"1 missing: MNIST/raw/{name}"):
        parse(config("mnist", image_size=28)).data.load()


def test_a_stray_file_is_refused_by_name_but_packed_ones_may_stay(installed, config, refused):
    arrays, folder = installed
    (folder / "train-images-idx3-ubyte.gz").touch()
    check(parse(config("mnist", image_size=28)).data.load(), arrays)
    (folder / "train-images").touch()
    with refused("1 stray: MNIST/raw/train-images)"):
        parse(config("mnist", image_size=28)).data.load()


def test_other_data_sets_below_the_same_root_do_not_matter(installed, root, config):
    (root / "caltech101").mkdir()
    (root / "caltech101/image.jpg").touch()
    check(parse(config("mnist", image_size=28)).data.load(), installed[0])


def test_what_an_old_torchvision_left_cannot_pass_for_the_verified_files(installed, root, config):
    arrays, _ = installed
    (root / "MNIST/processed").mkdir()
    for part, name in (("train", "training.pt"), ("t10k", "test.pt")):
        images, labels = (torch.from_numpy(array.copy()) for array in arrays[part])
        torch.save((255 - images, labels), root / "MNIST/processed" / name)
    try:
        dataset = parse(config("mnist", image_size=28)).data.load()
    except DataError:
        return
    check(dataset, arrays)


def test_what_is_missing_is_downloaded_and_verified(small, mirror, config, capfd):
    arrays, files, folder = small
    check(parse(config("mnist", image_size=28)).data.load(), arrays)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {**files, **mirror}


def test_a_download_that_differs_from_the_manifest_is_refused(small, mirror, config, refused, monkeypatch):
    expected = manifest.read("mnist") | {f"MNIST/raw/{NAMES[3]}": "0" * 64}
    monkeypatch.setattr(manifest, "read", lambda name: expected)
    with refused(f"1 changed: MNIST/raw/{NAMES[3]}"):
        parse(config("mnist", image_size=28)).data.load()


@pytest.mark.parametrize("where", ["refused", "another file"])
def test_a_failed_download_says_what_to_do(small, serve, nobody, root, config, refused, monkeypatch, where):
    files = {f"{name}.gz": gzip.compress(b"not these") for name in NAMES if where == "another file"}
    address = nobody if where == "refused" else serve(files)
    monkeypatch.setattr(MNIST, "mirrors", [address])
    with refused("MNIST", address, root / "MNIST/raw", "55 MB", "CC BY-SA 3.0", "data.root"):
        parse(config("mnist", image_size=28)).data.load()


def test_a_failed_download_can_be_tried_again(small, nobody, mirror, config, monkeypatch):
    with monkeypatch.context() as offline:
        offline.setattr(MNIST, "mirrors", [nobody])
        with pytest.raises(DataError):
            parse(config("mnist", image_size=28)).data.load()
    check(parse(config("mnist", image_size=28)).data.load(), small[0])


def test_the_real_mnist_is_complete(real_data, config):
    dataset = parse(config("mnist", image_size=28, root=str(real_data))).data.load()
    assert dataset.images.shape == (70_000, 1, 28, 28)
    assert int(dataset.is_test.sum()) == 10_000
    assert not dataset.is_test[:60_000].any()
    assert dataset.labels[:8].tolist() == [5, 0, 4, 1, 9, 2, 1, 3]
    assert dataset.labels[60_000:60_005].tolist() == [7, 2, 1, 0, 4]
    assert dataset.labels.bincount().tolist() == [6903, 7877, 6990, 7141, 6824, 6313, 6876, 7293, 6825, 6958]
    assert dataset.content_hash == "46ea36d09fbc0b05341b04571011fd1ba10d688d303cc058f55585dad69d3d2a"
    split = parse(config("mnist", image_size=28, train_per_class=100, test_per_class=None)).draw.of(dataset)
    assert len(split.train) == 1000
    assert len(split.test) == 10_000


def test_one_flipped_byte_in_the_real_mnist_is_refused_by_name(real_data, root, config, refused, flip_byte):
    folder = root / "MNIST/raw"
    folder.mkdir(parents=True)
    for name in NAMES:
        if name == "t10k-labels-idx1-ubyte":
            shutil.copyfile(real_data / "MNIST/raw" / name, folder / name)
        else:
            (folder / name).symlink_to(real_data / "MNIST/raw" / name)
    flip_byte(folder / "t10k-labels-idx1-ubyte", 5000)
    with refused("1 changed: MNIST/raw/t10k-labels-idx1-ubyte)"):
        parse(config("mnist", image_size=28)).data.load()
