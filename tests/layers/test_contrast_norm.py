import numpy as np
import pytest
import scipy.ndimage
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from layers import reference
from layers.cases import drawn

from multistage.layers import LocalContrastNorm, local_contrast_norm
from multistage.layers.contrast_norm import BORDERS, gaussian_window

FLOORS = ["mean", 0.0, 0.5]
SIZES = [(2, 11, 10), (2, 4, 13), (3, 1, 5), (1, 2, 2)]  # the last three are smaller than the window
few = settings(max_examples=30, deadline=None, derandomize=True)


@st.composite
def batches(draw):
    """1 to 3 samples of 1 to 8 maps, sides 1 to 17; at least two values a map, as a map of one is flat."""
    sides = st.integers(1, 17)
    n, maps = draw(st.integers(1, 3)), draw(st.integers(1, 8))
    height, width = draw(st.tuples(sides, sides).filter(lambda s: s != (1, 1)))
    return drawn(n, maps, height, width, seed=draw(st.integers(0, 2**31)))


options = st.fixed_dictionaries(
    {
        "border": st.sampled_from(BORDERS),
        "floor": st.sampled_from(FLOORS),
        "across_maps": st.booleans(),
        "kernel_size": st.sampled_from([1, 3, 9]),
    }
).filter(lambda o: o["kernel_size"] > 1 or o["across_maps"])  # a map less itself is nothing


def assert_same(actual, expected, tolerance=1e-10):
    torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)


# Against the definition


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("across_maps", [True, False], ids=["across", "each map"])
@pytest.mark.parametrize("floor", FLOORS)
@pytest.mark.parametrize("border", BORDERS)
def test_equals_the_definition(border, floor, across_maps, size):
    choice = {"border": border, "floor": floor, "across_maps": across_maps}
    x = drawn(2, *size) * torch.tensor([1.0, 10]).view(2, 1, 1, 1)
    reference.assert_is_contrast_norm(local_contrast_norm, x, **choice)

    single = x.float()
    y, expected = (
        local_contrast_norm(single, **choice),
        reference.local_contrast_norm(single.double().numpy(), **choice),
    )
    assert y.dtype == torch.float32
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(("border", "mode"), [("zero", "constant"), ("reflect", "mirror"), ("replicate", "nearest")])
@pytest.mark.parametrize("size", [(3, 12, 10), (2, 9, 15), (2, 5, 4)], ids=str)
def test_borders_are_those_of_scipy(border, mode, size):
    x = drawn(*size).numpy()
    window = reference.gaussian(9) / reference.gaussian(9).sum()

    def blur(maps):
        return scipy.ndimage.correlate(maps.mean(0), window, mode=mode)

    v = x - blur(x)
    deviation = np.sqrt(blur(v**2))
    y = local_contrast_norm(torch.from_numpy(x)[None], border=border)
    np.testing.assert_allclose(y[0], v / np.maximum(deviation, deviation.mean()), rtol=0, atol=1e-12)


def test_the_module_passes_everything_on():
    x = drawn(2, 3, 8, 7)
    choice = {"kernel_size": 5, "sigma": 0.9, "floor": 0.3, "border": "reflect", "across_maps": False}
    assert torch.equal(LocalContrastNorm(**choice)(x), local_contrast_norm(x, **choice))
    assert torch.equal(LocalContrastNorm()(x), local_contrast_norm(x))
    assert not list(LocalContrastNorm().parameters())


def test_the_defaults_are_the_papers():
    authors = {"kernel_size": 9, "sigma": 1.5909902576697319, "floor": "mean", "border": "zero", "across_maps": True}
    reference.assert_is_contrast_norm(lambda x, **_: local_contrast_norm(x), drawn(2, 3, 12, 10), **authors)


# The window


def test_the_9x9_window_has_the_authors_width():
    offset = torch.arange(-4.0, 5, dtype=torch.float64)
    authors = torch.exp(-((offset / 2.25) ** 2))
    assert_same(gaussian_window(9), authors / authors.sum(), 1e-15)
    assert torch.equal(gaussian_window(9), gaussian_window(9, 9 / (4 * 2**0.5)))
    assert_same(gaussian_window(9), gaussian_window(9, 1.59099), 1e-5)


@pytest.mark.parametrize("kernel_size", [1, 3, 9, 31])
@pytest.mark.parametrize("sigma", [None, 0.3, 2.0, 100.0])
def test_windows_sum_to_one(kernel_size, sigma):
    window = gaussian_window(kernel_size, sigma)
    assert window.shape == (kernel_size,)
    assert window.dtype == torch.float64
    assert window.sum().item() == pytest.approx(1, abs=1e-14)


# Gradients; `test_every_layer` and `test_mutants` have their values


def gradient(x, upstream, **choice):
    x = x.clone().requires_grad_()
    LocalContrastNorm(**choice)(x).backward(upstream)
    return x.grad


