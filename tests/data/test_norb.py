import struct

import numpy as np
import pytest
import torch
from data import norb_files
from data.norb_files import BYTES, matrix

from multistage.data.norb import CLASS_NAMES, STEMS, read_matrix
from multistage.settings.tree import parse

FLOATS = 0x1E3D4C51


@pytest.fixture
def folder(root):
    """A small NORB of 5 training and 3 test pairs, under the original names."""
    return norb_files.write(root / "norb", [3, 1, 4, 0, 2], [0, 4, 4])


TRAIN_IMAGES, TRAIN_LABELS = f"{STEMS['training']}-dat.mat", f"{STEMS['training']}-cat.mat"
TEST_IMAGES, TEST_LABELS = f"{STEMS['testing']}-dat.mat", f"{STEMS['testing']}-cat.mat"


@pytest.mark.parametrize("dtype", [np.uint8, np.int32])
@pytest.mark.parametrize("shape", [(7,), (2, 3), (2, 3, 4), (2, 3, 4, 5), (2, 1, 3, 1, 2)], ids=str)
def test_matrices_are_read_back(tmp_path, dtype, shape):
    low, high = (0, 256) if dtype == np.uint8 else (-(2**31), 2**31)
    array = np.random.default_rng(0).integers(low, high, shape, dtype=dtype)
    (tmp_path / "a.mat").write_bytes(matrix(array))
    read = read_matrix(tmp_path / "a.mat")
    assert read.dtype == dtype
    assert np.array_equal(read, array)


def test_the_header_is_that_of_the_original_files(tmp_path):
    header = bytes.fromhex("55 4C 3D 1E 04 00 00 00 02 00 00 00 02 00 00 00 01 00 00 00 03 00 00 00")
    (tmp_path / "dat.mat").write_bytes(header + bytes(range(12)))
    assert read_matrix(tmp_path / "dat.mat").tolist() == [[[[0, 1, 2]], [[3, 4, 5]]], [[[6, 7, 8]], [[9, 10, 11]]]]
    header = bytes.fromhex("54 4C 3D 1E 01 00 00 00 02 00 00 00 01 00 00 00 01 00 00 00")
    (tmp_path / "cat.mat").write_bytes(header + bytes([4, 0, 0, 0, 1, 2, 0, 0]))
    assert read_matrix(tmp_path / "cat.mat").tolist() == [4, 513]


VALUES = np.arange(12, dtype=np.uint8)
GOOD = matrix(VALUES)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        pytest.param(b"", "truncated", id="empty"),
        pytest.param(GOOD[:7], "truncated", id="no header"),
        pytest.param(GOOD[:19], "impossible header", id="header cut off"),
        pytest.param(GOOD[:-1], "truncated", id="value missing"),
        pytest.param(GOOD + b"\0", "damaged", id="value too many"),
        pytest.param(matrix(VALUES.view(np.int32))[:-2], "truncated", id="integer cut off"),
        pytest.param(b"\x1f\x8b\x08\x00" + GOOD, "not a NORB matrix", id="packed"),
        pytest.param(b"hello, world, this is a text", "not a NORB matrix", id="text"),
        pytest.param(matrix(VALUES, magic=FLOATS), "not a NORB matrix", id="floats"),
        pytest.param(GOOD[3::-1] + GOOD[4:], "not a NORB matrix", id="big-endian"),
        pytest.param(struct.pack("<Iiiii", BYTES, 0, 1, 1, 1) + b"\0", "impossible header", id="no dimension"),
        pytest.param(struct.pack("<Iiiii", BYTES, -1, 1, 1, 1) + b"\0", "impossible header", id="negative rank"),
        pytest.param(struct.pack("<Iiiii", BYTES, 9, 1, 1, 1) + b"\0" * 99, "impossible header", id="rank 9"),
        pytest.param(struct.pack("<Iiiii", BYTES, 2**31 - 1, 1, 1, 1), "impossible header", id="huge rank"),
        pytest.param(matrix(VALUES, sizes=(2**31 - 1,) * 4), "damaged", id="huge sizes"),
        pytest.param(matrix(VALUES, sizes=(2**16,) * 4), "damaged", id="sizes whose product overflows to 0"),
        pytest.param(matrix(VALUES, sizes=(-3, -4)), "damaged", id="negative sizes"),
        pytest.param(matrix(VALUES[:0], sizes=(0, 4)), "damaged", id="size 0"),
    ],
)
def test_a_damaged_matrix_is_refused_by_name(tmp_path, refused, content, word):
    (tmp_path / "a.mat").write_bytes(content)
    with refused(tmp_path / "a.mat", word):
        read_matrix(tmp_path / "a.mat")


