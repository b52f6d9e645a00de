"""N at memory speed: averages over maps first, all else on one-channel maps, with a hand-written gradient.

In the notation of `layers.contrast_norm`, with B the blur (B^T its transpose), C maps, and means over maps written <.>:

    forward   m = B <x>        v_i = x_i - m      sigma = sqrt(B <v^2>)      d = max(c, sigma)      y_i = v_i / d
    backward  g = -<dy y> / d, of each map a C-th of the gradient of d, goes to sigma where sigma divides; where c does,
              its mean over positions goes to the sigma of every position
              q = B^T (g / sigma)                               what arrives at v_i by way of sigma is v_i q
              dx_i = dy_i / d + v_i q - B^T (<dy> / d + <v> q)  v_i = y_i d

Between the two passes, y and three one-channel maps are saved: <v>, sigma and d. If the processor's cache holds the
whole batch, the fewest operations are fastest: y is v, divided in place. Larger batches are read as rarely as possible:
squares and products stay in a buffer that fits the cache, and means over maps are products with a row of numbers, which
BLAS reads from memory faster than torch. Single maps, where everything is as large as x, go through both passes in
parts that fit the cache.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import lru_cache
from math import ceil
from typing import Any

import torch
from torch import Tensor

from multistage.layers import contrast_norm_definition as plain
from multistage.layers.arithmetic import accumulator, autocasts
from multistage.layers.contrast_norm_definition import Border, Floor, Window, floored
from multistage.layers.eager import blocks, fits_the_cache, kept, undifferentiable
from multistage.layers.fast.banded import WHOLE, WHOLE_OF_MANY, blur

PART = 2 * 2**20
"""Bytes of single maps at a time; larger parts and their intermediate results leave a core's own cache."""

REMEMBERED = 512
"""Pixels of an axis up to which its matrix (at most 2 MB) is cached."""


def contrast_norm(
    x: Tensor,
    kernel_size: int,
    sigma: float | None,
    floor: Floor,
    border: Border,
    floor_gradient: bool,
    window: Window = "gaussian",
) -> Tensor:
    """Compute the same as `definition`; differentiable once, a second derivative is refused."""
    settings = (kernel_size, sigma, window, border, accumulator(x.dtype), x.device)
    rows, columns = axis_blur(x.shape[-2], *settings), axis_blur(x.shape[-1], *settings)
    through_floor = floor == "mean" and floor_gradient
    y: Tensor
    y, _ = _ContrastNorm.apply(x, rows, columns, floor, through_floor)
    return y


def axis_blur(size: int, *settings: Any) -> Tensor:
    """Return `contrast_norm_definition.axis_blur`, cached unless it is large."""
    return _remembered(size, *settings) if size <= REMEMBERED else plain.axis_blur(size, *settings)


@lru_cache(maxsize=128, typed=True)  # a size of 9.0 is refused
def _remembered(size: int, *settings: Any) -> Tensor:
    with torch.inference_mode(False):  # a matrix made in inference mode could not be used for gradients later
        return plain.axis_blur(size, *settings)


class _ContrastNorm(torch.autograd.Function):
    """The layer, and an empty output that leads from its gradient back to it, for `undifferentiable` to see."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, rows: Tensor, columns: Tensor, floor: Floor, through_floor: bool
    ) -> tuple[Tensor, Tensor]:
        forward_pass, _ = _passes(x)
        wanted = None if ctx.needs_input_grad[0] else 1
        with _autocast_off(x):
            found = [forward_pass(x[part], rows, columns, floor)[:wanted] for part in _parts(x)]
        y, *maps = map(_joined, zip(*found, strict=True))
        itself = y.new_empty(0)
        ctx.set_materialize_grads(False)  # of `itself`, which nobody uses
        if ctx.needs_input_grad[0]:
            ctx.save_for_backward(kept(y), *maps, rows, columns, itself)
        ctx.through_floor = through_floor
        return y, itself

    @staticmethod
    def backward(ctx: Any, dy: Tensor | None, nothing: Tensor | None) -> tuple[Tensor | None, ...]:
        if dy is None:
            return (None,) * 5
        _, backward_pass = _passes(dy)
        *saved, rows, columns, itself = ctx.saved_tensors

        def gradient(_: Tensor, *tensors: Tensor) -> Tensor:
            parts = ([tensor[part] for tensor in tensors] for part in _parts(dy))
            return _joined([backward_pass(*part, rows, columns, ctx.through_floor) for part in parts])

        with _autocast_off(dy):
            dx = undifferentiable(gradient, itself, dy, *saved)
        return dx, None, None, None, None


def _parts(x: Tensor) -> list[slice]:
    """Return parts of `PART` bytes of a batch of single maps on the CPU; other batches stay whole."""
    if x.shape[1] > 1 or x.device.type != "cpu" or x.numel() * x.element_size() <= PART:
        return [slice(None)]
    size = ceil(len(x) * PART / (x.numel() * x.element_size()))
    return [slice(start, start + size) for start in range(0, len(x), size)]


def _autocast_off(x: Tensor) -> AbstractContextManager:
    return torch.autocast(x.device.type, enabled=False) if autocasts(x) else nullcontext()


def _passes(x: Tensor) -> tuple[Callable[..., tuple[Tensor, ...]], Callable[..., Tensor]]:
    """Return `forward` and `backward` for a tensor: Triton kernels on CUDA, else those of this module."""
    if x.device.type == "cuda" and x.dtype != torch.float64:
        with suppress(ImportError):  # there is no triton on some platforms
            from multistage.layers.fast import triton

            return triton.forward, triton.backward
    return forward, backward


def forward(x: Tensor, rows: Tensor, columns: Tensor, floor: Floor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Compute y, and what `backward` needs.

    Args:
        x: Maps [n, maps, height, width].
        rows: Blur of columns of pixels, [height, height].
        columns: Blur of rows of pixels, [width, width].
        floor: ``"mean"`` or a number.

    Returns:
        y like `x`; <v>, sigma and d, [n, 1, height, width].
    """
    mean = _mean(x, rows.dtype)
    local_mean = blur(mean, rows, columns, _whole(x))
    if _at_once(x):
        y = x.to(rows.dtype) - local_mean
        square = _mean(y.square(), rows.dtype)
    else:
        square = _mean_square(x, local_mean)
    deviation = blur(square, rows, columns, _whole(x)).sqrt_()
    divisor = floored(deviation, local_mean, floor)
    if _at_once(x):
        y.div_(divisor)
    else:
        inverse = divisor.reciprocal()
        y = torch.addcmul(torch.mul(local_mean, inverse).neg_(), x, inverse)
    return y.to(x.dtype), mean.sub_(local_mean), deviation, divisor


