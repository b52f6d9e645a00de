import hashlib
import pickle

import numpy as np
import pytest
import torch
from torchvision.datasets import CIFAR10

from multistage.settings.tree import parse

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch")


@pytest.fixture
def pixels():
    return {name: np.random.default_rng(n).integers(0, 256, (4, 3072), np.uint8) for n, name in enumerate(BATCHES)}


@pytest.fixture
def folder(root, pixels, nobody, monkeypatch):
    """A small CIFAR-10 in the original pickled format, whose checksums stand in for the real ones."""
    folder = root / "cifar-10-batches-py"
    folder.mkdir()
    contents = {name: {"data": values, "labels": [0, 3, 9, 3]} for name, values in pixels.items()}
    checksums = {}
    for name, content in (contents | {"batches.meta": {"label_names": list(NAMES)}}).items():
        (folder / name).write_bytes(pickle.dumps(content, protocol=2))
        checksums[name] = hashlib.md5((folder / name).read_bytes()).hexdigest()
    monkeypatch.setattr(CIFAR10, "train_list", [[name, checksums[name]] for name in BATCHES[:5]])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", checksums["test_batch"]]])
    monkeypatch.setattr(CIFAR10, "meta", CIFAR10.meta | {"md5": checksums["batches.meta"]})
    monkeypatch.setattr(CIFAR10, "url", nobody + "cifar-10-python.tar.gz")
    return folder


def test_files_in_the_original_format_are_read(folder, pixels, config):
    dataset = parse(config("cifar10", image_size=32, maps=3)).data.load()
    assert dataset.images.dtype == torch.uint8
    assert np.array_equal(dataset.images.numpy(), np.concatenate([*pixels.values()]).reshape(24, 3, 32, 32))
    assert dataset.labels.tolist() == [0, 3, 9, 3] * 6
    assert dataset.labels.dtype == torch.int64
    assert dataset.is_test.tolist() == [False] * 20 + [True] * 4
    assert dataset.class_names == NAMES


def test_the_content_hash_is_the_same_every_time(folder, config):
    hashes = {parse(config("cifar10", image_size=32, maps=3)).data.load().content_hash for _ in range(2)}
    assert len(hashes) == 1


@pytest.mark.parametrize("name", ["data_batch_3", "test_batch", "batches.meta"])
@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_a_changed_or_missing_file_is_refused_with_advice(folder, config, refused, flip_byte, name, damage):
    if damage == "changed":
        flip_byte(folder / name, 100)
    else:
        (folder / name).unlink()
    with refused("CIFAR10", folder, "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz", "170 MB", "data.root"):
        parse(config("cifar10", image_size=32, maps=3)).data.load()


def test_a_file_that_would_run_code_is_not_unpickled(folder, config, refused, tmp_path):
    class Hostile:
        def __reduce__(self):
            return (open, (str(tmp_path / "owned"), "w"))

    (folder / "data_batch_2").write_bytes(pickle.dumps(Hostile()))
    with refused("CIFAR10"):
        parse(config("cifar10", image_size=32, maps=3)).data.load()
    assert not (tmp_path / "owned").exists()
