"""Normalisation over channels at each position, as in transformers and ConvNeXt.

Unlike N, it ignores neighbouring positions and learns a gain. torch's ``RMSNorm`` and ``LayerNorm`` do the same over
the last axes; group, instance, batch and local response normalisation are torch's own modules.
"""

import torch
from torch import Tensor, nn

from multistage.layers.arithmetic import accumulator


def rms_norm(x: Tensor, gain: Tensor | None = None, eps: float = 1e-5) -> Tensor:
    """``y_c = g_c x_c / sqrt(mean_c x_c^2 + eps)`` at each position.

    Args:
        x: [n, channels, height, width], floating point.
        gain: g, [channels]; 1 if None.
        eps: Added to the mean square, so that the gradient is finite where all channels are 0.

    Returns:
        Same shape and type as `x`; sums are kept in float32 at least.

    Raises:
        ValueError: x is not 4-D or not floating point, the gain has another number of channels, or eps is not positive.

    Source: Zhang & Sennrich 2019, arXiv 1910.07467.
    """
    _check(x, eps, gain)
    wide = x.to(accumulator(x.dtype))
    return _scaled(_of_unit_power(wide, eps), gain).to(x.dtype)


def layer_norm(x: Tensor, gain: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5) -> Tensor:
    """``y_c = g_c (x_c - m) / sqrt(mean_c (x_c - m)^2 + eps) + b_c`` at each position, m the mean over channels.

    Args:
        x: [n, channels, height, width], floating point.
        gain: g, [channels]; 1 if None.
        bias: b, [channels]; 0 if None.
        eps: Added to the variance, so that the gradient is finite where all channels are the same.

    Returns:
        Same shape and type as `x`; sums are kept in float32 at least.

    Raises:
        ValueError: x is not 4-D or not floating point, gain or bias have another number of channels, or eps is not
            positive.

    Source: Ba, Kiros & Hinton 2016, arXiv 1607.06450, over channels at each position as in Liu et al. 2022 (ConvNeXt).
    """
    _check(x, eps, gain, bias)
    wide = x.to(accumulator(x.dtype))
    y = _scaled(_of_unit_power(wide - wide.mean(1, keepdim=True), eps), gain)
    return (y if bias is None else y + bias[:, None, None]).to(x.dtype)


def _of_unit_power(x: Tensor, eps: float) -> Tensor:
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + eps)


def _scaled(x: Tensor, gain: Tensor | None) -> Tensor:
    return x if gain is None else gain[:, None, None] * x


def _check(x: Tensor, eps: float, *of_channels: Tensor | None) -> None:
    if x.ndim != 4 or not x.is_floating_point():
        raise ValueError(f"x must be floating point [n, channels, height, width], not {x.dtype} {list(x.shape)}")
    for values in of_channels:
        if values is not None and values.shape != x.shape[1:2]:
            raise ValueError(f"x has {x.shape[1]} channels, its gain or bias is {list(values.shape)}")
    if not eps > 0:
        raise ValueError(f"eps must be positive, not {eps}")


class ChannelRMSNorm(nn.Module):
    """Module form of `rms_norm`, with a gain for each channel, initially 1."""

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        if channels < 1 or not eps > 0:
            raise ValueError(f"channels must be at least 1 and eps positive, not {channels} and {eps}")
        self.channels, self.eps = channels, eps
        self.gain = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        return rms_norm(x, self.gain, self.eps)

    def extra_repr(self) -> str:
        return f"{self.channels}, eps={self.eps}"


class ChannelLayerNorm(ChannelRMSNorm):
    """Module form of `layer_norm`, with a gain (initially 1) and a bias (initially 0) for each channel."""

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__(channels, eps)
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return layer_norm(x, self.gain, self.bias, self.eps)
