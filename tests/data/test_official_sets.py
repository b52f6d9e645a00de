"""Data sets that come with their split, in their original formats: MNIST, Fashion-MNIST, CIFAR-10, small NORB.

What damage does to MNIST and NORB is tested in `test_damage`, the format of NORB's files in `test_norb`.
"""

import gzip
import io
import pickle
import shutil
import tarfile

import numpy as np
import pytest
import torch
from data import norb_files
from data.sets import packed

from multistage.data import manifest
from multistage.data.sets.cifar10 import Cifar10
from multistage.data.sets.fashion_mnist import FashionMnist
from multistage.data.sets.mnist import Mnist
from multistage.registry.errors import DataError

SETS = ("mnist", "fashion_mnist", "cifar10", "norb")
DOWNLOADED = {"mnist": Mnist, "fashion_mnist": FashionMnist, "cifar10": Cifar10}
ADVICE = {
    "mnist": ("MNIST", "55 MB", "CC BY-SA 3.0", "data.root"),
    "fashion_mnist": ("FashionMNIST", "zalandoresearch", "30 MB", "MIT", "data.root"),
    "cifar10": ("CIFAR10", "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz", "170 MB", "data.root"),
    "norb": ("missing", ".gz", "https://cs.nyu.edu/", "430 MB", "research", "data.root"),
}


def assert_is(dataset, truth, maps=None):
    images = truth.images[:, : maps or dataset.images.shape[1]]
    assert dataset.images.dtype == torch.uint8
    assert np.array_equal(dataset.images.numpy(), images)
    assert dataset.labels.dtype == torch.int64
    assert dataset.labels.tolist() == truth.labels
    assert dataset.is_test.tolist() == [n >= len(images) - truth.test_count for n in range(len(images))]


@pytest.mark.parametrize(
    ("name", "maps"), [("mnist", 1), ("fashion_mnist", 1), ("cifar10", 3), ("norb", 1), ("norb", 2)]
)
def test_files_in_the_original_format_are_read(made, load, name, maps):
    truth = made(name).truth
    dataset = load(name, maps=maps)
    assert_is(dataset, truth, maps)
    assert dataset.class_names == truth.class_names
    assert len(set(dataset.names)) == len(truth.labels)


@pytest.mark.parametrize("name", SETS)
def test_the_content_hash_is_the_same_every_time(made, load, name):
    made(name)
    assert load(name).content_hash == load(name).content_hash
    if name == "mnist":
        assert load(name).content_hash == manifest.digest(manifest.read(name))
    if name == "norb":
        assert load(name).content_hash != load(name, maps=2).content_hash


@pytest.mark.parametrize(("name", "image", "label"), [("fashion_mnist", 24, 8)])
def test_the_content_hash_follows_every_file(made, load, name, image, label):
    """Of a set without checksums; `image` and `label` are places of bytes of which the last bit may change."""
    data = made(name)
    hashes = {load(name).content_hash}
    for path in data.files:
        content = bytearray(path.read_bytes())
        content[image if len(content) > 1000 else label] ^= 1
        path.write_bytes(content)
        hashes.add(load(name).content_hash)
    assert len(hashes) == 5


def cut(kept):
    return lambda path: path.write_bytes(path.read_bytes()[:kept])


def changed(path):
    path.write_bytes(path.read_bytes()[:100] + b"another" + path.read_bytes()[107:])


@pytest.mark.parametrize(
    ("name", "damages"),
    [
        ("fashion_mnist", [cut(0), cut(3), cut(6), cut(-1)]),
        ("cifar10", [changed, lambda path: path.unlink()]),
        ("norb", [lambda path: path.unlink()]),
    ],
)
def test_a_damaged_file_is_refused_with_advice(made, load, refused, name, damages):
    data = made(name)
    for path in data.files:
        content = path.read_bytes()
        for damage in damages:
            damage(path)
            with refused(*ADVICE[name], path if name == "norb" else data.folder):
                load(name)
            path.write_bytes(content)


# Downloads


def tar_gz(files):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for name, each in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(each)
            tar.addfile(member, io.BytesIO(each))
    return content.getvalue()


def tree(folder, root=None):
    return sorted(p.relative_to(root or folder).as_posix() for p in folder.rglob("*") if p.is_file())


@pytest.fixture
def mirror(made, serve, monkeypatch):
    """A web server with the packed files of a set that is not there yet: (what was made, packed files)."""

    def make(name):
        data = made(name)
        files = {f"{path.name}.gz": gzip.compress(path.read_bytes()) for path in data.files}
        if name == "cifar10":
            files = {"cifar-10-python.tar.gz": tar_gz({path.name: path.read_bytes() for path in data.files})}
        monkeypatch.setattr(DOWNLOADED[name], "packed", packed(files))
        monkeypatch.setattr(DOWNLOADED[name], "mirrors", [serve(files)])
        shutil.rmtree(data.folder)
        return data, files

    return make


@pytest.mark.parametrize("name", DOWNLOADED)
def test_what_is_missing_is_downloaded_and_nothing_else_left(mirror, load, root, name):
    data, _ = mirror(name)
    assert_is(load(name), data.truth)
    assert (
        tree(root) == tree(data.folder, root) == sorted(f"{data.folder.relative_to(root)}/{p.name}" for p in data.files)
    )


def test_an_archive_that_was_fetched_by_hand_is_unpacked(mirror, load, root, nobody, monkeypatch):
    data, files = mirror("cifar10")
    monkeypatch.setattr(DOWNLOADED["cifar10"], "mirrors", [nobody])
    (root / "cifar-10-python.tar.gz").write_bytes(files["cifar-10-python.tar.gz"])
    assert_is(load("cifar10"), data.truth)


