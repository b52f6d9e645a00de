"""N with its options at memory speed, with the notation and helpers of `fast.contrast_norm`.

A mask changes only the blur: A = s B, with s = inside / (share of the window's weights inside). Then

    forward   m = A <x>      sigma^2 = A <v^2>, or A <x^2> - m^2 of the window      d = max(c, sigma) or c + sigma
    backward  w = (gradient of sigma) / sigma, of which the floor is a part      q = A^T w
              dx_i = dy_i / d + v_i q - A^T (<dy> / d + <v> q)                   or, of the window,
              dx_i = dy_i / d + x_i q - A^T (<dy> / d + m w)

and gradients of m and sigma themselves, where these are returned, join <dy> / d and w.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from multistage.layers.arithmetic import accumulator
from multistage.layers.contrast_norm_definition import (
    Border,
    DeviationOf,
    Floor,
    FloorMode,
    Window,
    coverage,
    floored,
    mean_inside,
    taps,
    weight_inside,
)
from multistage.layers.eager import blocks, kept, undifferentiable
from multistage.layers.fast.banded import blur
from multistage.layers.fast.contrast_norm import _autocast_off, _joined, _mean, _mean_square, axis_blur


class Form(NamedTuple):
    """Options of `local_contrast_norm` that a pass needs."""

    floor: Floor
    floor_gradient: bool
    floor_mode: FloorMode
    of_window: bool
    subtract: bool
    divide: bool
    return_statistics: bool


class Average(NamedTuple):
    """A: the weighted mean over the window, restricted to pixels inside the mask if there is one.

    Attributes:
        rows: Blur of columns of pixels, [height, height].
        columns: Blur of rows of pixels, [width, width].
        scale: s, [n or 1, 1, height, width]; None without a mask.
        inside: The boolean mask, of the same shape.
    """

    rows: Tensor
    columns: Tensor
    scale: Tensor | None = None
    inside: Tensor | None = None

    def of(self, map_: Tensor) -> Tensor:
        """Apply A to a map [n, 1, height, width]."""
        blurred = blur(map_.to(self.rows), self.rows, self.columns)
        return blurred if self.scale is None else blurred.mul_(self.scale)

    def back(self, map_: Tensor) -> Tensor:
        """Apply A^T to such a map."""
        map_ = map_.to(self.rows)
        return blur(map_ if self.scale is None else map_ * self.scale, self.rows.T, self.columns.T)

    def cleared(self, values: Tensor) -> Tensor:
        """Set values outside the mask to 0, in place."""
        return values if self.inside is None else values.masked_fill_(~self.inside, 0)


def contrast_norm(
    x: Tensor,
    kernel_size: int,
    sigma: float | None,
    floor: Floor,
    border: Border,
    floor_gradient: bool,
    *,
    window: Window,
    floor_mode: FloorMode,
    deviation_of: DeviationOf,
    subtract: bool,
    divide: bool,
    mask: Tensor | None,
    return_statistics: bool,
) -> Any:
    """Compute the same as `definition` for images, with any border of a blur; a second derivative is refused."""
    form = Form(floor, floor_gradient, floor_mode, deviation_of == "window", subtract, divide, return_statistics)
    # a difference of squares loses digits in float32; one-channel maps cost little in float64
    dtype = torch.float64 if form.of_window else accumulator(x.dtype)
    rows, columns = (axis_blur(side, kernel_size, sigma, window, border, dtype, x.device) for side in x.shape[2:])
    scale = None
    if mask is not None:
        with _autocast_off(x):
            covered = coverage(x.shape[2:], taps(kernel_size, sigma, window)).to(x.device, dtype)
            scale = mask / weight_inside(blur(mask.to(rows), rows, columns), border, covered)
    y, *statistics, _ = _ContrastNorm.apply(x, Average(rows, columns, scale, mask), form)
    return (y, *statistics) if return_statistics else y


class _ContrastNorm(torch.autograd.Function):
    """The layer, m and sigma if asked for, and an empty output, as in `fast.contrast_norm`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, average: Average, form: Form) -> tuple[Tensor, ...]:
        with _autocast_off(x):
            y, mean, *saved = forward(x, average, form)
        itself = y.new_empty(0)
        ctx.set_materialize_grads(False)
        if ctx.needs_input_grad[0]:
            ctx.save_for_backward(*map(kept, (y, *saved)), *average, itself)  # torch refuses a mask overwritten since
        ctx.form = form
        statistics = (mean, saved[1]) if form.return_statistics else ()
        return y, *(values.to(x.dtype) for values in statistics), itself

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        *saved, rows, columns, scale, inside, itself = ctx.saved_tensors
        average = Average(rows, columns, scale, inside)
        dy, dm, dsigma = gradients[:-1] if ctx.form.return_statistics else (gradients[0], None, None)
        given = [each for each in (dy, dm, dsigma) if each is not None]
        if not given:
            return None, None, None
        dy = torch.zeros_like(saved[0]) if dy is None else dy

        def gradient(*_: Tensor) -> Tensor:
            return backward(dy, (dm, dsigma), saved, average, ctx.form)

        with _autocast_off(given[0]):
            dx = undifferentiable(gradient, itself, *given, *saved)
        return dx, None, None


