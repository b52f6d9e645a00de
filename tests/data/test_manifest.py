import hashlib
import re
import shutil
import subprocess
from contextlib import nullcontext

import pytest

from multistage.data import manifest
from multistage.data.caltech101 import STRAY
from multistage.registry.errors import DataError


@pytest.fixture
def folder(tmp_path):
    for name in ("a/one.txt", "a/two.txt", "b/three.txt", "four.txt"):
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "set"


def change(path):
    path.write_text("4")


def remove(path):
    path.unlink()


def add(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def rename(path):
    path.rename(path.with_name("uno.txt"))


@pytest.mark.parametrize(
    ("damages", "named"),
    [
        ([], None),
        ([(change, "a/two.txt")], ["1 changed: a/two.txt"]),
        ([(remove, "b/three.txt")], ["1 missing: b/three.txt"]),
        ([(add, "a/five.txt")], ["1 unexpected: a/five.txt"]),
        ([(add, "c/deep/six.txt")], ["1 unexpected: c/deep/six.txt"]),
        ([(add, "seven.txt")], ["1 unexpected: seven.txt"]),
        ([(add, ".hidden")], ["1 unexpected: .hidden"]),
        (
            [(change, "four.txt"), (rename, "a/one.txt")],
            ["1 changed: four.txt", "1 missing: a/one.txt", "1 unexpected: a/uno.txt"],
        ),
    ],
)
def test_whatever_differs_is_named(folder, digests, refused, damages, named):
    expected = digests(folder)
    for damage, name in damages:
        damage(folder / name)
    with refused(folder, *named) if named else nullcontext():
        manifest.verify(folder, expected)


def test_many_problems_are_counted_and_three_named(folder, digests, refused):
    expected = digests(folder) | {f"z/{number}": "0" * 64 for number in range(9)}
    with refused("9 missing: z/0, z/1, z/2, ...)"):
        manifest.verify(folder, expected)


def test_a_folder_that_is_not_there_misses_everything(tmp_path, refused):
    with refused("1 missing: a.txt"):
        manifest.verify(tmp_path / "nowhere", {"a.txt": "0" * 64})


def test_ignored_patterns_excuse_stray_files_only(folder, digests):
    expected = digests(folder)
    (folder / "a/tmp").touch()
    (folder / "b/old.gz").touch()
    manifest.verify(folder, expected, ignored=("a/tmp", "b/*.gz"))
    with pytest.raises(DataError, match=r"1 unexpected: a/tmp"):
        manifest.verify(folder, expected, ignored=("b/tmp", "b/*.gz"))
    (folder / "four.txt").write_text("4")
    with pytest.raises(DataError, match="1 changed: four"):
        manifest.verify(folder, expected, ignored=("*",))


def test_stray_files_count_below_the_chosen_folder_only(folder, digests):
    expected = {name: digest for name, digest in digests(folder).items() if name.startswith("a/")}
    manifest.verify(folder, expected, below="a")
    with pytest.raises(DataError, match="2 unexpected"):
        manifest.verify(folder, expected)


def test_one_hash_stands_for_all_names_and_contents():
    expected = {"a": "0" * 64, "b": "1" * 64}
    variants = [
        expected,
        {"a": "1" * 64, "b": "0" * 64},
        {"a": "0" * 64, "c": "1" * 64},
        {"a": "0" * 64},
    ]
    assert len({manifest.digest(variant) for variant in variants}) == 4
    assert manifest.digest(dict(reversed(expected.items()))) == manifest.digest(expected)


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_file_digest_is_sha256(tmp_path, size):
    content = bytes(range(256)) * (size // 256 + 1)
    (tmp_path / "f").write_bytes(content[:size])
    assert manifest.file_digest(tmp_path / "f") == hashlib.sha256(content[:size]).hexdigest()


def test_a_file_that_cannot_be_read_is_named(tmp_path, refused):
    with refused(tmp_path / "gone"):
        manifest.file_digest(tmp_path / "gone")


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="no sha256sum here")
def test_sha256sum_reads_and_writes_the_format(folder, tmp_path, monkeypatch):
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    written = subprocess.run(["sha256sum", *names], cwd=folder, capture_output=True, check=True, text=True).stdout
    (tmp_path / "made.sha256").write_text(written)
    monkeypatch.setattr(manifest, "FOLDER", tmp_path)
    expected = manifest.read("made")
    manifest.read.cache_clear()
    manifest.verify(folder, expected)
    assert sorted(expected) == names

    def check():
        command = ["sha256sum", "--strict", "-c", tmp_path / "made.sha256"]
        return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode

    assert check() == 0
    (folder / "four.txt").write_text("4")
    assert check() == 1


@pytest.mark.parametrize(("name", "lines"), [("caltech101", 9144), ("mnist", 4), ("norb", 3)])
def test_shipped_manifests_are_complete_and_well_formed(name, lines):
    text = (manifest.FOLDER / f"{name}.sha256").read_text()
    listed = [re.fullmatch(r"([0-9a-f]{64})  ([\w./-]+)", line) for line in text.splitlines()]
    assert all(listed)
    assert len(listed) == len(manifest.read(name)) == lines
    assert [m[2] for m in listed] == sorted(m[2] for m in listed)


def test_the_shipped_manifest_of_caltech101_has_all_102_classes():
    classes = [name.split("/")[0] for name in manifest.read("caltech101")]
    assert len(set(classes)) == 102
    assert "BACKGROUND_Google" in classes
    assert min(classes.count(name) for name in set(classes)) == 31  # one test image beside 30 to train


def test_the_real_caltech101_is_the_one_in_the_manifest(real_data):
    folder, expected = real_data / "caltech101/101_ObjectCategories", manifest.read("caltech101")
    manifest.verify(folder, expected, ignored=STRAY)
