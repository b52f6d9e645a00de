import multiprocessing
import os
import resource
import time
from pathlib import Path

import filelock
import pytest
import torch

from multistage.registry.errors import ConfigError
from multistage.storage.cache import cached, folder


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


DAMAGES = {
    "header": (".safetensors", lambda old: bytes([old[0] ^ 0xFF]) + old[1:]),
    "names": (".safetensors", lambda old: old[:20] + bytes([old[20] ^ 0xFF]) + old[21:]),
    "values": (".safetensors", lambda old: old[:-1] + bytes([old[-1] ^ 0xFF])),
    "cut": (".safetensors", lambda old: old[:10]),
    "checksum empty": (".sha256", lambda old: b""),
    "checksum wrong": (".sha256", lambda old: b"0" * 64),
    "checksum no text": (".sha256", lambda old: b"\xff\xfe"),
    "checksum gone": (".sha256", None),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_noticed_and_the_entry_made_again(build, cache_folder, caplog, damage):
    cached("set", "source", build)
    suffix, change = DAMAGES[damage]
    path = entry(cache_folder, suffix)
    if change is None:
        path.unlink()
    else:
        path.write_bytes(change(path.read_bytes()))
    for _ in range(2):
        assert cached("set", "source", build)["labels"].item() == 2
    assert "damaged" in caplog.text
    assert build.calls == 2


def test_an_entry_that_no_longer_holds_is_made_again(build, caplog):
    cached("set", "source", build)
    asked = []
    for now in (True, False):
        cached("set", "source", build, holds=lambda found, now=now: asked.append(found["labels"].item()) or now)
    assert cached("set", "source", build)["labels"].item() == 2
    assert set(asked) == {1}
    assert "damaged" not in caplog.text


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


def test_an_entry_is_mapped_and_may_be_changed_in_memory(build, cache_folder):
    cached("set", "source", build)
    images = cached("set", "source", build)["images"]
    assert str(entry(cache_folder)) in Path("/proc/self/maps").read_text()
    images += 1
    assert torch.equal(cached("set", "source", build)["images"], images - 1)


def wait_and_build(start, counts):
    start.wait()

    def build():
        with counts.get_lock():
            counts.value += 1
        time.sleep(0.5)
        return {"x": torch.ones(3)}

    assert cached("set", "source", build)["x"].sum() == 3


def test_of_several_processes_one_makes_an_entry_and_the_others_read_it(cache_folder):
    context = multiprocessing.get_context("fork")
    counts, start = context.Value("i", 0), context.Barrier(3)
    processes = [context.Process(target=wait_and_build, args=(start, counts)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert counts.value == 1
    assert {p.suffix for p in cache_folder.iterdir()} == {".safetensors", ".sha256"}


def test_what_a_killed_process_left_is_cleared_away(build, cache_folder):
    cached("set", "source", build)
    left = cache_folder / f".{entry(cache_folder).stem}-xyz"
    left.mkdir()
    entry(cache_folder).rename(left / "half")
    cached("set", "source", build)
    assert {p.suffix for p in cache_folder.iterdir()} == {".safetensors", ".sha256"}


def test_a_cache_that_may_not_be_written_is_read(build, cache_folder, caplog, monkeypatch):
    cached("set", "source", build)

    def refuse(*_, **__):
        raise PermissionError("read-only")

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)  # root may write anywhere
    monkeypatch.setattr(os, "utime", refuse)
    assert cached("set", "source", build)["labels"].item() == 1
    assert not caplog.text
    assert cached("set", "other", build)["labels"].item() == 2
    assert cached("set", "other", build)["labels"].item() == 3
    assert caplog.text.count("cannot be written (read-only)") == 1
    assert len(list(cache_folder.iterdir())) == 2


@pytest.fixture
def limited():
    """Makes an entry of 80 kB or so."""
    return lambda source, name="set": cached(name, source, lambda: {"x": torch.rand(20_000)}, limited=True)["x"]


def kept(cache_folder):
    return len(list((cache_folder / "features").glob("*.safetensors")))


def test_the_least_recently_used_entries_make_room(limited, cache_folder, monkeypatch):
    monkeypatch.setenv("MULTISTAGE_CACHE_LIMIT", "250e-6")
    values = {source: limited(source) for source in "abc"}
    assert kept(cache_folder) == 3
    assert torch.equal(limited("a"), values["a"])
    limited("d")
    assert kept(cache_folder) == 3
    assert torch.equal(limited("a"), values["a"])
    assert not torch.equal(limited("b"), values["b"])
    assert sum(p.stat().st_size for p in (cache_folder / "features").iterdir()) < 250e3


def test_learned_filters_are_removed_last(limited, monkeypatch):
    def small(source, name="filters"):
        return cached(name, source, lambda: {"x": torch.rand(1_000)}, limited=True)["x"]

    monkeypatch.setenv("MULTISTAGE_CACHE_LIMIT", "170e-6")
    filters = {source: small(source) for source in "ab"}
    features = {source: small(source, "features") for source in "ab"}
    large = {source: limited(source) for source in "abc"}
    assert all(torch.equal(small(source), filters[source]) for source in "ab")
    assert not torch.equal(small("a", "features"), features["a"])
    assert not torch.equal(limited("a"), large["a"])
    monkeypatch.setenv("MULTISTAGE_CACHE_LIMIT", "91e-6")
    limited("d")
    assert not torch.equal(small("a"), filters["a"])


@pytest.mark.parametrize(("room", "entries"), [("100e-6", 1), ("200e-6", 2)])
def test_the_limit_does_not_take_what_is_in_use(limited, cache_folder, monkeypatch, caplog, room, entries):
    monkeypatch.setenv("MULTISTAGE_CACHE_LIMIT", room)
    features = limited("a", "features")
    for source in "abc":
        limited(source, "gram")
        assert torch.equal(limited("a", "features"), features)
    assert kept(cache_folder) == entries
    assert ("is not kept: entries in use leave less" in caplog.text) == (entries == 1)


def test_an_entry_above_the_limit_is_not_kept(limited, cache_folder, monkeypatch, caplog):
    monkeypatch.setenv("MULTISTAGE_CACHE_LIMIT", "50e-6")
    assert not torch.equal(limited("a"), limited("a"))
    assert kept(cache_folder) == 0
    assert caplog.text.count("above MULTISTAGE_CACHE_LIMIT") == 2
    monkeypatch.setenv("MULTISTAGE_CACHE_LIMIT", "1")
    assert torch.equal(limited("a"), limited("a"))
    assert "cannot be written" not in caplog.text


def test_a_limit_of_zero_switches_limited_entries_off(limited, build, cache_folder, monkeypatch):
    before = limited("a")
    monkeypatch.setenv("MULTISTAGE_CACHE_LIMIT", "0")
    assert not torch.equal(limited("a"), before)
    cached("set", "source", build)
    assert cached("set", "source", build)["labels"].item() == 1


@pytest.mark.parametrize("text", ["", "many", "-1", "nan"])
def test_an_impossible_limit_is_refused(limited, monkeypatch, text):
    monkeypatch.setenv("MULTISTAGE_CACHE_LIMIT", text)
    with pytest.raises(ConfigError, match="MULTISTAGE_CACHE_LIMIT"):
        limited("a")