def forward(x: Tensor, average: Average, form: Form) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Compute y like `x`, and one-channel maps: m; <v> (or m again if sigma is of the window); sigma; d."""
    dtype = accumulator(x.dtype)
    if average.inside is not None:
        x = x.masked_fill(~average.inside, 0)
    over_maps = _mean(x, dtype)
    local = average.of(over_maps)
    mean = local.to(dtype)
    subtracted = mean if form.subtract else torch.zeros_like(mean)
    deviation, divisor = torch.zeros_like(mean), torch.ones_like(mean)
    if form.divide or form.return_statistics:
        square = _mean_square(x, over_maps if form.of_window else subtracted)
        if form.of_window:
            square = average.of(over_maps.to(local).square().add_(square))
            variance = square - local.square()
            square = variance.masked_fill_(variance <= square * (16 * torch.finfo(square.dtype).eps), 0)
        else:
            square = average.of(square)
        deviation = square.sqrt_().to(dtype)
    if form.divide:
        divisor = floored(deviation, mean, form.floor, mode=form.floor_mode, mask=average.inside)
    y = torch.empty_like(x)
    for block, scratch in blocks(x, dtype):  # each is read from memory once
        target = y[block] if y.dtype == dtype else scratch
        torch.sub(x[block], subtracted[block], out=target)
        if form.divide:
            target.div_(divisor[block])
        if target is scratch:
            y[block] = scratch
    return y, mean, mean if form.of_window else over_maps - subtracted, deviation, divisor


def backward(
    dy: Tensor, of_statistics: Sequence[Tensor | None], saved: Sequence[Tensor], average: Average, form: Form
) -> Tensor:
    """Compute the gradient of x.

    Args:
        dy: The gradient of y.
        of_statistics: The gradients of m and sigma, if there are any.
        saved: y; <v>, or m if sigma is of the window; sigma; d.
        average: As in `forward`.
        form: As in `forward`.
    """
    y, own, deviation, divisor = saved
    maps, dtype = y.shape[1], deviation.dtype
    # a `maps`-th of the gradients of m and sigma, as in `fast.contrast_norm`
    g_mean, g_sigma = (None if given is None else given.to(dtype) / maps for given in of_statistics)
    inverse = divisor.reciprocal()
    if form.subtract:
        g_mean = _sum(g_mean, average.cleared(_mean(dy, dtype)).mul_(inverse).neg_())
    if form.divide:
        products = [
            _mean(torch.mul(dy[block].to(dtype), y[block].to(dtype), out=scratch), dtype)
            for block, scratch in blocks(y, dtype)
        ]
        g_divisor = average.cleared(_joined(products)).mul_(inverse).neg_()
        g_sigma = _sum(g_sigma, _of_sigma(g_divisor, deviation, divisor, average.inside, form))
    dx = torch.zeros_like(deviation)  # the part that is the same for all maps
    if g_sigma is not None:
        w = g_sigma.div(deviation).masked_fill_(deviation < torch.finfo(dtype).tiny, 0)
        q = average.back(w).to(dtype)
        if form.of_window:
            g_mean = _sum(g_mean, (own * w).neg_())
            dx = own * q if form.subtract else dx  # y_i d is x_i - m, or x_i
        elif form.subtract:
            g_mean = _sum(g_mean, (own * q).neg_())
    if g_mean is not None:
        dx = average.back(g_mean).to(dtype).add_(dx)
    if g_sigma is not None:
        dx = torch.addcmul(dx, y, q.mul_(divisor))
    return average.cleared(torch.addcmul(dx, dy, inverse).to(y.dtype))


def _sum(a: Tensor | None, b: Tensor) -> Tensor:
    return b if a is None else a.add_(b)


def _of_sigma(g_divisor: Tensor, deviation: Tensor, divisor: Tensor, inside: Tensor | None, form: Form) -> Tensor:
    """Return the part of the gradient of d that goes to sigma, directly and through c."""
    c: Any = mean_inside(deviation, inside) if form.floor == "mean" else form.floor
    if form.floor_mode == "add":  # else d is the 1 of a flat sample
        by_itself = through_c = g_divisor.masked_fill_(deviation + c != divisor, 0)
    else:
        elsewhere = deviation != divisor
        by_itself = g_divisor.masked_fill(elsewhere, 0)
        through_c = g_divisor.mul_(((divisor - c).abs_() <= 1e-3 * c).logical_and_(elsewhere))
    return by_itself + mean_inside(through_c, inside) if form.floor == "mean" and form.floor_gradient else by_itself
