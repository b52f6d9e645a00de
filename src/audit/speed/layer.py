"""Contrast normalisation in all its forms, and how much memory they take."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import torch
from torch import Tensor

from audit.speed.baselines import contrast_norms
from audit.speed.measurement import BOTH, FORWARD, Measurement, Settings, environment, shape_name
from audit.speed.timing import side_by_side
from multistage.registry.errors import one_line
from multistage.train import hardware

Shape = tuple[int, int, int, int]
Form = Callable[[Tensor], Tensor]

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


def measure(settings: Settings) -> Measurement:
    """Forward alone, and forward and backward, of every form at every shape of the grid."""
    measured = Measurement()
    on_cuda = settings.device.type == "cuda"
    grid = QUICK_GRID if settings.quick else GRID + (LARGE_GRID if on_cuda else ())
    for shape in grid:
        _measure_shape(shape, torch.float32, settings, measured)
    if on_cuda:
        for shape in (grid[0], *(LARGE_GRID if not settings.quick else ())):
            _measure_shape(shape, torch.bfloat16, settings, measured)
    return measured


def _measure_shape(shape: Shape, dtype: torch.dtype, settings: Settings, measured: Measurement) -> None:
    device = settings.device
    x, dy = (settings.noise(*shape, seed=seed).to(dtype) for seed in (0, 1))
    forms = contrast_norms(shape[1], device, dtype)
    name, more = shape_name(shape), {"shape": list(shape), "dtype": str(dtype).removeprefix("torch.")}
    if dtype != torch.float32:
        name += f" {more['dtype']}"
    wanted = settings.compile and dtype == torch.float32 and not (settings.quick and x.numel() > 10**6)
    if wanted and (compiled := _compiled(forms["dense"], x, dy, name, measured)) is not None:
        forms["compiled dense"] = compiled
    calls: dict[str, dict[str, Callable[[], object]]] = {
        FORWARD: {form: partial(_forward, run, x) for form, run in forms.items()},
        BOTH: {form: partial(both, run, x, dy) for form, run in forms.items()},
    }
    if device.type == "cuda":
        for form, one_kernel in (("triton, passes", False), ("triton, one kernel", True)):
            _add_triton(calls, form, x, dy, one_kernel)
    small = x.numel() < 10**6
    turns = (30 if small else 5) if settings.quick else (300 if small or device.type == "cuda" else 15)
    for passes, functions in calls.items():
        functions["copy"] = x.clone
        timings = side_by_side(functions, turns, seconds=5 if settings.quick else 8, before=_flush(device))
        measured.times(f"{name} {passes}", timings, passes=passes, **more)


def _forward(form: Form, x: Tensor) -> Tensor:
    with torch.no_grad():
        return form(x)


def both(form: Form, x: Tensor, dy: Tensor) -> Tensor:
    """Values, then the gradient of x."""
    x = x.detach().requires_grad_()
    return torch.autograd.grad(form(x), x, dy)[0]


def _compiled(dense: Form, x: Tensor, dy: Tensor, case: str, measured: Measurement) -> Form | None:
    """The dense form compiled for this shape, and a row that says how long that took; or None and a note."""
    if x.device.type == "cpu" and not any(map(shutil.which, (os.environ.get("CXX", "c++"), "g++", "clang++"))):
        note = "compiled dense is missing: there is no C++ compiler; apt install g++ brings one"
        if note not in measured.notes:
            measured.notes.append(note)
        return None
    torch._dynamo.reset()  # else what was learned of one shape would make the next one's code more general
    compiled: Form = torch.compile(dense, dynamic=False)
    with tempfile.TemporaryDirectory() as cache, environment(TORCHINDUCTOR_CACHE_DIR=cache):  # else older code is found
        try:
            started = time.perf_counter()
            _forward(compiled, x)
            both(compiled, x, dy)
            seconds = time.perf_counter() - started
        except Exception as error:
            measured.notes.append(f"compiled dense is missing at {case}: {one_line(error)[:200]}")
            return None
    measured.add(f"{case} compilation", "compiled dense", seconds, "s", n=1, shape=list(x.shape), passes="compilation")
    return compiled


def _add_triton(
    calls: dict[str, dict[str, Callable[[], object]]], name: str, x: Tensor, dy: Tensor, one_kernel: bool
) -> None:
    """The Triton kernels by themselves, without autograd, as far as they take this shape."""
    from multistage.layers.contrast_norm import blur_matrix, gaussian_window
    from multistage.layers.fast import triton as kernels

    if one_kernel and not kernels.is_small(x):
        return
    rows, columns = (blur_matrix(side, gaussian_window(9)).to(x.device, torch.float32) for side in x.shape[2:])

    def forward() -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return kernels.forward(x, rows, columns, "mean", one_kernel)

    def forward_and_backward() -> Tensor:
        return kernels.backward(dy, *forward(), rows, columns, True, one_kernel)

    calls[FORWARD][name], calls[BOTH][name] = forward, forward_and_backward


def _flush(device: torch.device) -> Callable[[], object] | None:
    """Empties a GPU's second cache, so that every turn reads from memory."""
    if device.type != "cuda":
        return None
    return torch.empty(2**28, dtype=torch.uint8, device=device).zero_


def measure_memory(settings: Settings) -> Measurement:
    """What each form keeps between forward and backward, as a share of its input, and what a step adds at its peak."""
    measured = Measurement()
    shape: Shape = (2, *MEMORY_SHAPE[1:]) if settings.quick else MEMORY_SHAPE
    x = settings.noise(*shape)
    more = {"shape": list(shape), "dtype": "float32"}
    for name, form in contrast_norms(shape[1], settings.device).items():
        case = f"{shape_name(shape)} kept between forward and backward, beyond input and output"
        measured.add(case, name, kept(form, x) / (x.numel() * x.element_size()), "of input", **more)
    for name in contrast_norms(shape[1]):
        if (peak := step_peak(name, shape, settings.device)) is None:
            measured.notes.append("peaks are missing: they are read from /proc, which this system does not have")
            break
        measured.add(f"{shape_name(shape)} peak of a step, beyond input", name, peak, "bytes", **more)
    return measured


def kept(form: Form, x: Tensor) -> int:
    """Bytes that autograd keeps between forward and backward beyond what holds `x` and the result."""
    storages: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    x = x.detach().requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        y = form(x)
    for tensor in (x, y):
        storages.pop(tensor.untyped_storage().data_ptr(), None)
    return sum(storages.values())


def step_peak(name: str, shape: Shape, device: torch.device) -> float | None:
    """By how many bytes memory grows at most in one forward and backward pass of a form; None if that is not told.

    It is measured in a process of its own, so that nothing that happened before plays a part.
    """
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(_step_peak, name, shape, device.type).result()


def _step_peak(name: str, shape: Shape, device: str) -> float | None:
    hardware.prepare()
    form = contrast_norms(shape[1], device)[name]
    both(form, *(torch.ones(1, shape[1], 16, 16, device=device) for _ in range(2)))  # libraries are loaded by now
    x, dy = torch.randn(shape, device=device), torch.randn(shape, device=device)
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        both(form, x, dy)
        return torch.cuda.max_memory_allocated() - before
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the highest value begins anew
        before = _resident("VmRSS")
        both(form, x, dy)
        return _resident("VmHWM") - before
    except OSError:
        return None


def _resident(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(key))