def backward(
    dy: Tensor,
    y: Tensor,
    offset: Tensor,
    deviation: Tensor,
    divisor: Tensor,
    rows: Tensor,
    columns: Tensor,
    through_floor: bool,
) -> Tensor:
    """Compute the gradient of x from that of y.

    Args:
        dy: The gradient of y, like `y`.
        y: From `forward`, like the next five arguments.
        offset: <v>.
        deviation: sigma.
        divisor: d.
        rows: As in `forward`.
        columns: As in `forward`.
        through_floor: Whether c is the mean of sigma and the gradient flows through it.

    Returns:
        dx like `y`.
    """
    products = [
        _mean(torch.mul(dy[block].to(rows.dtype), y[block].to(rows.dtype), out=scratch), rows.dtype)
        for block, scratch in blocks(y, rows.dtype)
    ]
    inverse = divisor.reciprocal()
    g_d = _joined(products).mul_(inverse).neg_()
    elsewhere = deviation != divisor
    g_sigma = g_d.masked_fill(elsewhere, 0)
    if through_floor:
        c = deviation.mean((2, 3), keepdim=True)  # up to rounding the divisor, unless that is the 1 of a flat sample
        c_divides = ((divisor - c).abs_() <= 1e-3 * c).logical_and_(elsewhere)
        g_sigma += g_d.mul_(c_divides).mean((2, 3), keepdim=True)
    q = blur(g_sigma.div_(deviation).masked_fill_(deviation == 0, 0), rows.T, columns.T, _whole(y))
    g_mean = blur(torch.addcmul(_mean(dy, rows.dtype).mul_(inverse), offset, q), rows.T, columns.T, _whole(y))
    dx = torch.addcmul(g_mean.neg_(), y, q.mul_(divisor))
    return dx.addcmul_(dy, inverse).to(y.dtype)


def _mean_square(x: Tensor, local_mean: Tensor) -> Tensor:
    """<v^2>, without all of v."""
    squares = [
        _mean(torch.ops.aten.mse_loss.out(x[block].to(scratch.dtype), local_mean[block], 0, out=scratch), scratch.dtype)
        for block, scratch in blocks(x, local_mean.dtype)
    ]
    return _joined(squares)


def _at_once(x: Tensor) -> bool:
    """Whether the fewest operations are fastest: the batch fits the cache, or is a part of single maps."""
    return x.shape[1] == 1 or fits_the_cache(x)


def _whole(x: Tensor) -> int:
    """Return the pixels of an axis up to which the blur of a batch, or of a part of single maps, is one product."""
    return WHOLE_OF_MANY if x.shape[1] == 1 else WHOLE


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))


def _mean(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Mean over maps, [n, 1, height, width]."""
    n, maps, height, width = x.shape
    x = x.to(dtype)
    if _at_once(x):
        return x.mean(1, keepdim=True)
    weights = x.new_full((1, maps), 1 / maps)
    if x.is_contiguous(memory_format=torch.channels_last):
        mean = x.permute(0, 2, 3, 1).flatten(1, 2) @ weights.T
    else:
        mean = torch.bmm(weights.expand(n, 1, maps), x.flatten(2))
    return mean.view(n, 1, height, width)
