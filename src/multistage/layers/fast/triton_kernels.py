# ruff: noqa: N803
# mypy: disable-error-code="no-untyped-def, untyped-decorator, import-untyped, import-not-found"
"""Triton kernels of local contrast normalisation for maps of any size; `triton` launches them.

Forward, with maps x_i (i = 1..C), B the blur s -> rows s columns^T of one map, and sigma the local deviation:

    xbar = mean_i x_i       m = B xbar      offset = xbar - m = mean_i v_i,  v_i = x_i - m
    Q = mean_i v_i^2 = mean_i (x_i - xbar)^2 + offset^2             sigma = sqrt(B Q)
    d = max(c, sigma), or 1 where that is at most 4 eps |m|      y_i = v_i / d

Both means over maps come from one reading of x, and nothing cancels in Q. Backward, from v_i = y_i d, with
A = mean_i dy_i, P = mean_i dy_i y_i and B^T the blur s -> rows^T s columns:

    dL/dd = -C P / d, which goes to sigma where sigma divides; where c does, its mean over positions goes to every sigma
    q = B^T (dL/dsigma / sigma) / C         so that a change of Q moves L through v_i by q v_i
    dL/dm = -C (A / d + q offset)           dx_i = dy_i / d + q v_i - B^T (A / d + q offset)

Maps are stored in any floating type up to float32 and computed with in float32. The passes over all maps are
`map_statistics` and `normalise`, `gradient_means` and `input_gradient`; the other kernels see one map a sample. Blurs
are float32 multiply-adds whatever PyTorch's settings for TF32 are: no matrices are multiplied here.
"""

import triton
import triton.language as tl

EPS = tl.constexpr(2.0**-23)


@triton.jit
def _statistics(x, position, inside, size, maps, MAPS: tl.constexpr):
    """Mean over maps and mean square about it at each position; groups of maps are joined by Chan's formula."""
    i = tl.arange(0, MAPS)[:, None]
    mean = tl.zeros_like(position).to(tl.float32)
    squares = mean
    for start in range(0, maps, MAPS):
        present = (start + i < maps) & inside[None, :]
        values = tl.load(x + i * size + position[None, :], mask=present, other=0).to(tl.float32)
        count = tl.minimum(maps - start, MAPS)
        group_mean = tl.sum(values, 0) / count
        residual = tl.where(present, values - group_mean[None, :], 0)
        step = group_mean - mean
        weight = count / (start + count)
        mean += step * weight
        squares += tl.sum(residual * residual, 0) + step * step * (start * weight)
        x += MAPS * size
    return mean, squares / maps


@triton.jit
def _gradient_means(dy, y, position, inside, size, maps, MAPS: tl.constexpr):
    """A = mean_i dy_i and P = mean_i dy_i y_i at each position."""
    i = tl.arange(0, MAPS)[:, None]
    total = tl.zeros_like(position).to(tl.float32)
    product = total
    for start in range(0, maps, MAPS):
        present = (start + i < maps) & inside[None, :]
        here = i * size + position[None, :]
        gradient = tl.load(dy + here, mask=present, other=0).to(tl.float32)
        values = tl.load(y + here, mask=present, other=0).to(tl.float32)
        total += tl.sum(gradient, 0)
        product += tl.sum(gradient * values, 0)
        dy += MAPS * size
        y += MAPS * size
    return total / maps, product / maps


@triton.jit
def _divisor(sigma, c, mean):
    """max(c, sigma), or 1 where that is rounding of this mean; NaN stays NaN."""
    largest = tl.where(sigma > c, sigma, c)
    return tl.where(largest <= 4 * EPS * tl.abs(mean), 1.0, largest)


@triton.jit
def _floor_divides(deviation, divisor, c):
    """Where the divisor is c = mean sigma, and neither sigma nor the 1 of rounding."""
    return (deviation != divisor) & (tl.abs(divisor - c) <= 1e-3 * c)  # c may have been summed in another order


@triton.jit
def _ratio(gradient, sigma):
    """gradient / sigma; 0 where sigma is: the square root passes no gradient there."""
    return tl.where(sigma > 0, gradient / tl.where(sigma > 0, sigma, 1), 0)


