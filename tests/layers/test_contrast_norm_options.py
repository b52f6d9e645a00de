"""Combinations of the options of contrast normalisation against the slow definition, values and gradients."""

import numpy as np
import pytest
import torch
from layers import slow_contrast_norm as slow
from layers.cases import drawn
from layers.combinations import X, covering, inputs, name

from multistage.layers import LocalContrastNorm, eager, local_contrast_norm

PAIRS, TRIPLES = list(covering(2)), list(covering(3))
each_pair = pytest.mark.parametrize("choice", PAIRS, ids=name)


def with_gradients(function, x, mask, options, call=None):
    """y, and the statistics if any, and the gradient of x where those of all of them are drawn."""
    x = x.detach().requires_grad_()
    found = function(x, mask=mask, **options)
    found = found if isinstance(found, tuple) else (found,)
    upstream = [drawn(*values.shape, seed=seed).to(values) for seed, values in enumerate(found)]
    (dx,) = torch.autograd.grad(found, x, upstream)
    return [*(values.detach() for values in found), dx]


def assert_same(actual, expected, tolerance=1e-9):
    for values, truth in zip(actual, expected, strict=True):
        assert values.shape == truth.shape
        torch.testing.assert_close(values.to(truth), truth, rtol=tolerance, atol=tolerance)


def module(x, mask=None, **options):
    return LocalContrastNorm(**options)(x, mask)


@pytest.mark.parametrize("choice", TRIPLES, ids=name)
def test_options_are_those_of_the_slow_definition(choice):
    x, mask, options = inputs(choice)
    expected = with_gradients(slow.local_contrast_norm, x, mask, options)
    for function in (local_contrast_norm, module):
        assert_same(with_gradients(function, x, mask, options), expected)


@pytest.mark.parametrize(
    "choice", [pytest.param(c, id=name(c), marks=() if i % 4 == 0 else pytest.mark.slow) for i, c in enumerate(PAIRS)]
)
def test_graphs_have_the_same_options(choice):
    """Compiled, and exported for any number of samples: a few combinations in every run."""
    x, mask, options = inputs(choice)
    expected = with_gradients(local_contrast_norm, x, mask, options)
    torch.compiler.reset()
    compiled = torch.compile(local_contrast_norm, fullgraph=True, backend="aot_eager")
    assert_same(with_gradients(compiled, x, mask, options), expected)
    batch = {0: torch.export.Dim("n")} if x.ndim == 4 else None
    of_mask = None if mask is None else batch if len(mask) == 2 else {} if batch else None
    exported = torch.export.export(LocalContrastNorm(**options), (x, mask), dynamic_shapes=(batch, of_mask)).module()
    if batch:
        x, mask = torch.cat([x, x]), mask if of_mask != batch else torch.cat([mask, mask])
    torch.testing.assert_close(exported(x, mask), local_contrast_norm(x, mask=mask, **options))


@each_pair
def test_sixteen_bits_are_for_storage_only(choice):
    """But where float64 stays away from numbers that 16 bits can hold: 1e30 is infinite in float16."""
    for dtype in (torch.bfloat16, torch.float16):
        x, mask, options = inputs(choice, dtype)
        if options["floor"] == 0:
            options["floor"] = 0.1
        expected = with_gradients(local_contrast_norm, x.double(), mask, options)
        actual = with_gradients(local_contrast_norm, x, mask, options)
        assert {values.dtype for values in actual} == {dtype}
        eps = torch.finfo(dtype).eps
        for values, truth in zip(actual, expected, strict=True):
            torch.testing.assert_close(values.double(), truth, rtol=4 * eps, atol=4 * eps * float(truth.abs().max()))


@each_pair
def test_autocast_changes_nothing(choice):
    x, mask, options = inputs(choice, torch.float32)
    x = x + 1000
    expected = with_gradients(local_contrast_norm, x, mask, options)
    with torch.autocast("cpu", torch.bfloat16):
        found = with_gradients(local_contrast_norm, x, mask, options)
    for values, truth in zip(found, expected, strict=True):
        assert (values - truth).abs().max() <= 2e-2 * truth.abs().max()


@each_pair
def test_samples_taken_one_by_one_give_the_same(choice, monkeypatch):
    x, mask, options = inputs(choice)
    together = with_gradients(local_contrast_norm, x, mask, options)
    monkeypatch.setattr(eager, "BLOCK_BYTES", 1)
    assert_same(with_gradients(local_contrast_norm, x, mask, options), together, 1e-12)


