"""Divisive normalisation in float64, with one weight for each pair of pixels and of channels; meant to be right."""

import torch
from layers.slow_contrast_norm import pairs_of_pixels


def divisive_norm(
    x,
    kernel_size=9,
    sigma=None,
    floor=0.5,
    border="zero",
    exponent=2.0,
    weights="mean",
    window="gaussian",
    subtract=True,
):
    """Of [n, channels, height, width] or [channels, height, width]; nothing is scaled, no power taken for granted."""
    if x.ndim == 3:
        return divisive_norm(x[None], kernel_size, sigma, floor, border, exponent, weights, window, subtract)[0]
    channels, height, width = x.shape[1:]
    of_pixels, outside = pairs_of_pixels((height, width), border, kernel_size, sigma, window)
    if border == "renormalise":
        of_pixels = of_pixels / (1 - outside)[:, None]
    together = isinstance(weights, str) and weights == "mean"
    if isinstance(weights, str):
        of_channels = (
            torch.full((channels, channels), 1 / channels).double() if together else torch.eye(channels).double()
        )
    else:
        of_channels = weights if weights.ndim == 2 else torch.diag(weights)
    to_subtract = torch.eye(channels).double()
    if together or of_channels is weights:
        to_subtract = torch.full((channels, channels), 1 / channels).double()
    x = x.flatten(2)
    v = x - torch.einsum("ik,st,nkt->nis", to_subtract, of_pixels, x) if subtract else x
    pooled = torch.einsum("ik,st,nkt->nis", of_channels, of_pixels, v.abs() ** exponent)
    c = floor.expand(channels)[:, None] if isinstance(floor, torch.Tensor) else floor
    return (v / (c**exponent + pooled) ** (1 / exponent)).unflatten(2, (height, width))
