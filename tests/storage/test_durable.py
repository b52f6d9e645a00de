import errno
import os
import stat
from pathlib import Path

import pytest
import torch

from multistage.records import runs
from multistage.registry.errors import MultistageError
from multistage.storage import cache, durable


def test_a_file_is_written_only_where_it_differs(tmp_path):
    file = tmp_path / "file"
    assert durable.update(file, b"one")
    before = file.stat().st_ino, file.stat().st_mtime_ns
    assert not durable.update(file, b"one")
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == before
    assert durable.update(file, b"two")
    assert file.read_bytes() == b"two"


def test_a_file_is_read_up_to_its_limit_even_if_its_size_is_unknown(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"12345")
    assert durable.read(file, 5) == b"12345"
    for path in (file, Path("/proc/version")):  # the kernel's own files have size 0
        with pytest.raises(ValueError, match="it has more than 4 bytes"):
            durable.read(path, 4)


@pytest.mark.parametrize("kind", ["link", "left by a killed process"])
def test_what_lies_under_the_name_of_a_new_file_is_not_written_through(tmp_path, kind):
    other = tmp_path / "other"
    other.write_bytes(b"precious")
    new = tmp_path / ".file.new"
    if kind == "link":
        new.symlink_to(other)
    else:
        new.hardlink_to(other)
    durable.write(tmp_path / "file", b"content")
    assert other.read_bytes() == b"precious"
    assert (tmp_path / "file").read_bytes() == b"content"
    assert not (tmp_path / "file").is_symlink()
    assert not new.exists()


def refuse(code, folders_only=True):
    """An ``os.fsync`` that a file system refuses."""
    real = os.fsync

    def flush(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode) or not folders_only:
            raise OSError(code, os.strerror(code))
        real(descriptor)

    return flush


@pytest.fixture
def said(caplog):
    durable._say.cache_clear()
    yield lambda: [record.getMessage() for record in caplog.records]
    durable._say.cache_clear()


@pytest.mark.parametrize("folders_only", [True, False])
def test_files_are_written_where_they_cannot_be_flushed(tmp_path, said, monkeypatch, folders_only):
    monkeypatch.setattr(os, "fsync", refuse(errno.EINVAL, folders_only))
    for content in (b"one", b"two"):
        durable.write(tmp_path / "file", content)
    assert (tmp_path / "file").read_bytes() == b"two"
    assert said() == ["Invalid argument: files cannot be flushed to disk there; a power failure may undo a write"]


@pytest.mark.parametrize("folders_only", [True, False])
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_a_disk_that_fails_or_fills_is_an_error_that_names_the_file(tmp_path, said, monkeypatch, code, folders_only):
    file = tmp_path / "file"
    durable.write(file, b"old")
    monkeypatch.setattr(os, "fsync", refuse(code, folders_only))
    with pytest.raises(OSError, match=f"{os.strerror(code)}: '{file}'"):
        durable.write(file, b"new")
    assert said() == []
    assert list(tmp_path.iterdir()) == [file]
    assert file.read_bytes() == (b"new" if folders_only else b"old")


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_work_is_done_where_files_cannot_be_locked(tmp_path, said, monkeypatch, code):
    def refused(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("fcntl.flock", refused)
    for number in range(2):
        with runs.claimed(tmp_path / "run"):
            durable.write(tmp_path / "run" / "file", b"content")
        entry = cache.cached("entry", f"source {number}", lambda: {"x": torch.ones(2)})
        assert entry["x"].sum() == 2
    assert not runs.is_busy(tmp_path / "run")
    assert len(list(cache.folder().glob("*.safetensors"))) == 2
    assert said() == [f"{os.strerror(code)}: files cannot be locked there; two processes may do the same work twice"]


def test_another_refusal_of_a_lock_is_an_error(tmp_path, monkeypatch):
    def refused(*_):
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr("fcntl.flock", refused)
    with pytest.raises(MultistageError, match="cannot be written: broken"), runs.claimed(tmp_path / "run"):
        pass