@each_pair
def test_empty_maps_give_empty_maps(choice):
    x, mask, options = inputs(choice)
    found = with_gradients(local_contrast_norm, x[..., :0], None if mask is None else mask[..., :0], options)
    whole = with_gradients(local_contrast_norm, x, mask, options)
    assert [list(values.shape) for values in found] == [[*values.shape[:-1], 0] for values in whole]
    if x.ndim == 4:
        found = with_gradients(local_contrast_norm, x[:0], None if mask is None else mask[: len(mask) // 2], options)
        assert [list(values.shape) for values in found] == [[0, *values.shape[1:]] for values in whole]
    if "groups" not in options:
        height, width = x.shape[-2:]
        y, mean, deviation = local_contrast_norm(x.narrow(-3, 0, 0), **options | {"return_statistics": True})
        assert y.shape == (*x.shape[:-3], 0, height, width)
        assert mean.shape == deviation.shape == (*x.shape[:-3], options.get("across_maps", True), height, width)


# Masks


MASKED = {"floor": 0.3, "border": "zero"}


@pytest.mark.parametrize("border", ["zero", "renormalise", "reflect", "replicate", "torch7"])
@pytest.mark.parametrize("deviation_of", ["residual", "window"])
def test_nothing_outside_a_mask_is_seen(border, deviation_of):
    options = {"border": border, "deviation_of": deviation_of, "return_statistics": True}
    mask = drawn(2, 1, 6, 7, seed=4) > 0
    mask[1] = False
    results = []
    for outside in (0.0, 1e9, torch.nan, torch.inf):
        x = torch.where(mask, X, outside)
        *values, dx = with_gradients(local_contrast_norm, x, mask, options)
        for found in (*values, dx):
            assert found.isfinite().all()
            assert not found.masked_select(~mask).any()
        results.append([*values, dx])
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_gradients_outside_a_mask_are_not_seen_though_they_are_nan():
    mask, dy = drawn(2, 1, 6, 7, seed=4) > 0, drawn(*X.shape, seed=5)
    gradients = []
    for outside in (0.0, torch.nan):
        x = X.clone().requires_grad_()
        gradients += torch.autograd.grad(local_contrast_norm(x, mask=mask), x, torch.where(mask, dy, outside))
    assert torch.equal(*gradients)


def test_a_mask_of_ones_is_none_and_a_rectangle_is_a_smaller_map():
    for border in ("zero", "renormalise", "reflect", "replicate", "torch7"):
        ones = local_contrast_norm(X, border=border, mask=torch.ones(1, 1, 6, 7))
        assert_same([ones], [local_contrast_norm(X, border=border)])
    mask = torch.zeros(1, 1, 6, 7, dtype=torch.bool)
    mask[..., 1:5, 2:6] = True
    inside = local_contrast_norm(X, border="renormalise", mask=mask)[..., 1:5, 2:6]
    assert_same([inside], [local_contrast_norm(X[..., 1:5, 2:6].contiguous(), border="renormalise")])


def test_a_pixel_that_stands_alone_is_its_own_mean_whatever_the_window():
    mask = torch.zeros(1, 1, 120, 120, dtype=torch.bool)
    mask[..., 50, 60] = True
    x = 100 + drawn(1, 1, 120, 120, dtype=torch.float32)
    y = local_contrast_norm(x, 101, window="box", border="renormalise", floor=1.0, mask=mask)
    assert y.abs().max() < 1e-3


def test_numbers_that_are_none_inside_a_mask_stay_seen():
    x = X.clone()
    x[0, 0, 3, 3] = torch.nan
    for deviation_of in ("residual", "window"):
        y = local_contrast_norm(x, deviation_of=deviation_of, mask=torch.ones(1, 1, 6, 7))
        assert y[0].isnan().any()
        assert y[1].isfinite().all()


def test_a_mask_that_was_overwritten_gives_no_gradient():
    x, mask = X.clone().requires_grad_(), drawn(2, 1, 6, 7, seed=4) > 0
    y = local_contrast_norm(x, mask=mask)
    mask.fill_(True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


# Flat images and bright places


@pytest.mark.parametrize("options", [{"floor": 1e-3}, {"floor": 1e-5, "floor_mode": "add", "deviation_of": "window"}])
def test_what_is_dark_beside_a_bright_place_is_normalised_all_the_same(options):
    x = 0.05 * drawn(1, 1, 64, 64, dtype=torch.float32)
    x[..., :8, :8] += 1e6
    y, truth = (local_contrast_norm(each, **options)[..., 20:, 20:] for each in (x, x.double()))
    torch.testing.assert_close(y, truth.float(), rtol=1e-3, atol=1e-3)


def test_what_overflows_stays_seen():
    x = drawn(1, 1, 16, 16, dtype=torch.float32)
    x[0, 0, 3, 3] = -3.4e38  # "no data"
    for floor_mode in ("max", "add"):
        assert local_contrast_norm(x, floor_mode=floor_mode).isnan().any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("deviation_of", ["residual", "window"])
@pytest.mark.parametrize("floor_mode", ["max", "add"])
def test_flat_images_become_zero_with_finite_gradients(floor_mode, deviation_of, dtype):
    options = {"floor_mode": floor_mode, "deviation_of": deviation_of, "border": "replicate"}
    for gray in (0.0, 0.3, 255.0):
        for floor in ("mean", 0.0, 1e-5):
            x = torch.full((1, 2, 12, 10), gray, dtype=dtype)
            y, dx = with_gradients(local_contrast_norm, x, None, options | {"floor": floor})
            assert y.abs().max() < 1e-2  # rounding of 0.3 in float32, 3e-8, over 1e-5
            assert dx.isfinite().all()


# What is refused


REFUSED = [
    ({"kernel_size": (9, 9)}, r"kernel_size must be one odd whole number, the side of a square window, not \(9, 9\)"),
    ({"kernel_size": [9, 9]}, "kernel_size must be one odd whole number"),
    ({"kernel_size": 9.5}, r"kernel_size must be one odd whole number, .* not 9\.5"),
    ({"kernel_size": "9"}, "kernel_size must be one odd whole number, .* not '9'"),
    ({"window": (1, 1)}, "window must have an odd number of weights"),
    ({"window": (1, -1, 1)}, "weights >= 0"),
    ({"window": (0, 0, 0)}, "positive sum"),
    ({"window": (1, float("nan"), 1)}, "positive sum"),
    ({"window": ()}, "an odd number of weights"),
    ({"window": "hann"}, "window must be 'gaussian', 'box' or a row of weights"),
    ({"window": ((1, 2, 1), (2, 4, 2), (1, 2, 1))}, "a row of weights"),
    ({"window": (1, 2, 1), "kernel_size": 5}, "kernel_size is 5, but window has 3 weights"),
    ({"window": "box", "sigma": 2.0}, "sigma needs window='gaussian'"),
    ({"window": "box", "kernel_size": 4}, "kernel_size must be odd"),
    ({"floor_mode": "plus"}, "floor_mode must be one of max, add"),
    ({"deviation_of": "x"}, "deviation_of must be one of residual, window"),
    ({"groups": 0}, "groups must be a whole number"),
    ({"groups": 2.0}, "groups must be a whole number"),
    ({"groups": 2, "across_maps": False}, "give one of the two"),
    ({"subtract": False, "divide": False}, "nothing to do"),
]


@pytest.mark.parametrize(("options", "words"), REFUSED, ids=str)
def test_impossible_options_are_refused_in_words(options, words):
    for call in (LocalContrastNorm, lambda **options: local_contrast_norm(X, **options)):
        with pytest.raises(ValueError, match=words):
            call(**options)


def test_groups_and_masks_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="groups must divide the 4 maps of x, not be 3"):
        local_contrast_norm(X, groups=3)
    for shape in ((6, 7), (2, 4, 6, 7), (3, 1, 6, 7), (2, 1, 7, 6)):
        with pytest.raises(ValueError, match=r"mask must be \[n or 1, 1, height, width\] for x \[2, 4, 6, 7\]"):
            local_contrast_norm(X, mask=torch.ones(shape))
    with pytest.raises(ValueError, match=r"mask must be \[1, height, width\]"):
        local_contrast_norm(X[0], mask=torch.ones(1, 1, 6, 7))


def test_weights_may_be_a_tensor_or_an_array():
    expected = local_contrast_norm(X, window=(1, 2, 1))
    for weights in (torch.tensor([1.0, 2, 1]), np.array([1, 2, 1], np.float32), [np.float64(1), 2, 1]):
        assert torch.equal(local_contrast_norm(X, window=weights), expected)
        assert LocalContrastNorm(window=weights).window == (1, 2, 1)
    assert torch.equal(local_contrast_norm(X, floor=np.float32(0.5)), local_contrast_norm(X, floor=0.5))


def test_what_is_added_to_the_deviation_elsewhere_is_not_taken_for_a_width():
    with pytest.raises(
        ValueError, match=r"sigma must be at least 0\.1 pixels, not 1e-05 \(to add a number to it, use floor=\)"
    ):
        local_contrast_norm(X, 9, 1e-5)


def test_representations_name_what_is_not_usual():
    assert repr(LocalContrastNorm.mscn()) == (
        "LocalContrastNorm(kernel_size=7, floor=1.0, border='zero', sigma=1.1666666666666667, across_maps=False, "
        "floor_mode='add', deviation_of='window')"
    )
    assert repr(LocalContrastNorm(window=[1, 2, 1], groups=2, floor_mode="add")) == (
        "LocalContrastNorm(kernel_size=3, floor='mean', border='zero', window=(1, 2, 1), groups=2, floor_mode='add')"
    )
