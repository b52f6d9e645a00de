"""Time and memory of all implementations of contrast normalisation."""

import ctypes
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from unittest.mock import patch

import torch
from torch import Tensor

from audit.speed.baselines import contrast_norms
from audit.speed.measurement import BOTH, FORWARD, Bench
from audit.speed.timing import clocked
from multistage.layers.contrast_norm import blur_matrix, gaussian_window
from multistage.registry.errors import one_line

Shape = tuple[int, int, int, int]
Form = Callable[[Tensor], Tensor]
Forms = Callable[..., Mapping[str, Form]]
"""From number of maps and device to implementations by name; a module-level function, so that it can be pickled."""
Calls = dict[str, dict[str, Callable[[], object]]]
"""Functions by passes, then by form."""

GRID: tuple[Shape, ...] = (
    (8, 64, 135, 135),
    (32, 64, 135, 135),
    (32, 256, 18, 18),
    (32, 32, 24, 24),
    (128, 32, 24, 24),
    (32, 64, 8, 8),
    (128, 64, 8, 8),
    (1, 64, 135, 135),
    (1, 64, 8, 8),
)
"""The first and second stages on Caltech-101 and MNIST, batches as trained and single images."""

LARGE_GRID: tuple[Shape, ...] = ((64, 64, 135, 135), (64, 256, 18, 18))
QUICK_GRID: tuple[Shape, ...] = ((2, 64, 135, 135), (32, 64, 8, 8))
MEMORY_SHAPE: Shape = (8, 64, 135, 135)
PEAK = "peak of a step, beyond input"
M_MMAP_THRESHOLD = -3
"""A parameter of glibc's mallopt."""


def measure(bench: Bench) -> None:
    """Time forward, and forward plus backward, of every form at every shape of the grid."""
    grid = QUICK_GRID if bench.quick else GRID + (LARGE_GRID if bench.on_cuda else ())
    for shape in grid:
        _measure_shape(shape, torch.float32, bench)
    if bench.on_cuda:
        for shape in (grid[0], *(() if bench.quick else LARGE_GRID)):
            _measure_shape(shape, torch.bfloat16, bench)


def _measure_shape(shape: Shape, dtype: torch.dtype, bench: Bench) -> None:
    x, dy = (bench.noise(*shape, seed=seed).to(dtype) for seed in (0, 1))
    small = x.numel() < 10**6
    forms = contrast_norms(shape[1], bench.device, dtype)
    case, more = f"{list(shape)}", {"shape": list(shape), "dtype": str(dtype).removeprefix("torch.")}
    if dtype != torch.float32:
        case += f" {more['dtype']}"
    elif bench.compile and (small or not bench.quick):
        forms |= _compiled(forms["dense"], x, dy, case, bench)
    calls = calls_of(forms, x, dy)
    if bench.on_cuda:
        _add_triton(calls, x, dy)
    turns = 300 if small or bench.on_cuda else 15
    # the GPU's L2 cache is flushed, so that every turn reads from memory
    flush = torch.empty(2**28, dtype=torch.uint8, device=bench.device).zero_ if bench.on_cuda else None
    for passes, functions in calls.items():
        bench.compare(f"{case} {passes}", {**functions, "copy": x.clone}, turns, 8, flush, passes=passes, **more)


def calls_of(forms: Mapping[str, Form], x: Tensor, dy: Tensor) -> Calls:
    """Return functions of both passes: values alone, and values with the gradient of x."""
    return {
        FORWARD: {name: partial(without_gradient, form, x) for name, form in forms.items()},
        BOTH: {name: partial(both, form, x, dy) for name, form in forms.items()},
    }


def without_gradient(form: Form, x: Tensor) -> Tensor:
    """Compute values only."""
    with torch.no_grad():
        return form(x)


def both(form: Form, x: Tensor, dy: Tensor) -> Tensor:
    """Compute values, then the gradient of x."""
    x = x.detach().requires_grad_()
    return torch.autograd.grad(form(x), x, dy)[0]


