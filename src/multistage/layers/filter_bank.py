"""F_CSG: convolution, tanh, gain (equation 1 of the paper)."""

import math
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from multistage.layers.convolution import convolve
from multistage.layers.eager import blocks, is_ordinary_on_cpu, undifferentiable
from multistage.layers.names import alias, also_called

Squash = Literal["tanh", "none"]


def filter_bank(
    x: Tensor,
    kernels: Tensor,
    gain: Tensor | None = None,
    bias: Tensor | None = None,
    connections: Tensor | None = None,
    squash: Squash = "tanh",
    padding: int = 0,
) -> Tensor:
    """Compute F_CSG, equation 1: ``y_j = g_j tanh(sum_i k_ij * x_i)``, where * is the true convolution.

    torch's ``conv2d`` is a correlation: convolving with k is correlating with its flip W, ``W[p, q] = k[-p, -q]``.

    Args:
        x: Maps [n, in_maps, height, width].
        kernels: k, [out_maps, fan_in, k, k]; kernels[j, f] belongs to input map ``connections[j, f]``.
        gain: g, [out_maps]; 1 if None.
        bias: b, [out_maps], added inside the tanh; 0 if None, as in equation 1.
        connections: Indices of input maps [out_maps, fan_in]; None connects every output map to all inputs, in order.
        squash: ``"tanh"``, or ``"none"`` as in the authors' demo for random filters.
        padding: Zero padding of x, pixels; 0 is the paper's "valid" convolution.

    Returns:
        [n, out_maps, height + 2 padding - k + 1, width + 2 padding - k + 1].

    Raises:
        ValueError: Unknown `squash`, x that is not a batch, kernels that do not match the maps of x, or a kernel
            larger than its map.

    Source: paper, section 2, equation 1; the bias of PSD's encoder: Kavukcuoglu et al. 2008 (arXiv 1010.3467).
    """
    if squash not in ("tanh", "none"):
        raise ValueError(f"squash must be 'tanh' or 'none', not {squash!r}")
    if x.ndim != 4:
        raise ValueError(f"x must be [n, in_maps, height, width], not {list(x.shape)}; x[None] makes a batch of one")
    in_maps, height, width = x.shape[-3:]
    if connections is None and kernels.shape[1] != in_maps:
        raise ValueError(
            f"kernels expect {kernels.shape[1]} input maps, x has {in_maps}; give connections for a subset"
        )
    if kernels.shape[-1] > min(height, width) + 2 * padding:
        raise ValueError(f"kernel_size={kernels.shape[-1]} exceeds its {height}x{width} map (padding={padding})")
    y = convolve(x, kernels, bias, connections, padding)
    if squash == "tanh" and gain is not None and is_ordinary_on_cpu(y):
        return cast(Tensor, _GainedTanh.apply(y, gain))
    if squash == "tanh":
        y = torch.tanh(y)
    return y if gain is None else gain[:, None, None] * y


class _GainedTanh(torch.autograd.Function):
    """g tanh(y) for [n, maps, height, width]; overwrites y and saves only its tanh."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, gain: Tensor) -> Tensor:
        squashed = torch.tanh(y, out=y)
        ctx.save_for_backward(squashed, gain)
        return gain[:, None, None] * squashed

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        return undifferentiable(_gained_tanh_gradient, grad, *ctx.saved_tensors)


def _gained_tanh_gradient(grad: Tensor, squashed: Tensor, gain: Tensor) -> tuple[Tensor, Tensor]:
    d_y, d_gain = torch.empty_like(squashed), torch.zeros_like(gain)
    for block, scratch in blocks(squashed, squashed.dtype):
        d_gain += torch.mul(grad[block], squashed[block], out=scratch).sum((0, 2, 3))
        torch.mul(grad[block], gain[:, None, None], out=scratch)
        torch.ops.aten.tanh_backward.grad_input(scratch, squashed[block], grad_input=d_y[block])
    return d_y, d_gain


class FilterBank(nn.Module):
    """Module form of `filter_bank`. Only connected kernels exist as parameters.

    Args:
        in_channels: Input maps; ``in_maps`` is accepted too, here and as an attribute.
        out_channels: Output maps; ``out_maps`` is accepted too.
        kernel_size: Side of the square kernels, pixels.
        connections: Integer tensor [out_maps, fan_in] of input-map indices, or None for all.
        squash: ``"tanh"`` or ``"none"``.
        gain: Whether to learn g (initially 1).
        bias: Whether to learn b (initially 0).
        padding: Zero padding of the input, pixels.

    Attributes:
        kernels: k (not the flipped W), [out_maps, fan_in, kernel_size, kernel_size], initially uniform in
            +-1 / kernel_size (9 x 9: the +-0.11 of the authors' demo).

    Raises:
        ValueError: A count below 1, or a connection table with a wrong shape or out-of-range indices.
    """

    connections: Tensor | None
    in_maps, out_maps = alias("in_channels"), alias("out_channels")

    @also_called(in_maps="in_channels", out_maps="out_channels")
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        connections: Tensor | None = None,
        squash: Squash = "tanh",
        gain: bool = True,
        bias: bool = False,
        padding: int = 0,
    ) -> None:
        super().__init__()
        if min(in_channels, out_channels, kernel_size) < 1 or padding < 0:
            raise ValueError(
                "in_channels, out_channels and kernel_size must be at least 1 and padding at least 0, "
                f"not {in_channels}, {out_channels}, {kernel_size} and {padding}"
            )
        if squash not in ("tanh", "none"):
            raise ValueError(f"squash must be 'tanh' or 'none', not {squash!r}")
        if connections is not None:
            check_connections(connections, in_channels, out_channels)
        self.in_channels, self.out_channels, self.kernel_size = in_channels, out_channels, kernel_size
        self.squash: Squash = squash
        self.padding = padding
        fan_in = in_channels if connections is None else connections.shape[1]
        self.register_buffer("connections", None if connections is None else connections.long())
        self.kernels = nn.Parameter(torch.empty(out_channels, fan_in, kernel_size, kernel_size))
        self.gain = nn.Parameter(torch.empty(out_channels)) if gain else None
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        self.reset_parameters(1 / kernel_size)

    def reset_parameters(self, limit: float, generator: torch.Generator | None = None) -> None:
        """Draw kernels uniformly from +-`limit`; set gains to 1 and biases to 0."""
        nn.init.uniform_(self.kernels, -limit, limit, generator=generator)
        if self.gain is not None:
            nn.init.ones_(self.gain)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        return filter_bank(x, self.kernels, self.gain, self.bias, self.connections, self.squash, self.padding)

    def extra_repr(self) -> str:
        fan_in = self.kernels.shape[1]
        wiring = "" if self.connections is None else f", fan_in={fan_in}"
        return f"{self.in_maps}, {self.out_maps}, kernel_size={self.kernel_size}{wiring}, squash={self.squash!r}"


def check_connections(connections: Tensor, in_maps: int, out_maps: int) -> None:
    """Refuse a connection table that does not fit the numbers of maps.

    Raises:
        ValueError: Not [out_maps, fan_in], or out-of-range indices.
    """
    if connections.ndim != 2 or len(connections) != out_maps or math.prod(connections.shape) == 0:
        raise ValueError(f"connections must be [out_maps={out_maps}, fan_in], not {list(connections.shape)}")
    if connections.is_floating_point() or connections.min() < 0 or connections.max() >= in_maps:
        raise ValueError(f"connections must hold whole numbers from 0 to {in_maps - 1}")