@pytest.mark.parametrize("across_maps", [True, False], ids=["across", "each map"])
def test_the_floors_gradient_can_be_left_out(across_maps):
    maps = 3 if across_maps else 1
    x, upstream = drawn(1, maps, 8, 7), drawn(1, maps, 8, 7, seed=1)
    c = reference.centred_and_deviation(x[0].numpy())[1].mean()
    assert torch.equal(local_contrast_norm(x, floor_gradient=False), local_contrast_norm(x))
    without = gradient(x, upstream, across_maps=across_maps, floor_gradient=False)
    assert (without - gradient(x, upstream, across_maps=across_maps)).abs().max() > 1e-3
    assert_same(without, gradient(x, upstream, across_maps=across_maps, floor=float(c)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("image", ["black", "flat", "half flat", "one flat map"])
@pytest.mark.parametrize("across_maps", [True, False], ids=["across", "each map"])
@pytest.mark.parametrize("floor", FLOORS)
@pytest.mark.parametrize("border", BORDERS)
def test_flat_images_have_finite_outputs_and_gradients(border, floor, across_maps, image, dtype):
    x = drawn(1, 2, 6, 25, dtype=dtype)
    x = {
        "black": torch.zeros_like(x),
        "flat": torch.full_like(x, 0.3),
        "half flat": torch.where(torch.arange(25) < 5, x, 0.3),
        "one flat map": torch.where(torch.arange(2).view(2, 1, 1) == 0, x, 0.3),
    }[image].requires_grad_()
    y = local_contrast_norm(x, border=border, floor=floor, across_maps=across_maps)
    y.backward(drawn(1, 2, 6, 25, seed=1, dtype=dtype))
    assert y.isfinite().all()
    assert x.grad.isfinite().all()
    assert image != "black" or not y.any()


@pytest.mark.parametrize("border", BORDERS)
def test_flat_regions_become_zero_away_from_what_is_not_flat(border):
    x = torch.full((1, 2, 30, 40), 0.3)
    x[..., :5] = drawn(30, 5, dtype=torch.float32)
    y = local_contrast_norm(x, border=border)
    assert y[..., 9:-9, 14:-9].abs().max() < 1e-5
    assert y[..., 9:-9, :5].abs().max() > 0.1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("floor", ["mean", 0.0])
@pytest.mark.parametrize("border", ["renormalise", "reflect", "replicate"])
def test_flat_images_become_zero(border, floor, dtype):
    for gray in (0.3, 1.0, 7.7, 255.0):
        x = torch.full((1, 2, 12, 10), gray, dtype=dtype)
        assert local_contrast_norm(x, border=border, floor=floor).abs().max() < 1e-3


# What must not matter


@few
@given(x=batches(), choice=options)
def test_samples_are_independent(x, choice):
    y = local_contrast_norm(x, **choice)
    for n in range(len(x)):
        assert_same(local_contrast_norm(x[n : n + 1], **choice)[0], y[n])
        mates = x * 1e3 + 7
        mates[n] = x[n]
        assert torch.equal(local_contrast_norm(mates, **choice)[n], y[n])


@few
@given(x=batches(), choice=options, data=st.data())
def test_permuting_maps_permutes_outputs(x, choice, data):
    order = data.draw(st.permutations(range(x.shape[1])))
    assert_same(local_contrast_norm(x[:, order], **choice), local_contrast_norm(x, **choice)[:, order])


@few
@given(x=batches(), choice=options, scale=st.floats(1e-3, 1e3))
def test_contrast_does_not_matter(x, choice, scale):
    choice["floor"] = "mean"
    assert_same(local_contrast_norm(scale * x, **choice), local_contrast_norm(x, **choice))


@few
@given(x=batches(), choice=options, offset=st.floats(-100, 100))
def test_brightness_does_not_matter(x, choice, offset):
    if choice["border"] == "zero":
        choice["border"] = "renormalise"
    assert_same(local_contrast_norm(x + offset, **choice), local_contrast_norm(x, **choice), 1e-8)


def test_brightness_does_matter_where_outside_is_zero():
    x = drawn(1, 3, 30, 30)
    change = (
        local_contrast_norm(x + 1, border="zero", floor=1.0) - local_contrast_norm(x, border="zero", floor=1.0)
    ).abs()
    assert change[..., 0, :].min() > 0.1
    assert change[..., 8:-8, 8:-8].max() < 1e-12


@few
@given(x=batches(), choice=options)
def test_flips_and_transposes_commute(x, choice):
    y = local_contrast_norm(x, **choice)
    assert_same(local_contrast_norm(x.flip(2), **choice), y.flip(2))
    assert_same(local_contrast_norm(x.flip(3), **choice), y.flip(3))
    assert_same(local_contrast_norm(x.mT.contiguous(), **choice), y.mT)


@few
@given(x=batches(), choice=options)
def test_duplicating_all_maps_does_not_matter(x, choice):
    assert_same(
        local_contrast_norm(torch.cat([x, x], 1), **choice), local_contrast_norm(x, **choice).repeat(1, 2, 1, 1)
    )


# What is refused


IMPOSSIBLE = {
    "kernel_size": [8, 0, -3],
    "sigma": [0.0, -1.0],
    "border": ["wrap"],
    "floor": [-0.1, float("nan"), "median"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in IMPOSSIBLE for value in IMPOSSIBLE[name]])
def test_impossible_options_are_refused_by_name(name, value):
    for call in (LocalContrastNorm, lambda **choice: local_contrast_norm(drawn(1, 2, 8, 7), **choice)):
        with pytest.raises(ValueError, match=name):
            call(**{name: value})


@pytest.mark.parametrize("x", [drawn(8, 7), drawn(1, 1, 2, 8, 7), torch.zeros(1, 2, 8, 7, dtype=torch.uint8)])
def test_inputs_that_are_no_maps_are_refused(x):
    with pytest.raises(ValueError, match="x must be floating point"):
        local_contrast_norm(x)
