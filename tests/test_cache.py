import resource

import pytest
import torch

from multistage.cache import cached, folder


@pytest.fixture
def build():
    def make():
        make.calls += 1
        return {"images": torch.arange(6.0).reshape(2, 3), "labels": torch.tensor([make.calls])}

    make.calls = 0
    return make


def entry(cache_folder, suffix=".safetensors"):
    (path,) = cache_folder.glob(f"*{suffix}")
    return path


def test_the_second_call_does_not_build(build):
    first, second = cached("set", "source", build), cached("set", "source", build)
    assert build.calls == 1
    assert first.keys() == second.keys()
    for name in first:
        assert torch.equal(first[name], second[name])
        assert first[name].dtype == second[name].dtype


@pytest.mark.parametrize(("name", "source"), [("set", "other"), ("other", "source")])
def test_another_source_or_name_is_another_entry(build, cache_folder, name, source):
    cached("set", "source", build)
    assert cached(name, source, build)["labels"].item() == 2
    assert cached("set", "source", build)["labels"].item() == 1
    assert build.calls == 2
    assert len(list(cache_folder.glob("*.safetensors"))) == 2


@pytest.mark.parametrize("position", [0, 20, -1], ids=["header", "names", "values"])
def test_a_flipped_byte_is_noticed_and_the_entry_made_again(build, cache_folder, flip_byte, caplog, position):
    cached("set", "source", build)
    flip_byte(entry(cache_folder), position)
    assert cached("set", "source", build)["labels"].item() == 2
    assert "damaged" in caplog.text
    assert cached("set", "source", build)["labels"].item() == 2
    assert build.calls == 2


def test_a_truncated_entry_is_made_again(build, cache_folder):
    cached("set", "source", build)
    path = entry(cache_folder)
    path.write_bytes(path.read_bytes()[:10])
    assert cached("set", "source", build)["labels"].item() == 2


def test_an_entry_without_checksum_is_made_again(build, cache_folder):
    cached("set", "source", build)
    entry(cache_folder, ".sha256").unlink()
    assert cached("set", "source", build)["labels"].item() == 2
    assert cached("set", "source", build)["labels"].item() == 2


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"0" * 64, id="wrong"),
        pytest.param(
            b"\xff\xfe",
            id="no text",
        ),
    ],
)
def test_a_damaged_checksum_means_making_the_entry_again(build, cache_folder, content):
    cached("set", "source", build)
    entry(cache_folder, ".sha256").write_bytes(content)
    assert cached("set", "source", build)["labels"].item() == 2
    assert cached("set", "source", build)["labels"].item() == 2


def test_a_failing_build_leaves_no_entry(cache_folder):
    def fail():
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        cached("set", "source", fail)
    assert not cache_folder.exists() or list(cache_folder.iterdir()) == []


def test_nothing_but_the_entry_and_its_checksum_is_left(build, cache_folder):
    cached("set", "source", build)
    assert {p.suffix for p in cache_folder.iterdir()} == {".safetensors", ".sha256"}


def test_a_cache_that_cannot_be_written_is_done_without(build, cache_folder, caplog):
    cache_folder.write_text("a file where the folder should be")
    for calls in (1, 2):
        assert cached("set", "source", build)["labels"].item() == calls
    assert "cannot be written" in caplog.text


def test_a_full_disk_is_done_without(cache_folder, caplog):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        tensors = cached("set", "source", lambda: {"images": torch.ones(10_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert tensors["images"].sum() == 10_000
    assert "cannot be written" in caplog.text
    assert list(cache_folder.iterdir()) == []


def test_where_the_cache_lies(monkeypatch, tmp_path):
    monkeypatch.setenv("MULTISTAGE_CACHE", str(tmp_path / "chosen"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert folder() == tmp_path / "chosen"
    monkeypatch.delenv("MULTISTAGE_CACHE")
    assert folder() == tmp_path / "xdg/multistage"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert folder() == tmp_path / "home/.cache/multistage"