@triton.jit
def _column(size, POSITIONS: tl.constexpr):
    """The positions of this program, which reads all maps there: sample, positions, which of them exist."""
    blocks = tl.cdiv(size, POSITIONS)
    position = tl.program_id(0) % blocks * POSITIONS + tl.arange(0, POSITIONS)
    return (tl.program_id(0) // blocks).to(tl.int64), position, position < size


@triton.jit
def _tile(size, maps, MAPS: tl.constexpr, POSITIONS: tl.constexpr):
    """The maps and positions of this program: where they begin, tile, which exist; the same for a one-channel map."""
    blocks, groups = tl.cdiv(size, POSITIONS), tl.cdiv(maps, MAPS)
    sample = (tl.program_id(0) // (blocks * groups)).to(tl.int64)
    first = tl.program_id(0) // blocks % groups * MAPS
    i = tl.arange(0, MAPS)[:, None]
    position = tl.program_id(0) % blocks * POSITIONS + tl.arange(0, POSITIONS)[None, :]
    inside = position < size
    start = (sample * maps + first) * size
    return start, i * size + position, (first + i < maps) & inside, sample * size + position, inside


@triton.jit
def map_statistics(x, mean, spread, size, maps, MAPS: tl.constexpr, POSITIONS: tl.constexpr):
    """xbar and mean_i (x_i - xbar)^2: one reading of x."""
    sample, position, inside = _column(size, POSITIONS)
    values, squares = _statistics(x + sample * maps * size, position, inside, size, maps, MAPS)
    tl.store(mean + sample * size + position, values, mask=inside)
    tl.store(spread + sample * size + position, squares, mask=inside)


@triton.jit
def blur_axis(source, matrix, blurred, size, across, to_stride, from_stride, TO: tl.constexpr, ACROSS: tl.constexpr):
    """blurred[n, j, i] = sum_k matrix[i, k] source[n, k, j]: blur one axis and transpose.

    The matrix is zero outside a band: the sum has only the k between the first and the last weight of these i.
    """
    blocks, blocks_across = tl.cdiv(size, TO), tl.cdiv(across, ACROSS)
    sample = (tl.program_id(0) // (blocks * blocks_across)).to(tl.int64) * size * across
    i = tl.program_id(0) // blocks_across % blocks * TO + tl.arange(0, TO)
    j = tl.program_id(0) % blocks_across * ACROSS + tl.arange(0, ACROSS)
    first = tl.full((TO, 64), 2**30, tl.int32)
    last = tl.zeros((TO, 64), tl.int32)
    for start in range(0, size, 64):
        k = start + tl.arange(0, 64)[None, :]
        here = (i < size)[:, None] & (k < size)
        weights = tl.load(matrix + i[:, None] * to_stride + k * from_stride, mask=here, other=0)
        first = tl.minimum(first, tl.where(weights != 0, k, 2**30))
        last = tl.maximum(last, tl.where(weights != 0, k + 1, 0))
    k = tl.min(first)
    to, line = i < size, j < across
    weights = matrix + i * to_stride + k * from_stride
    values = source + sample + k * across + j
    total = tl.zeros((ACROSS, TO), tl.float32)
    for _ in range(k, tl.max(last)):
        total += tl.load(values, mask=line, other=0)[:, None] * tl.load(weights, mask=to, other=0)[None, :]
        weights += from_stride
        values += across
    tl.store(blurred + sample + j[:, None] * size + i[None, :], total, mask=line[:, None] & to[None, :])


@triton.jit
def finish_divisor(variance, m, deviation, divisor, floor, size, MEAN_FLOOR: tl.constexpr, POSITIONS: tl.constexpr):
    """Sigma and d of a sample, from B Q and m; one program a sample."""
    sample = tl.program_id(0).to(tl.int64) * size
    position = tl.arange(0, POSITIONS)
    total = tl.zeros((POSITIONS,), tl.float32)
    for start in range(0, size, POSITIONS):
        inside = start + position < size
        total += tl.sqrt(tl.load(variance + sample + start + position, mask=inside, other=0))
    c = tl.sum(total) / size if MEAN_FLOOR else floor
    for start in range(0, size, POSITIONS):
        inside = start + position < size
        here = sample + start + position
        sigma = tl.sqrt(tl.load(variance + here, mask=inside, other=0))
        tl.store(deviation + here, sigma, mask=inside)
        tl.store(divisor + here, _divisor(sigma, c, tl.load(m + here, mask=inside, other=0)), mask=inside)


@triton.jit
def normalise(x, m, divisor, y, size, maps, MAPS: tl.constexpr, POSITIONS: tl.constexpr):
    """y_i = (x_i - m) / d: one reading of x, one writing."""
    start, tile, present, here, inside = _tile(size, maps, MAPS, POSITIONS)
    mean = tl.load(m + here, mask=inside, other=0)
    d = tl.load(divisor + here, mask=inside, other=1)
    values = tl.load(x + start + tile, mask=present, other=0).to(tl.float32)
    tl.store(y + start + tile, (values - mean) / d, mask=present)


@triton.jit
def gradient_means(dy, y, divisor, mean, gradient, size, maps, MAPS: tl.constexpr, POSITIONS: tl.constexpr):
    """A / d and (dL/dd) / C = -P / d: one reading of dy and y."""
    sample, position, inside = _column(size, POSITIONS)
    start = sample * maps * size
    a, p = _gradient_means(dy + start, y + start, position, inside, size, maps, MAPS)
    d = tl.load(divisor + sample * size + position, mask=inside, other=1)
    tl.store(mean + sample * size + position, a / d, mask=inside)
    tl.store(gradient + sample * size + position, -p / d, mask=inside)


@triton.jit
def through_divisor(
    gradient, deviation, divisor, ratio, size, THROUGH_FLOOR: tl.constexpr, POSITIONS: tl.constexpr
):  # fmt: skip
    """(dL/dsigma / sigma) / C of a sample, from (dL/dd) / C; one program a sample."""
    sample = tl.program_id(0).to(tl.int64) * size
    position = tl.arange(0, POSITIONS)
    to_every = 0.0
    if THROUGH_FLOOR:
        total = tl.zeros((POSITIONS,), tl.float32)
        for start in range(0, size, POSITIONS):
            total += tl.load(deviation + sample + start + position, mask=start + position < size, other=0)
        c = tl.sum(total) / size
        total = tl.zeros((POSITIONS,), tl.float32)
        for start in range(0, size, POSITIONS):
            inside = start + position < size
            here = sample + start + position
            sigma = tl.load(deviation + here, mask=inside, other=0)
            d = tl.load(divisor + here, mask=inside, other=1)
            total += tl.where(_floor_divides(sigma, d, c), tl.load(gradient + here, mask=inside, other=0), 0)
        to_every = tl.sum(total) / size
    for start in range(0, size, POSITIONS):
        inside = start + position < size
        here = sample + start + position
        sigma = tl.load(deviation + here, mask=inside, other=0)
        d = tl.load(divisor + here, mask=inside, other=1)
        to_sigma = tl.where(sigma == d, tl.load(gradient + here, mask=inside, other=0), 0) + to_every
        tl.store(ratio + here, _ratio(to_sigma, sigma), mask=inside)


@triton.jit
def input_gradient(dy, y, divisor, q, g, dx, size, maps, MAPS: tl.constexpr, POSITIONS: tl.constexpr):
    """dx_i = dy_i / d + q d y_i - g, g = B^T (A / d + q offset): one reading of dy and y, one writing."""
    start, tile, present, here, inside = _tile(size, maps, MAPS, POSITIONS)
    d = tl.load(divisor + here, mask=inside, other=1)
    scale = d * tl.load(q + here, mask=inside, other=0)
    shared = tl.load(g + here, mask=inside, other=0)
    gradient = tl.load(dy + start + tile, mask=present, other=0).to(tl.float32)
    values = tl.load(y + start + tile, mask=present, other=0).to(tl.float32)
    tl.store(dx + start + tile, gradient / d + values * scale - shared, mask=present)
