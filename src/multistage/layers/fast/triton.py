# mypy: disable-error-code="no-untyped-call, import-untyped, import-not-found"
"""Local contrast normalisation on CUDA: values and gradients by Triton kernels.

`forward` and `backward` are those of `fast.contrast_norm`, for maps in any type up to float32 and blurs in float32.
Import this only where it is used, as triton does not exist on every platform. The equations stand in
`fast.triton_large`.

Large maps are read or written three times forward (read, read, write) and five times backward (two reads, two reads,
one write). Small maps take one kernel each way, a program a sample, whose second reading the cache should serve.
"""

from typing import Any

import torch
import triton
from torch import Tensor

from multistage.layers.contrast_norm_definition import Floor
from multistage.layers.fast import triton_large as large
from multistage.layers.fast import triton_small as small

SMALL_SIDE = 32
"""Largest height and width for which one program can hold what it needs of a sample."""

TYPES = (torch.float32, torch.bfloat16, torch.float16)

# Sizes of tiles. None was measured on a GPU; registers and spilling were read from ptxas for sm_80.
_COLUMN = {"MAPS": 8, "POSITIONS": 256, "num_warps": 4}  # a program goes through all maps, a few at a time
_TILE = {"MAPS": 16, "POSITIONS": 256, "num_warps": 8}  # reads the one-channel maps once for so many maps
_SAMPLE = {"POSITIONS": 4096, "num_warps": 16}  # goes through the positions of a one-channel map
_BLUR = {"TO": 16, "ACROSS": 64, "num_warps": 4}  # the fewer TO, the narrower the band that is summed over
_FUSED = {"enable_fp_fusion": True}  # multiply-adds; said because Triton's default is about to change


def is_small(x: Tensor) -> bool:
    """Whether maps [n, maps, height, width] take one kernel rather than passes.

    That one kernel wins wherever it can be used is an estimate until measured on a GPU: the passes are about ten
    launches each way, which take longer than all the work on maps of 32x32 unless batches are very large.
    """
    return max(x.shape[2:]) <= SMALL_SIDE


def forward(
    x: Tensor, rows: Tensor, columns: Tensor, floor: Floor, one_kernel: bool | None = None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """`fast.contrast_norm.forward` of maps in float32, bfloat16 or float16; all but y is float32.

    `one_kernel` is the path; None chooses by `is_small`.

    Raises:
        TypeError: `x` is of another type.
        ValueError: `one_kernel` for large maps.
    """
    one_kernel = _path(x, one_kernel)
    x, rows, columns = x.contiguous(), rows.contiguous(), columns.contiguous()
    n, maps, height, width = x.shape
    size = height * width
    y = torch.empty_like(x)
    offset, deviation, divisor = (x.new_empty((n, 1, height, width), dtype=torch.float32) for _ in range(3))
    if x.numel() == 0:
        return y, offset, deviation, divisor
    mean_floor = floor == "mean"
    c = 0.0 if floor == "mean" else float(floor)
    with torch.cuda.device_of(x):
        if one_kernel:
            tensors = (x, rows, columns, y, offset, deviation, divisor)
            small.small_forward[(n,)](*tensors, c, height, width, maps, MEAN_FLOOR=mean_floor, **_padding(x))
            return y, offset, deviation, divisor
        mean, spread = torch.empty_like(offset), torch.empty_like(offset)
        large.map_statistics[_columns(x)](x, mean, spread, size, maps, **_COLUMN, **_FUSED)
        m = _blur(mean, rows, columns)
        torch.sub(mean, m, out=offset)
        variance = _blur(torch.addcmul(spread, offset, offset), rows, columns)
        finish = large.finish_divisor[(n,)]
        finish(variance, m, deviation, divisor, c, size, MEAN_FLOOR=mean_floor, **_SAMPLE, **_FUSED)
        large.normalise[_tiles(x)](x, m, divisor, y, size, maps, **_TILE, **_FUSED)
    return y, offset, deviation, divisor


def backward(
    dy: Tensor,
    y: Tensor,
    offset: Tensor,
    deviation: Tensor,
    divisor: Tensor,
    rows: Tensor,
    columns: Tensor,
    through_floor: bool,
    one_kernel: bool | None = None,
) -> Tensor:
    """`fast.contrast_norm.backward`; `one_kernel` and errors as of `forward`, whose path may have been the other."""
    one_kernel = _path(y, one_kernel)
    dy, rows, columns = dy.contiguous(), rows.contiguous(), columns.contiguous()
    n, maps, height, width = y.shape
    size = height * width
    dx = torch.empty_like(y)
    if y.numel() == 0:
        return dx
    with torch.cuda.device_of(y):
        if one_kernel:
            tensors = (dy, y, offset, deviation, divisor, rows, columns, dx)
            small.small_backward[(n,)](*tensors, height, width, maps, THROUGH_FLOOR=through_floor, **_padding(y))
            return dx
        mean, gradient, ratio = (torch.empty_like(offset) for _ in range(3))
        large.gradient_means[_columns(y)](dy, y, divisor, mean, gradient, size, maps, **_COLUMN, **_FUSED)
        through = large.through_divisor[(n,)]
        through(gradient, deviation, divisor, ratio, size, THROUGH_FLOOR=through_floor, **_SAMPLE, **_FUSED)
        q = _blur(ratio, rows.T, columns.T)
        g = _blur(torch.addcmul(mean, q, offset), rows.T, columns.T)
        large.input_gradient[_tiles(y)](dy, y, divisor, q, g, dx, size, maps, **_TILE, **_FUSED)
    return dx


def _blur(source: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """rows @ source @ columns.T for each map, an axis at a time; each time the axes change places."""
    for matrix in (rows, columns):
        n, _, size, across = source.shape
        blurred = source.new_empty((n, 1, across, size))
        grid = (n * triton.cdiv(size, _BLUR["TO"]) * triton.cdiv(across, _BLUR["ACROSS"]),)
        large.blur_axis[grid](source, matrix, blurred, size, across, *matrix.stride(), **_BLUR, **_FUSED)
        source = blurred
    return source


def _columns(x: Tensor) -> tuple[int]:
    return (len(x) * triton.cdiv(x.shape[2] * x.shape[3], _COLUMN["POSITIONS"]),)


def _tiles(x: Tensor) -> tuple[int]:
    blocks, groups = triton.cdiv(x.shape[2] * x.shape[3], _TILE["POSITIONS"]), triton.cdiv(x.shape[1], _TILE["MAPS"])
    return (len(x) * blocks * groups,)


def _padding(x: Tensor) -> dict[str, Any]:
    height, width = (16 if side <= 16 else 32 for side in x.shape[2:])
    maps, warps = (4, 16) if height * width == 1024 else (8, 8)
    return {"HEIGHT": height, "WIDTH": width, "MAPS": maps, "num_warps": warps, **_FUSED}


def _path(x: Tensor, one_kernel: bool | None) -> bool:
    if x.dtype not in TYPES:
        raise TypeError(f"maps must be float32, bfloat16 or float16, not {x.dtype}; use contrast_norm.definition")
    if one_kernel and not is_small(x):
        raise ValueError(f"one_kernel is for sides up to {SMALL_SIDE}, not {list(x.shape[2:])}; leave it out")
    return is_small(x) if one_kernel is None else one_kernel