@pytest.mark.parametrize("name", DOWNLOADED)
@pytest.mark.parametrize("where", ["refused", "another file"])
def test_a_failed_download_says_what_to_do_and_can_be_tried_again(
    mirror, load, serve, nobody, refused, monkeypatch, name, where
):
    data, files = mirror(name)
    address = nobody if where == "refused" else serve(dict.fromkeys(files, gzip.compress(b"not these")))
    with monkeypatch.context() as bad:
        bad.setattr(DOWNLOADED[name], "mirrors", [address])
        with refused(*ADVICE[name], address, data.folder):
            load(name)
    assert_is(load(name), data.truth)


def test_a_download_that_differs_from_the_manifest_is_refused(mirror, load, refused, monkeypatch):
    data, _ = mirror("mnist")
    listed = f"MNIST/raw/{data.files[3].name}"
    monkeypatch.setattr(manifest, "read", {"mnist": manifest.read("mnist") | {listed: "0" * 64}}.__getitem__)
    with refused(f"1 changed: {listed}"):
        load("mnist")


# Of one set only


def test_mnist_refuses_stray_files_but_packed_ones_may_stay(made, load, refused, root):
    data = made("mnist")
    (data.folder / "train-images-idx3-ubyte.gz").touch()
    (root / "caltech101").mkdir()
    (root / "caltech101/image.jpg").touch()  # another data set below the same root
    assert_is(load("mnist"), data.truth)
    (data.folder / "train-images").touch()
    with refused("1 unexpected: MNIST/raw/train-images)"):
        load("mnist")


def test_what_an_old_torchvision_left_cannot_pass_for_the_verified_files(made, root, load):
    truth = made("mnist").truth
    (root / "MNIST/processed").mkdir()
    for part, name in ((slice(12), "training.pt"), (slice(12, None), "test.pt")):
        images, labels = torch.from_numpy(255 - truth.images[part, 0]), torch.tensor(truth.labels[part])
        torch.save((images, labels), root / "MNIST/processed" / name)
    try:
        dataset = load("mnist")
    except DataError:
        return
    assert_is(dataset, truth)


def test_the_real_mnist_is_complete(real_data, load, settings):
    dataset = load("mnist", root=str(real_data))
    assert dataset.images.shape == (70_000, 1, 28, 28)
    assert int(dataset.is_test.sum()) == 10_000
    assert not dataset.is_test[:60_000].any()
    assert dataset.labels[:8].tolist() == [5, 0, 4, 1, 9, 2, 1, 3]
    assert dataset.labels[60_000:60_005].tolist() == [7, 2, 1, 0, 4]
    assert dataset.labels.bincount().tolist() == [6903, 7877, 6990, 7141, 6824, 6313, 6876, 7293, 6825, 6958]
    assert dataset.content_hash == "46ea36d09fbc0b05341b04571011fd1ba10d688d303cc058f55585dad69d3d2a"
    split = settings("mnist", train_per_class=100, test_per_class=None).draw.of(dataset)
    assert len(split.train) == 1000
    assert len(split.test) == 10_000


def test_a_cifar10_file_that_would_run_code_is_not_unpickled(made, load, refused, tmp_path):
    class Hostile:
        def __reduce__(self):
            return (open, (str(tmp_path / "owned"), "w"))

    (made("cifar10").folder / "data_batch_2").write_bytes(pickle.dumps(Hostile()))
    with refused("CIFAR10"):
        load("cifar10")
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    ("name", "array"),
    [
        pytest.param(norb_files.TRAIN_LABELS, np.zeros(4, np.int32), id="too few labels"),
        pytest.param(norb_files.TEST_LABELS, np.zeros(4, np.int32), id="too many labels"),
        pytest.param(norb_files.TRAIN_LABELS, np.zeros((5, 2), np.int32), id="labels in a table"),
        pytest.param(norb_files.TEST_IMAGES, np.zeros((3, 96, 96), np.uint8), id="one camera, three dimensions"),
        pytest.param(norb_files.TEST_IMAGES, np.zeros((3, 2, 32, 32), np.uint8), id="another size"),
        pytest.param(norb_files.TEST_IMAGES, np.zeros((3, 2, 96, 32), np.uint8), id="not square"),
        pytest.param(norb_files.TEST_IMAGES, np.zeros((3, 1, 96, 96), np.uint8), id="a camera missing"),
    ],
)
def test_norb_files_that_do_not_fit_are_refused(made, load, refused, monkeypatch, name, array):
    folder = made("norb").folder
    monkeypatch.setattr(manifest, "read", {"norb": {}}.__getitem__)  # which would refuse them first
    (folder / name).write_bytes(norb_files.matrix(array))
    with refused(folder / name[: -len("-dat.mat")]):
        load("norb", maps=2)


@pytest.mark.parametrize("label", [-1, 5])
def test_an_impossible_category_of_norb_is_refused(made, load, refused, monkeypatch, label):
    folder = made("norb").folder
    monkeypatch.setattr(manifest, "read", {"norb": {}}.__getitem__)  # which would refuse it first
    (folder / norb_files.TEST_LABELS).write_bytes(norb_files.matrix(np.array([0, label, 1], np.int32)))
    with refused(folder, "categories must be 0 to 4", f"found {min(label, 0)} to {max(label, 1)}"):
        load("norb")
