"""The machine: its free memory, and devices and precisions that it does not have."""

import io
import platform
from pathlib import Path

import pytest
import torch

from multistage.registry.errors import ConfigError
from multistage.train import hardware


@pytest.mark.parametrize(("limit", "free"), [("max", 3000 * 1024), ("9000000", 3000 * 1024), ("100000", 100000 - 4000)])
def test_free_memory_is_that_of_the_machine_or_what_is_left_of_the_container_s_limit(monkeypatch, limit, free):
    files = {
        "/proc/meminfo": "MemTotal: 9000 kB\nMemFree: 1000 kB\nMemAvailable: 3000 kB\n",
        "/sys/fs/cgroup/memory.stat": "anon 4000\ninactive_file 1000\n",
        "/sys/fs/cgroup/memory.current": "5000\n",
        "/sys/fs/cgroup/memory.max": f"{limit}\n",
    }
    monkeypatch.setattr(Path, "read_text", lambda path, **_: files[str(path)])
    assert hardware.free_memory() == free


@pytest.mark.parametrize("content", ["MemTotal: 5 kB\n", None])
def test_a_kernel_that_says_nothing_is_done_without(monkeypatch, content):
    """As in a sandbox without /proc, or with a part of it."""

    def read(*_, **__):
        if content is None:
            raise FileNotFoundError
        return io.StringIO(content)

    monkeypatch.setattr("builtins.open", read)
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: read().read())
    assert hardware.free_memory() is None
    assert hardware._processor() == (platform.processor() or platform.machine())


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("trainer.precision=16-mixed", "trainer.precision=16-mixed needs a GPU; use bf16-mixed"),
        ("trainer.accelerator=gpu", "torch finds no CUDA device here; use auto or cpu"),
    ],
)
def test_what_needs_a_gpu_is_refused_without_one(plan, do, monkeypatch, typed, message):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    run = plan(typed)
    with pytest.raises(ConfigError, match=message):
        do(run)
    assert not run.folder.exists()


def test_more_devices_than_there_are_are_refused(plan, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    hardware.check(plan("trainer.devices=2").config)
    with pytest.raises(ConfigError, match=r"trainer\.devices=3, but torch finds 2 here; use fewer"):
        hardware.check(plan("trainer.devices=3").config)
