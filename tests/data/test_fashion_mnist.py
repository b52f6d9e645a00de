import gzip
import hashlib

import numpy as np
import pytest
import torch
from torchvision.datasets import FashionMNIST

from multistage.settings.tree import parse


@pytest.fixture
def folder(root, idx_files):
    folder = root / "FashionMNIST/raw"
    folder.mkdir(parents=True)
    for name, content in idx_files[1].items():
        (folder / name).write_bytes(content)
    return folder


def test_files_in_the_original_format_are_read(folder, idx_files, config):
    arrays, _ = idx_files
    dataset = parse(config("fashion_mnist", image_size=28)).data.load()
    assert dataset.images.shape == (19, 1, 28, 28)
    assert dataset.images.dtype == torch.uint8
    assert np.array_equal(dataset.images[:12, 0].numpy(), arrays["train"][0])
    assert np.array_equal(dataset.images[12:, 0].numpy(), arrays["t10k"][0])
    assert dataset.labels.tolist() == [*range(10), 0, 1, *range(7)]
    assert dataset.is_test.tolist() == [False] * 12 + [True] * 7
    assert dataset.class_names[0] == "T-shirt/top"
    assert len(dataset.class_names) == 10


def test_the_content_hash_changes_with_one_byte(folder, config, flip_byte):
    hashes = [parse(config("fashion_mnist", image_size=28)).data.load().content_hash for _ in range(2)]
    flip_byte(folder / "t10k-images-idx3-ubyte")
    hashes.append(parse(config("fashion_mnist", image_size=28)).data.load().content_hash)
    assert hashes[0] == hashes[1] != hashes[2]


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
@pytest.mark.parametrize("kept", [0, 3, 6, -1])
def test_a_truncated_file_is_refused_with_advice(folder, config, refused, name, kept):
    (folder / name).write_bytes((folder / name).read_bytes()[:kept])
    with refused("FashionMNIST", folder, "zalandoresearch", "30 MB", "MIT", "data.root"):
        parse(config("fashion_mnist", image_size=28)).data.load()


def test_a_failed_download_says_what_to_do(root, config, refused, nobody, monkeypatch):
    monkeypatch.setattr(FashionMNIST, "mirrors", [nobody])
    with refused(root / "FashionMNIST/raw", "zalandoresearch", "30 MB", "MIT", "data.root"):
        parse(config("fashion_mnist", image_size=28)).data.load()


def test_what_is_missing_is_downloaded(idx_files, config, serve, monkeypatch):
    packed = {f"{name}.gz": gzip.compress(content) for name, content in idx_files[1].items()}
    checksums = [(name, hashlib.md5(content).hexdigest()) for name, content in packed.items()]
    monkeypatch.setattr(FashionMNIST, "resources", checksums)
    monkeypatch.setattr(FashionMNIST, "mirrors", [serve(packed)])
    assert parse(config("fashion_mnist", image_size=28)).data.load().images.shape == (19, 1, 28, 28)
