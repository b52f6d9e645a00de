"""Values and gradients of the hand-written contrast normalisation against `definition` and its gradient by torch."""

import pytest
import torch
from layers.cases import drawn

from multistage.layers import eager, local_contrast_norm
from multistage.layers.contrast_norm import BORDERS, definition
from multistage.layers.fast import contrast_norm as fast

FLOORS = [("mean", True), ("mean", False), (0.0, True), (0.5, True)]
each_border = pytest.mark.parametrize("border", BORDERS)
each_floor = pytest.mark.parametrize(("floor", "floor_gradient"), FLOORS)


def with_gradient(function, x, dy, **options):
    """y, and the gradient of `x` where that of y is `dy`."""
    x = x.detach().requires_grad_()
    y = function(x, **options)
    return y.detach(), torch.autograd.grad(y, x, dy.to(y.dtype))[0]


def in_float64(x, dy, across_maps=True, **options):
    """The same for the same numbers, by `definition`."""

    def of_all(x):
        maps = x if across_maps else x.reshape(-1, 1, *x.shape[2:])
        return definition(maps, **options).view_as(x)

    return with_gradient(of_all, x.double(), dy.double())


def assert_same(actual, expected, tolerance=1e-10):
    for name, values, truth in zip(("y", "dx"), actual, expected, strict=True):
        torch.testing.assert_close(values, truth, rtol=tolerance, atol=tolerance, msg=lambda m, n=name: f"{n}: {m}")


def errors(actual, expected):
    """Of y and dx, each as a fraction of its largest value."""
    pairs = zip(actual, expected, strict=True)
    return [((values.double() - truth).abs().max() / truth.abs().max()).item() for values, truth in pairs]


# float64


def test_ordinary_tensors_take_the_fast_path():
    for x in (drawn(1, 2, 5, 4).requires_grad_(), torch.nn.Parameter(drawn(1, 2, 5, 4))):
        assert "_ContrastNorm" in local_contrast_norm(x).grad_fn.name()


@pytest.mark.parametrize("samples", [0.5, 1, 2, 3.9], ids=lambda s: f"{s} a block")
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
def test_batches_larger_than_a_block(dtype, layout, samples, monkeypatch):
    x, dy = (drawn(5, 3, 11, 10, seed=seed, dtype=dtype).contiguous(memory_format=layout) for seed in (0, 1))
    whole = with_gradient(local_contrast_norm, x, dy)
    monkeypatch.setattr(eager, "BLOCK_BYTES", int(samples * x[0].numel() * x.element_size()))
    taken = [len(x[block]) for block, scratch in eager.blocks(x, x.dtype) if len(x[block]) == len(scratch)]
    assert taken == {0.5: [1] * 5, 1: [1] * 5, 2: [2, 2, 1], 3.9: [3, 2]}[samples]
    assert_same(with_gradient(local_contrast_norm, x, dy), whole, 1e-12 if dtype == torch.float64 else 1e-2)


@pytest.mark.parametrize("maps_at_a_time", [0.5, 1, 4, 7.5])
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
def test_single_maps_are_taken_in_parts(dtype, maps_at_a_time, monkeypatch):
    x, dy = (drawn(3, 5, 90, 100, seed=seed, dtype=dtype) for seed in (0, 1))
    monkeypatch.setattr(fast, "PART", int(maps_at_a_time * x[0, 0].numel() * x.element_size()))
    sizes = [len(x.flatten(0, 1)[part]) for part in fast._parts(x.view(15, 1, 90, 100))]
    assert sizes == {0.5: [1] * 15, 1: [1] * 15, 4: [4, 4, 4, 3], 7.5: [8, 7]}[maps_at_a_time]
    found = with_gradient(local_contrast_norm, x, dy, across_maps=False)
    wide = [values.double() for values in found]
    assert_same(wide, in_float64(x, dy, across_maps=False), 1e-10 if dtype == torch.float64 else 3e-2)
    with torch.inference_mode():
        assert torch.equal(local_contrast_norm(x, across_maps=False), found[0])


@each_floor
@each_border
def test_gradients_agree_for_flat_samples(border, floor, floor_gradient):
    x, dy = drawn(4, 3, 12, 11), drawn(4, 3, 12, 11, seed=1)
    x[1] = 0
    if border != "zero":
        x[2], x[3] = 0.3, 1e4
    choice = {"border": border, "floor": floor, "floor_gradient": floor_gradient}
    assert_same(with_gradient(local_contrast_norm, x, dy, **choice), in_float64(x, dy, **choice))


# Fewer bits

KINDS = {
    "noise": lambda noise: noise,
    "rectified": lambda noise: noise.abs(),
    "100 + noise": lambda noise: 100 + noise,
    "1000 + noise": lambda noise: 1000 + noise,
}
PAPERS = [((2, 16, 40, 37), {}), ((1, 64, 26, 26), {}), ((2, 1, 24, 24), {})]
OTHERS = [((2, 16, 40, 37), {"border": border, "floor": floor}) for border in BORDERS for floor in ("mean", 0.5)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("shape", "choice"), PAPERS + OTHERS, ids=str)
def test_float32_is_accurate(shape, choice, kind):
    """Up to 1e-4 of 1000 + noise (`definition` in float32: 5e-5): float32 numbers are 6e-5 apart there."""
    x, dy = KINDS[kind](drawn(*shape)).float(), drawn(*shape, seed=1, dtype=torch.float32)
    y, dx = with_gradient(local_contrast_norm, x, dy, **choice)
    assert y.dtype == dx.dtype == torch.float32
    of_y, of_dx = errors((y, dx), in_float64(x, dy, **choice))
    coarse = kind == "1000 + noise" and choice
    assert of_y <= (1e-4 if coarse else 1e-5)
    assert of_dx <= (2e-5 if coarse else 1e-5)


@pytest.mark.parametrize("kind", ["noise", "rectified"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_sixteen_bits_are_for_storage_only(dtype, kind):
    x, dy = KINDS[kind](drawn(2, 64, 26, 26)).to(dtype), drawn(2, 64, 26, 26, seed=1, dtype=dtype)
    y, dx = with_gradient(local_contrast_norm, x, dy)
    assert y.dtype == dx.dtype == dtype
    expected = in_float64(x, dy)
    assert (y == expected[0].to(dtype)).double().mean() > 0.999  # rounded once
    assert max(errors((y, dx), expected)) <= torch.finfo(dtype).eps / 2


# What is kept


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((2, 64, 135, 135), torch.float32),
        ((2, 64, 135, 135), torch.bfloat16),
        ((8, 256, 26, 26), torch.float32),
        ((16, 32, 24, 24), torch.float32),
    ],
    ids=str,
)
def test_little_is_kept_for_the_gradient(shape, dtype):
    kept, address = {}, torch._C._data_address  # of memory that is shared until it is written

    def keep(tensor):
        kept[address(tensor)] = tensor.untyped_storage().nbytes()
        return tensor

    x = torch.rand(shape, dtype=dtype, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        y = local_contrast_norm(x)
    assert address(x) not in kept, "the input could be freed or overwritten"
    assert kept.pop(address(y)) == y.nbytes
    assert 0 < sum(kept.values()) <= 0.15 * x.nbytes
