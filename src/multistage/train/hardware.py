"""The machine: devices, memory, and their description in records."""

import ctypes
import math
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from multistage.registry.errors import ConfigError
from multistage.settings import trainer
from multistage.settings.tree import Config

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4


def prepare() -> None:
    """Set up this process for runs: keep freed memory, and use float32 without TF32 on a GPU."""
    keep_memory()
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def keep_memory() -> None:
    """Let the C library keep freed memory instead of returning it to the system after every operation.

    Feature maps are over 100 MB each. New pages for each, zeroed by the kernel, take two thirds of a training step on
    the CPU (measured: 5.5 s against 1.8 s, batch of 32 on Caltech-101). Does nothing outside glibc.
    """
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def memory() -> float:
    """Return the memory of this machine in bytes; infinite if unknown."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return math.inf


def free_memory() -> int | None:
    """Return the bytes that this process may still allocate, within its container's limit; None if unknown."""
    free: list[int] = []
    with suppress(OSError, ValueError, KeyError, IndexError):
        memory = dict(line.split(":") for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines())
        free.append(1024 * int(memory["MemAvailable"].split()[0]))
    with suppress(OSError, ValueError):  # a container's own limit; its file cache can be reclaimed
        group = Path("/sys/fs/cgroup")
        used = dict(line.split() for line in (group / "memory.stat").read_text(encoding="ascii").splitlines())
        taken = int((group / "memory.current").read_text()) - int(used.get("inactive_file", 0))
        free.append(int((group / "memory.max").read_text()) - taken)
    return min(free, default=None)


def device(accelerator: str) -> torch.device:
    """Return the device of ``trainer.accelerator``: auto, cpu or gpu.

    Raises:
        ConfigError: A GPU is requested and there is none.
    """
    if accelerator == "gpu" and not torch.cuda.is_available():
        raise ConfigError("trainer.accelerator=gpu, but torch finds no CUDA device here; use auto or cpu")
    return torch.device("cuda" if accelerator != "cpu" and torch.cuda.is_available() else "cpu")


def check(config: Config) -> None:
    """Refuse hardware that this machine does not have.

    Raises:
        ConfigError: A missing GPU, several missing GPUs, or a precision that needs one is requested.
    """
    target = device(config["trainer.accelerator"])
    devices, precision = (trainer.value_of(config, name) for name in ("devices", "precision"))
    if target.type == "cpu" and precision.startswith("16"):
        raise ConfigError(f"trainer.precision={precision} needs a GPU; use bf16-mixed")
    if target.type == "cuda" and devices > torch.cuda.device_count():
        raise ConfigError(f"trainer.devices={devices}, but torch finds {torch.cuda.device_count()} here; use fewer")


@contextmanager
def switches_restored() -> Iterator[None]:
    """Restore after training what ``trainer.deterministic`` and ``trainer.benchmark`` set for the process."""
    strict, warns = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark = torch.backends.cudnn.benchmark
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(strict, warn_only=warns)
        torch.backends.cudnn.benchmark = benchmark


def describe() -> dict[str, Any]:
    """Describe versions and hardware, as plain values."""
    packages = ("torch", "torchvision", "pytorch-lightning", "hydra-core", "numpy", "scikit-learn")
    return {
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
        "hardware": {
            "platform": platform.platform(),
            "processor": _processor(),
            "cores": os.cpu_count(),
            "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        },
        "threads": torch.get_num_threads(),
    }


def _processor() -> str:
    with suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
        for line in file:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
