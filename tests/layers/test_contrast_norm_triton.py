"""The Triton kernels, in Triton's interpreter on the CPU and, with -m gpu, on a CUDA device.

Triton is told to interpret before it is imported, so `test_in_the_interpreter` starts a pytest of its own for the
checks; there they are not marked gpu.
"""

import os
import subprocess
import sys
import textwrap

import pytest
import torch

from multistage.layers.contrast_norm import BORDERS, blur_matrix, gaussian_window, local_contrast_norm

pytest.importorskip("triton")
from multistage.layers.fast import triton as kernels

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cpu" if INTERPRETED else "cuda"
on_device = (lambda check: check) if INTERPRETED else pytest.mark.gpu
only_outside = pytest.mark.skipif(INTERPRETED, reason="not of the interpreter")
slow = pytest.mark.slow

# Largest error allowed, interpreted or on a device, against the layer in float64 on the CPU; of the largest value
TOLERANCE = {torch.float32: 2e-6, torch.bfloat16: 1e-2, torch.float16: 1e-3}
TOLERANCE_OFFSET = 1e-5  # float32, x = 100 + noise

# More and fewer maps than are read at once, sides of 1
SHAPES = [(2, 5, 17, 3), (1, 20, 9, 32), (1, 1, 5, 1)]


@only_outside
@pytest.mark.parametrize("which", ["not slow", pytest.param("slow", marks=slow)])
def test_in_the_interpreter(which):
    lines = """
        import sys, pytest, multistage.layers
        assert "triton" not in sys.modules, "the package imports triton, which some platforms do not have"
        sys.exit(pytest.main(["-n0", "-q", "--noconftest", "-p", "no:cacheprovider", *sys.argv[1:]]))
    """
    command = [sys.executable, "-c", textwrap.dedent(lines), "-m", which, __file__]
    environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def drawn(*shape, seed=0, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def blurs(x, border="zero", kernel_size=9):
    return [blur_matrix(side, gaussian_window(kernel_size), border).float().to(x.device) for side in x.shape[2:]]


def by_kernels(x, floor="mean", floor_gradient=True, border="zero", kernel_size=9):
    """y, and dx for a dy that is drawn."""
    dy = drawn(*x.shape, seed=1, dtype=x.dtype).to(DEVICE)
    x = x.to(DEVICE)
    rows, columns = blurs(x, border, kernel_size)
    y, *maps = kernels.forward(x, rows, columns, floor)
    dx = kernels.backward(dy, y, *maps, rows, columns, floor == "mean" and floor_gradient)
    assert all(kept.dtype == torch.float32 and kept.shape == (len(x), 1, *x.shape[2:]) for kept in maps)
    assert y.dtype == dx.dtype == x.dtype
    assert y.shape == dx.shape == x.shape
    return y.cpu(), dx.cpu()


def in_float64(x, floor="mean", floor_gradient=True, border="zero", kernel_size=9):
    """The same, by the layer on the CPU."""
    dy = drawn(*x.shape, seed=1, dtype=x.dtype).double()
    x = x.double().requires_grad_()
    y = local_contrast_norm(x, kernel_size, None, floor, border, True, floor_gradient)
    return y.detach(), torch.autograd.grad(y, x, dy)[0]


def assert_near(actual, expected, tolerance):
    for name, values, truth in zip(("y", "dx"), actual, expected, strict=True):
        error = (values.double() - truth).abs().max() / truth.abs().max()
        assert error <= tolerance, f"{name}: {error:.1e}"


# Against the layer in float64


@on_device
@pytest.mark.parametrize("floor", [("mean", True), pytest.param(("mean", False), marks=slow), (0.5, False)], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_the_layer(shape, floor):
    x = drawn(*shape)
    assert_near(by_kernels(x, *floor), in_float64(x, *floor), TOLERANCE[x.dtype])


@on_device
def test_equals_the_layer_where_everything_takes_more_than_one_block(monkeypatch):
    monkeypatch.setitem(kernels._SAMPLE, "POSITIONS", 64)
    x = drawn(1, 17, 5, 70)
    assert_near(by_kernels(x), in_float64(x), TOLERANCE[x.dtype])


@on_device
@pytest.mark.parametrize(
    ("border", "kernel_size"),
    [("renormalise", 15), ("reflect", 15), ("replicate", 15), pytest.param("zero", 1, marks=slow)],
)
def test_equals_the_layer_for_other_borders_and_windows(border, kernel_size):
    x, options = drawn(1, 3, 6, 11), {"border": border, "kernel_size": kernel_size}
    assert_near(by_kernels(x, **options), in_float64(x, **options), TOLERANCE[x.dtype])


@on_device
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_stores_in_sixteen_bits_and_computes_in_float32(dtype):
    x = drawn(2, 9, 10, 7, dtype=dtype)
    y, dx = by_kernels(x)
    expected = in_float64(x)
    assert_near((y, dx), expected, TOLERANCE[dtype])
    if dtype == torch.float16 or not INTERPRETED:  # Triton's interpreter cuts bfloat16 off instead of rounding it
        assert (y == expected[0].to(dtype)).double().mean() > 0.99  # rounded once


@on_device
@pytest.mark.parametrize("maps", [1, pytest.param(20, marks=slow)])
@pytest.mark.parametrize("border", ["zero", "replicate"])
def test_an_offset_costs_no_accuracy(border, maps):
    x = 100 + drawn(1, maps, 11, 7)
    assert_near(by_kernels(x, border=border), in_float64(x, border=border), TOLERANCE_OFFSET)


@on_device
@pytest.mark.parametrize("border", ["zero", "replicate", *(pytest.param(b, marks=slow) for b in BORDERS[1:3])])
def test_flat_samples(border):
    x = drawn(4, 9, 7, 10)
    x[1], x[2], x[3] = 0, 0.9, -1e4
    y, dx = by_kernels(x, border=border)
    assert torch.equal(y[:1], by_kernels(x[:1], border=border)[0])
    assert dx.isfinite().all()
    assert y[1].eq(0).all()
    if border != "zero":
        assert (y[2:].abs().amax((1, 2, 3)) <= 4 * 2**-23 * torch.tensor([0.9, 1e4])).all()


@on_device
@pytest.mark.filterwarnings("ignore:All-NaN slice")  # of NumPy, below the interpreter
def test_what_is_not_a_number_stays_seen():
    x = drawn(2, 3, 8, 8)
    x[0, 1, 2, 3] = torch.nan
    y, _ = by_kernels(x)
    assert y[0].isnan().all()
    assert y[1].isfinite().all()


# Of the two functions


@on_device
def test_takes_any_strides():
    x = drawn(2, 5, 9, 7).to(DEVICE)
    spread = x.to(memory_format=torch.channels_last)
    y, *maps = kernels.forward(spread, *blurs(x), "mean")
    expected, *_ = kernels.forward(x, *blurs(x), "mean")
    assert torch.equal(y, expected)
    ones = torch.ones_like(x)
    dx = kernels.backward(ones[:1, :1, :1, :1].expand_as(x), y, *maps, *blurs(x), True)
    assert torch.equal(dx, kernels.backward(ones, y, *maps, *blurs(x), True))


@on_device
@pytest.mark.parametrize("shape", [(0, 3, 8, 8), (2, 0, 8, 8), (0, 3, 40, 40)], ids=str)
def test_nothing_to_normalise(shape):
    y, dx = by_kernels(drawn(*shape))
    assert y.numel() == dx.numel() == 0


def test_refuses_what_it_cannot_do():
    x = drawn(1, 1, 33, 4)
    with pytest.raises(TypeError, match=r"float64; use contrast_norm\.definition"):
        kernels.forward(x.double(), *blurs(x), "mean")


# On a device only


@pytest.mark.gpu
@only_outside
def test_more_than_2_to_the_31_values():
    x = torch.randn(2000, 64, 135, 135, dtype=torch.bfloat16, device=DEVICE)
    y, *maps = kernels.forward(x, *blurs(x), "mean")
    dx = kernels.backward(x, y, *maps, *blurs(x), True)
    last = x[-1:]
    expected, *maps = kernels.forward(last, *blurs(x), "mean")
    assert torch.equal(y[-1:], expected)
    assert torch.equal(dx[-1:], kernels.backward(last, expected, *maps, *blurs(x), True))


@pytest.mark.gpu
@only_outside
def test_tf32_is_never_used():
    x = drawn(2, 8, 20, 20)
    expected = by_kernels(x)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        actual = by_kernels(x)
    finally:
        torch.set_float32_matmul_precision(before)
    assert all(torch.equal(a, b) for a, b in zip(actual, expected, strict=True))


# Compiled ahead of time, without a device

INTEGERS = {"size", "maps", "height", "width", "across", "to_stride", "from_stride"}


def launched():
    """Each kernel with the constants it is launched with."""
    of = kernels.kernels
    yield of.map_statistics, kernels._COLUMN
    yield of.blur_axis, kernels._BLUR
    yield of.finish_divisor, {"MEAN_FLOOR": True, **kernels._SAMPLE}
    yield of.normalise, kernels._TILE
    yield of.gradient_means, kernels._COLUMN
    yield of.through_divisor, {"THROUGH_FLOOR": True, **kernels._SAMPLE}
    yield of.input_gradient, kernels._TILE


@only_outside
@pytest.mark.parametrize(
    ("target", "dtype", "ones"),
    [
        (80, "bf16", False),
        (90, "fp32", False),
        pytest.param(90, "fp32", True, marks=slow),  # Triton compiles apart for integers that are 1
    ],
)
def test_compiles(target, dtype, ones, tmp_path, monkeypatch):
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    for kernel, constants in launched():
        options = {name: value for name, value in {**constants, **kernels._FUSED}.items() if name.islower()}
        constants = {name: value for name, value in constants.items() if name.isupper()}
        if ones:
            constants |= dict.fromkeys(INTEGERS & {*kernel.arg_names}, 1)
        signature = {}
        for name in kernel.arg_names:
            pointer = f"*{dtype}" if name in ("x", "y", "dy", "dx") else "*fp32"
            other = {"floor": "fp32", **dict.fromkeys(INTEGERS, "i32")}
            signature[name] = "constexpr" if name in constants else other.get(name, pointer)
        source = ASTSource(kernel, signature, constants)
        compiled = triton.compile(source, target=GPUTarget("cuda", target, 32), options=options)
        assert f".target sm_{target}" in compiled.asm["ptx"]
        assert "tf32" not in compiled.asm["ptx"]
        assert len(compiled.asm["cubin"]) > 0
