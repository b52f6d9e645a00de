"""Presets against slow transcriptions of their sources' formulas, pixel by pixel."""

import math

import numpy as np
import pytest
import torch
from layers import reference
from layers.cases import drawn

from multistage.layers import LocalContrastNorm

X = 100 + 30 * drawn(2, 1, 11, 12)


def numbers(maps):
    return maps.detach().numpy()


def gradients(function, x, *upstream):
    x = x.clone().requires_grad_()
    found = function(x)
    return torch.autograd.grad(found, x, upstream)[0]


def assert_close(actual, expected, tolerance=1e-9):
    np.testing.assert_allclose(numbers(actual), numbers(torch.as_tensor(expected)), rtol=tolerance, atol=tolerance)


def test_jarrett_is_the_definition():
    reference.assert_is_contrast_norm(lambda x: LocalContrastNorm.jarrett()(x), drawn(2, 3, 12, 10))


# BRISQUE and NIQE


def fspecial(size, sigma):
    """A Gaussian as MATLAB's, [size, size]: normalised to sum one."""
    window = np.zeros((size, size))
    for row in range(size):
        for column in range(size):
            window[row, column] = math.exp(-((row - size // 2) ** 2 + (column - size // 2) ** 2) / (2 * sigma**2))
    return window / window.sum()


def filtered(image, window, replicate):
    """imfilter(image, window, 'replicate'), or filter2(window, image, 'same')."""
    padded = np.pad(image, len(window) // 2, **({"mode": "edge"} if replicate else {}))
    return np.array(
        [
            [(window * padded[j : j + len(window), k : k + len(window)]).sum() for k in range(image.shape[1])]
            for j in range(image.shape[0])
        ]
    )


def mscn(image, replicate):
    window = fspecial(7, 7 / 6)
    mu = filtered(image, window, replicate)
    sigma = np.sqrt(np.abs(filtered(image * image, window, replicate) - mu * mu))
    return (image - mu) / (sigma + 1)


@pytest.mark.parametrize("border", ["zero", "replicate"])
def test_mscn_is_brisques_and_niqes(border):
    colour = torch.cat([X, 255 - X], 1)
    expected = np.array([[mscn(map_, border == "replicate") for map_ in image] for image in numbers(colour)])
    layer = LocalContrastNorm.mscn(border)
    assert_close(layer(colour), expected)
    assert_close(LocalContrastNorm.mscn(border, data_range=1)(colour / 255), expected)
    single = layer(colour.float())
    assert_close(single, expected, 2e-6)


# ActiveStereoNet's copies


def by_unfolding(image, kernel_size=9, eps=1e-5):
    columns = torch.nn.functional.unfold(image, kernel_size, padding=kernel_size // 2)
    mean = columns.mean(1).view_as(image)
    deviation = columns.std(1, unbiased=False).view_as(image)
    return (image - mean) / (deviation + eps), deviation


@pytest.mark.parametrize("options", [{}, {"kernel_size": 11, "eps": 0.5}], ids=str)
def test_active_stereo_is_the_function_that_is_copied(options):
    layer = LocalContrastNorm.active_stereo(**options)
    y, mean, deviation = layer(X)
    expected = by_unfolding(X, **options)
    assert_close(y, expected[0])
    assert_close(deviation, expected[1])
    assert_close(X - y * (deviation + options.get("eps", 1e-5)), mean)

    upstream = drawn(*X.shape, seed=1), drawn(*X.shape, seed=2)
    ours = gradients(lambda x: layer(x)[::2], X, *upstream)
    assert_close(ours, gradients(lambda x: by_unfolding(x, **options), X, *upstream))


def test_active_stereo_of_a_photograph_with_saturated_places():
    image = (128 + 60 * drawn(1, 1, 40, 50, dtype=torch.float32)).clamp(0, 255).round()
    image[..., 5:25, 10:30] = 255
    y, _, deviation = LocalContrastNorm.active_stereo()(image)
    expected = by_unfolding(image.double())
    assert_close(deviation, expected[1], 1e-4)
    assert_close(y, expected[0], 1e-4)
    assert not deviation[..., 10:20, 15:25].any()


# Torch7


def coefficient(shape, window):
    return convolved(np.ones(shape), window)


def convolved(maps, window):
    """Zero padding, then the sum over maps and window: window is divided by its sum and the number of maps."""
    window = window / (window.sum() * len(maps))
    return sum(filtered(map_, window, replicate=False) for map_ in maps)


def subtractive(maps, window):
    return maps - convolved(maps, window) / coefficient(maps.shape, window)


def divisive(maps, window, threshold=1e-4):
    local = np.sqrt(convolved(maps**2, window))
    adjusted = local / coefficient(maps.shape, window)
    return maps / np.where(adjusted > threshold, adjusted, threshold)


GAUSSIAN_1D = tuple(math.exp(-(((i - 3) / (0.25 * 7)) ** 2) / 2) for i in range(7))  # image.gaussian1D(7)


@pytest.mark.parametrize("kernel", [None, GAUSSIAN_1D], ids=["default", "gaussian1D"])
@pytest.mark.parametrize("across_maps", [True, False])
def test_torch7_is_spatial_contrastive_normalization(across_maps, kernel):
    maps = drawn(2, 3, 11, 12)
    maps[0, :, 4:] = 0.3
    window = np.ones((9, 9)) if kernel is None else np.outer(kernel, kernel)
    parts = [*numbers(maps)] if across_maps else [*numbers(maps.flatten(0, 1)[:, None])]
    expected = np.stack([divisive(subtractive(part, window), window) for part in parts]).reshape(maps.shape)
    chosen = {} if kernel is None else {"kernel": kernel}
    assert_close(LocalContrastNorm.torch7(**chosen, across_maps=across_maps)(maps), expected)

    weights = {"window": kernel or "box", "border": "torch7", "floor": 1e-4, "across_maps": across_maps}
    subtracted = LocalContrastNorm(**weights, divide=False)(maps)
    assert_close(subtracted, np.stack([subtractive(part, window) for part in parts]).reshape(maps.shape))
    divided = LocalContrastNorm(**weights, subtract=False)(maps)
    assert_close(divided, np.stack([divisive(part, window) for part in parts]).reshape(maps.shape))


def test_torch7_thresholds_are_floors():
    maps = drawn(1, 2, 8, 9) * torch.linspace(0, 1, 9)
    window = np.ones((9, 9))
    expected = divisive(subtractive(maps[0].numpy(), window), window, threshold=0.8)
    assert_close(LocalContrastNorm.torch7(threshold=0.8)(maps)[0], expected)