@pytest.mark.parametrize("maps", [1, 2])
def test_load_gives_both_parts_and_the_first_cameras(folder, config, maps):
    dataset = parse(config("norb", image_size=96, maps=maps)).data.load()
    pictures = np.concatenate([read_matrix(folder / name) for name in (TRAIN_IMAGES, TEST_IMAGES)])
    assert dataset.images.dtype == torch.uint8
    assert np.array_equal(dataset.images.numpy(), pictures[:, :maps])
    assert dataset.labels.tolist() == [3, 1, 4, 0, 2, 0, 4, 4]
    assert dataset.labels.dtype == torch.int64
    assert dataset.is_test.tolist() == [False] * 5 + [True] * 3
    assert dataset.class_names == CLASS_NAMES
    assert len(set(dataset.names)) == 8


def test_the_content_hash_changes_with_any_file(folder, config, flip_byte):
    def content_hash(maps=1):
        return parse(config("norb", image_size=96, maps=maps)).data.load().content_hash

    before = content_hash()
    assert content_hash() == before
    assert content_hash(maps=2) != before
    flip_byte(folder / TEST_IMAGES, 24)
    changed = content_hash()
    assert changed != before
    (folder / TEST_LABELS).write_bytes(matrix(np.array([0, 4, 3], np.int32)))
    assert content_hash() not in (before, changed)


@pytest.mark.parametrize("name", [TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS])
def test_a_missing_file_is_named_with_its_source(folder, config, refused, name):
    (folder / name).unlink()
    with refused(folder / name, "missing", f"{name}.gz", "https://cs.nyu.edu/", "430 MB", "research", "data.root"):
        parse(config("norb", image_size=96)).data.load()


@pytest.mark.parametrize("name", [TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS])
def test_a_truncated_file_is_named(folder, config, refused, name):
    (folder / name).write_bytes((folder / name).read_bytes()[:-1])
    with refused(folder / name):
        parse(config("norb", image_size=96)).data.load()


@pytest.mark.parametrize(
    ("name", "array"),
    [
        pytest.param(TRAIN_LABELS, np.zeros(4, np.int32), id="too few labels"),
        pytest.param(TEST_LABELS, np.zeros(4, np.int32), id="too many labels"),
        pytest.param(TRAIN_LABELS, np.zeros((5, 2), np.int32), id="labels in a table"),
        pytest.param(TEST_IMAGES, np.zeros((3, 96, 96), np.uint8), id="one camera, three dimensions"),
        pytest.param(TEST_IMAGES, np.zeros((3, 2, 32, 32), np.uint8), id="another size"),
        pytest.param(TEST_IMAGES, np.zeros((3, 2, 96, 32), np.uint8), id="not square"),
        pytest.param(TEST_IMAGES, np.zeros((3, 1, 96, 96), np.uint8), id="a camera missing"),
    ],
)
def test_files_that_do_not_fit_are_refused(folder, config, refused, name, array):
    (folder / name).write_bytes(matrix(array))
    with refused(folder / name[: -len("-dat.mat")]):
        parse(config("norb", image_size=96, maps=2)).data.load()


@pytest.mark.parametrize("label", [-1, 5])
def test_an_impossible_category_is_refused(folder, config, refused, label):
    (folder / TEST_LABELS).write_bytes(matrix(np.array([0, label, 1], np.int32)))
    with refused(folder, str(label)):
        parse(config("norb", image_size=96)).data.load()