def _compiled(dense: Form, x: Tensor, dy: Tensor, case: str, bench: Bench) -> dict[str, Form]:
    """Compile the dense form for this shape and add a row with the compile time; if that fails, add a note."""
    if x.device.type == "cpu" and not any(map(shutil.which, (os.environ.get("CXX", "c++"), "g++", "clang++"))):
        note = "compiled dense is missing: there is no C++ compiler; apt install g++ brings one"
        if note not in bench.notes:
            bench.notes.append(note)
        return {}
    torch._dynamo.reset()  # otherwise compiling several shapes would produce slower code for dynamic shapes
    compiled: Form = torch.compile(dense, dynamic=False)
    # a fresh cache, otherwise earlier compiled code is reused
    with tempfile.TemporaryDirectory() as cache, patch.dict(os.environ, TORCHINDUCTOR_CACHE_DIR=cache):
        try:
            seconds = clocked(lambda: (without_gradient(compiled, x), both(compiled, x, dy)))()
        except Exception as error:
            bench.notes.append(f"compiled dense is missing at {case}: {one_line(error)[:200]}")
            return {}
    bench.add(f"{case} compilation", "compiled dense", seconds, "s", n=1, shape=list(x.shape), passes="compilation")
    return {"compiled dense": compiled}


def _add_triton(calls: Calls, x: Tensor, dy: Tensor) -> None:
    """Time the Triton kernels alone, without autograd."""
    from multistage.layers.fast import triton as kernels

    rows, columns = (blur_matrix(side, gaussian_window(9)).to(x.device, torch.float32) for side in x.shape[2:])

    def forward() -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return kernels.forward(x, rows, columns, "mean")

    def forward_and_backward() -> Tensor:
        return kernels.backward(dy, *forward(), rows, columns, True)

    calls[FORWARD]["triton"], calls[BOTH]["triton"] = forward, forward_and_backward


def measure_memory(bench: Bench) -> None:
    """Measure the memory that each form keeps for backward, as a fraction of its input, and the peak of a step."""
    shape: Shape = (2, *MEMORY_SHAPE[1:]) if bench.quick else MEMORY_SHAPE
    x = bench.noise(*shape)
    more = {"shape": list(shape), "dtype": "float32"}
    for name, form in contrast_norms(shape[1], bench.device).items():
        case = f"{list(shape)} kept between forward and backward, beyond input and output"
        bench.add(case, name, kept(form, x) / x.nbytes, "of input", **more)
    for name in contrast_norms(shape[1]):
        if (peak := step_peak(name, shape, bench.device)) is None:
            bench.notes.append("peaks are missing: they are read from /proc, which this system does not have")
            break
        bench.add(f"{list(shape)} {PEAK}", name, peak, "bytes", **more)


def kept(form: Form, x: Tensor) -> int:
    """Count the bytes that autograd saves for backward, beyond the storage of `x` and the result."""
    storages: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storages[_begins(tensor)] = tensor.untyped_storage().nbytes()
        return tensor

    x = x.detach().requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        y = form(x)
    for tensor in (x, y):
        storages.pop(_begins(tensor), None)
    return sum(storages.values())


def _begins(tensor: Tensor) -> int:
    """Return the address of a tensor's storage, without triggering a pending copy-on-write."""
    address: int = torch._C._data_address(tensor)  # type: ignore[attr-defined]
    offset = int(tensor.storage_offset())
    return address - offset * tensor.element_size()


def step_peak(name: str, shape: Shape, device: torch.device, forms: Forms = contrast_norms) -> float | None:
    """Measure the peak growth of memory in one forward and backward pass, in bytes; None if the system cannot tell.

    It is measured in a new process, so that earlier work has no influence.
    """
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(_step_peak, name, shape, device.type, forms).result()


def _step_peak(name: str, shape: Shape, device: str, forms: Forms) -> float | None:
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(
            M_MMAP_THRESHOLD, 2**16
        )  # large allocations get their own pages, so the system sees which are in use
    form = forms(shape[1], device)[name]
    x, dy = torch.randn(shape, device=device), torch.randn(shape, device=device)
    both(form, x[:1], dy[:1])  # warm-up: libraries are loaded and windows cached
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        both(form, x, dy)
        return torch.cuda.max_memory_allocated() - before
    try:
        Path("/proc/self/clear_refs").write_text("5")  # reset the peak value
        before = _resident("VmRSS")
        both(form, x, dy)
        return _resident("VmHWM") - before
    except OSError:
        return None


def _resident(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(key))
