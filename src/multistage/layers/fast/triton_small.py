# ruff: noqa: N803
# mypy: disable-error-code="no-untyped-def, untyped-decorator, import-untyped, import-not-found"
"""Triton kernels of local contrast normalisation for small maps: everything of a sample in one program.

The equations are those of `triton_large`. A map is padded to [HEIGHT, WIDTH], 16 or 32 a side, and held
flat, so that the sums over maps are the same code; it is a matrix only where it is blurred. What the padding holds
reaches no map: there the blur matrices are zero, and masks are off.
"""

import triton
import triton.language as tl

from multistage.layers.fast.triton_large import _divisor, _floor_divides, _gradient_means, _ratio, _statistics


@triton.jit
def _padded(matrix, size, to_stride, from_stride, SIDE: tl.constexpr):
    """The matrix, with zeros up to [SIDE, SIDE]; exchanged strides read the transposed one."""
    i, k = tl.arange(0, SIDE)[:, None], tl.arange(0, SIDE)[None, :]
    return tl.load(matrix + i * to_stride + k * from_stride, mask=(i < size) & (k < size), other=0)


@triton.jit
def _blur(left, flat, right, HEIGHT: tl.constexpr, WIDTH: tl.constexpr):
    """left s right for the map s, in float32 ("ieee": never TF32)."""
    lines = tl.dot(left, tl.reshape(flat, (HEIGHT, WIDTH)), input_precision="ieee")
    return tl.reshape(tl.dot(lines, right, input_precision="ieee"), (HEIGHT * WIDTH,))


@triton.jit
def _positions(height, width, HEIGHT: tl.constexpr, WIDTH: tl.constexpr):
    """Where in a map each position of the padded map lies, and whether it does."""
    padded = tl.arange(0, HEIGHT * WIDTH)
    i, j = padded // WIDTH, padded % WIDTH
    return i * width + j, (i < height) & (j < width)


@triton.jit
def small_forward(
    x, rows, columns, y, offset, deviation, divisor, floor, height, width, maps,
    MEAN_FLOOR: tl.constexpr, HEIGHT: tl.constexpr, WIDTH: tl.constexpr, MAPS: tl.constexpr,
):  # fmt: skip
    """The layer: y, and the one-channel maps that its gradient needs."""
    size = height * width
    sample = tl.program_id(0).to(tl.int64) * size
    position, inside = _positions(height, width, HEIGHT, WIDTH)
    left = _padded(rows, height, height, 1, HEIGHT)
    right = _padded(columns, width, 1, width, WIDTH)
    x += sample * maps
    y += sample * maps

    mean, spread = _statistics(x, position, inside, size, maps, MAPS)
    m = _blur(left, mean, right, HEIGHT, WIDTH)
    excess = mean - m
    sigma = tl.sqrt(_blur(left, spread + excess * excess, right, HEIGHT, WIDTH))
    c = tl.sum(sigma) / size if MEAN_FLOOR else floor
    d = _divisor(sigma, c, tl.max(tl.abs(m)))
    tl.store(offset + sample + position, excess, mask=inside)
    tl.store(deviation + sample + position, sigma, mask=inside)
    tl.store(divisor + sample + position, d, mask=inside)

    i = tl.arange(0, MAPS)[:, None]
    for start in range(0, maps, MAPS):
        present = (start + i < maps) & inside[None, :]
        here = i * size + position[None, :]
        values = tl.load(x + here, mask=present, other=0).to(tl.float32)
        tl.store(y + here, (values - m[None, :]) / d[None, :], mask=present)
        x += MAPS * size
        y += MAPS * size


@triton.jit
def small_backward(
    dy, y, offset, deviation, divisor, rows, columns, dx, height, width, maps,
    THROUGH_FLOOR: tl.constexpr, HEIGHT: tl.constexpr, WIDTH: tl.constexpr, MAPS: tl.constexpr,
):  # fmt: skip
    """The gradient of the layer."""
    size = height * width
    sample = tl.program_id(0).to(tl.int64) * size
    position, inside = _positions(height, width, HEIGHT, WIDTH)
    left = _padded(rows, height, 1, height, HEIGHT)
    right = _padded(columns, width, width, 1, WIDTH)
    dy += sample * maps
    y += sample * maps
    dx += sample * maps

    excess = tl.load(offset + sample + position, mask=inside, other=0)
    sigma = tl.load(deviation + sample + position, mask=inside, other=0)
    d = tl.load(divisor + sample + position, mask=inside, other=1)
    a, p = _gradient_means(dy, y, position, inside, size, maps, MAPS)
    g = -p / d
    to_sigma = tl.where(sigma == d, g, 0)
    if THROUGH_FLOOR:
        c = tl.sum(sigma) / size
        to_sigma += tl.sum(tl.where(_floor_divides(sigma, d, c), g, 0)) / size
    q = _blur(left, _ratio(to_sigma, sigma), right, HEIGHT, WIDTH)
    shared = _blur(left, a / d + q * excess, right, HEIGHT, WIDTH)

    i = tl.arange(0, MAPS)[:, None]
    for start in range(0, maps, MAPS):
        present = (start + i < maps) & inside[None, :]
        here = i * size + position[None, :]
        gradient = tl.load(dy + here, mask=present, other=0).to(tl.float32)
        values = tl.load(y + here, mask=present, other=0).to(tl.float32)
        tl.store(dx + here, gradient / d[None, :] + values * (q * d)[None, :] - shared[None, :], mask=present)
        dy += MAPS * size
        y += MAPS * size
        dx += MAPS * size
