"""The convolution inside F_CSG: ``sum_i k_ij * x_i`` over the connected input maps, by the fastest method.

* **direct**: torch's correlation with flipped kernels over all input maps (zeros where there is no connection).
  Gathering inputs for a grouped convolution needs less arithmetic but takes several times as long.
* **Fourier**, on the CPU, for large kernels on small maps. The transform is as large as the input, so only positions
  that a "valid" convolution leaves out wrap around: the result is exact up to rounding, which is relative to an image's
  largest values.

For few input maps and many positions, as in the first stage, torch's gradient of the kernels on the CPU is slow. Here
it is one matrix product with the unfolded input.
"""

from collections.abc import Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from multistage.layers.eager import is_ordinary_on_cpu, undifferentiable


def convolve(
    x: Tensor, kernels: Tensor, bias: Tensor | None = None, connections: Tensor | None = None, padding: int = 0
) -> Tensor:
    """Convolve maps with kernels (true convolution) and sum over the connected input maps.

    Args:
        x: Maps [n, in_maps, height, width].
        kernels: k, [out_maps, fan_in, k, k].
        bias: [out_maps]; 0 if None.
        connections: Indices of input maps [out_maps, fan_in]; None connects all, in order.
        padding: Zero padding of x, pixels.

    Returns:
        [n, out_maps, height + 2 padding - k + 1, width + 2 padding - k + 1].
    """
    if suits_fourier(x, kernels, padding):
        y: Tensor = _Fourier.apply(_padded(x, padding), kernels, connections)
        return y if bias is None else y + bias[:, None, None]
    turned = kernels.flip(-2, -1)
    weight = turned if connections is None else spread(turned, connections, x.shape[1])
    if suits_unfolding(x, weight):
        return cast(Tensor, _Unfolding.apply(_padded(x, padding), weight, bias))
    if padding and is_ordinary_on_cpu(x):
        x = x.contiguous(memory_format=torch.channels_last)  # as all that follows then is; small kernels gain a third
    return F.conv2d(x, weight, bias, padding=padding)


def _padded(x: Tensor, padding: int) -> Tensor:
    return F.pad(x, [padding] * 4) if padding else x


def spread(kernels: Tensor, connections: Tensor, in_maps: int) -> Tensor:
    """Expand connected kernels to all input maps, [out_maps, in_maps, k, k]; repeated connections add up."""
    out_maps, fan_in, k, _ = kernels.shape
    where = connections[:, :, None, None].expand(out_maps, fan_in, k, k)
    return kernels.new_zeros(out_maps, in_maps, k, k).scatter_add(1, where, kernels)


def suits_fourier(x: Tensor, kernels: Tensor, padding: int = 0) -> bool:
    """Whether the Fourier method is faster: many large kernels on small maps, on the CPU.

    ``scripts/benchmark.py`` measures it: far faster for the second stage on Caltech-101 (9x9, 64 to 256 maps of 26x26,
    a batch of 32), slower for the one on MNIST (5x5, 32 to 64 maps of 12x12) and for a few images.
    """
    (n, in_maps, height, width), (out_maps, _, k, _) = x.shape, kernels.shape
    small = max(height, width) + 2 * padding <= 64
    return small and k >= 7 and n >= 8 and min(in_maps, out_maps) >= 16 and is_ordinary_on_cpu(x)


class _Fourier(torch.autograd.Function):
    """`convolve` without padding or bias by the convolution theorem, once differentiable.

    Transforms are taken as [frequencies, n or maps, maps], so that each frequency is one matrix product.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernels: Tensor, connections: Tensor | None) -> Tensor:
        size, k = x.shape[2:], kernels.shape[-1]
        if connections is None:
            connections = torch.arange(x.shape[1], device=x.device).expand(len(kernels), -1)
        maps = _transform(x, size)
        connected = torch.fft.rfft2(kernels, s=size).flatten(2).permute(2, 1, 0)
        spectra = connected.new_zeros(len(maps), x.shape[1], len(kernels))
        spectra.scatter_add_(1, connections.T.expand_as(connected), connected)
        ctx.save_for_backward(maps, spectra, connections, x, kernels)
        ctx.size, ctx.k = size, k
        inside = slice(k - 1, None)
        return _back(maps @ spectra, size, inside).permute(2, 3, 0, 1).contiguous()

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        wanted = ctx.needs_input_grad[:2]
        maps, spectra, connections, *inputs = ctx.saved_tensors  # the last are there for `undifferentiable` to see
        arguments = (dy, maps, spectra, connections, ctx.size, ctx.k, wanted)
        return *undifferentiable(_fourier_gradients, *arguments, *inputs), None


def _fourier_gradients(
    dy: Tensor,
    maps: Tensor,
    spectra: Tensor,
    connections: Tensor,
    size: Sequence[int],
    k: int,
    wanted: tuple[bool, bool],
    *_: Tensor,
) -> tuple[Tensor | None, Tensor | None]:
    """Compute correlations: products with the complex conjugate, as real products for BLAS."""
    dy = _transform(F.pad(dy, (k - 1, 0, k - 1, 0)), size)
    dx = dkernels = None
    if wanted[0]:
        dx = _back(dy @ spectra.conj_physical().mT, size, slice(None)).permute(2, 3, 0, 1).contiguous()
    if wanted[1]:
        product = maps.conj_physical().mT @ dy
        connected = product.gather(1, connections.T.expand(len(product), -1, -1))
        dkernels = _back(connected, size, slice(k)).permute(3, 2, 0, 1)
    return dx, dkernels


def _transform(x: Tensor, size: Sequence[int]) -> Tensor:
    """Transform maps [n, maps, height, width] to [frequencies, n, maps]."""
    return torch.fft.rfft2(x, s=size).flatten(2).permute(2, 0, 1).contiguous()


def _back(spectra: Tensor, size: Sequence[int], kept: slice) -> Tensor:
    """Transform [frequencies, a, b] back to the rows and columns `kept` of the maps, [rows, columns, a, b]."""
    rows = torch.fft.ifft(spectra.view(size[0], -1, *spectra.shape[1:]), dim=0)[kept]
    return torch.fft.irfft(rows, n=size[1], dim=1)[:, kept]


def suits_unfolding(x: Tensor, weight: Tensor) -> bool:
    """Whether the gradient of the kernels is faster as a matrix product: one input map, on the CPU."""
    return x.shape[1] == 1 and torch.is_grad_enabled() and weight.requires_grad and is_ordinary_on_cpu(x)


class _Unfolding(torch.autograd.Function):
    """Correlation [n, i, h, w] with [o, i, k, k] and bias [o]; the kernels' gradient by a product an image."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return F.conv2d(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        gradients: tuple[Tensor | None, ...] = undifferentiable(
            _unfolding_gradients, dy, *ctx.saved_tensors, ctx.needs_input_grad
        )
        return gradients


def _unfolding_gradients(
    dy: Tensor, x: Tensor, weight: Tensor, wanted: tuple[bool, bool, bool]
) -> tuple[Tensor | None, ...]:
    (out_maps, in_maps, k, _), (height, width) = weight.shape, dy.shape[2:]
    dx = F.conv_transpose2d(dy, weight) if wanted[0] else None
    total = dy.new_zeros(out_maps, in_maps * k * k)
    for image, g in zip(x, dy, strict=True):
        windows = image.unfold(1, height, 1).unfold(2, width, 1)  # [i, k, k, height, width]
        total.addmm_(g.flatten(1), windows.reshape(in_maps * k * k, height * width).T)
    return dx, total.view_as(weight), dy.sum((0, 2, 3)) if wanted[2] else None
