"""The format of small NORB's files."""

import hashlib
import struct

import numpy as np
import pytest
from data.norb_files import BYTES, TEST_IMAGES, TRAIN_IMAGES, TRAIN_LABELS, matrix

from multistage.data import manifest
from multistage.data.norb import read_matrix

FLOATS = 0x1E3D4C51


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


def test_the_labels_of_the_real_training_file_can_be_made_byte_for_byte(tmp_path):
    labels = np.tile(np.arange(5, dtype="<i4"), 4860)
    content = bytes.fromhex("54 4C 3D 1E 01 00 00 00 EC 5E 00 00 01 00 00 00 01 00 00 00") + labels.tobytes()
    assert hashlib.sha256(content).hexdigest() == manifest.read("norb")[TRAIN_LABELS]
    assert content == matrix(labels.astype(np.int32))  # which the tests write other files with
    (tmp_path / TRAIN_LABELS).write_bytes(content)
    assert np.array_equal(read_matrix(tmp_path / TRAIN_LABELS), labels)


def test_the_manifest_has_the_files_whose_checksums_are_known():
    assert set(manifest.read("norb")) == {TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES}


@pytest.mark.parametrize("name", [TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES])
def test_other_files_than_the_manifest_has_are_refused_by_name(made, load, refused, name):
    data = made("norb")
    path = data.folder / name
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    with refused("norb differs from its manifest", f"1 changed: {name}", "cs.nyu.edu"):
        load("norb")
