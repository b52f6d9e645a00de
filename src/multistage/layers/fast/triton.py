# mypy: disable-error-code="no-untyped-call, import-untyped, import-not-found"
"""Local contrast normalisation on CUDA: values and gradients by Triton kernels.

`forward` and `backward` are those of `fast.contrast_norm`, for maps in any type up to float32 and blurs in float32.
Import this only where it is used, because triton does not exist on every platform. `fast.triton_kernels` has the
equations.

Maps are read or written three times forward (read, read, write) and five times backward (two reads, two reads, one
write). No GPU has run this yet: the kernels compile for sm_80 and sm_90, and pass their tests in Triton's interpreter.
"""

import torch
import triton
from torch import Tensor

from multistage.layers.contrast_norm_definition import Floor
from multistage.layers.fast import triton_kernels as kernels

TYPES = (torch.float32, torch.bfloat16, torch.float16)

# Sizes of tiles. None was measured on a GPU; registers and spilling were read from ptxas for sm_80.
_COLUMN = {"MAPS": 8, "POSITIONS": 256, "num_warps": 4}  # a program goes through all maps, a few at a time
_TILE = {"MAPS": 16, "POSITIONS": 256, "num_warps": 8}  # reads the one-channel maps once for so many maps
_SAMPLE = {"POSITIONS": 4096, "num_warps": 16}  # goes through the positions of a one-channel map
_BLUR = {"TO": 16, "ACROSS": 64, "num_warps": 4}  # the fewer TO, the narrower the band that is summed over
_FUSED = {"enable_fp_fusion": True}  # multiply-adds; said because Triton's default is about to change


def forward(x: Tensor, rows: Tensor, columns: Tensor, floor: Floor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """`fast.contrast_norm.forward` of maps in float32, bfloat16 or float16; all but y is float32.

    Raises:
        TypeError: `x` is of another type.
    """
    _check(x)
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
        mean, spread = torch.empty_like(offset), torch.empty_like(offset)
        kernels.map_statistics[_columns(x)](x, mean, spread, size, maps, **_COLUMN, **_FUSED)
        m = _blur(mean, rows, columns)
        torch.sub(mean, m, out=offset)
        variance = _blur(torch.addcmul(spread, offset, offset), rows, columns)
        finish = kernels.finish_divisor[(n,)]
        finish(variance, m, deviation, divisor, c, size, MEAN_FLOOR=mean_floor, **_SAMPLE, **_FUSED)
        kernels.normalise[_tiles(x)](x, m, divisor, y, size, maps, **_TILE, **_FUSED)
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
) -> Tensor:
    """`fast.contrast_norm.backward`; errors as of `forward`."""
    _check(y)
    dy, rows, columns = dy.contiguous(), rows.contiguous(), columns.contiguous()
    n, maps, height, width = y.shape
    size = height * width
    dx = torch.empty_like(y)
    if y.numel() == 0:
        return dx
    with torch.cuda.device_of(y):
        mean, gradient, ratio = (torch.empty_like(offset) for _ in range(3))
        kernels.gradient_means[_columns(y)](dy, y, divisor, mean, gradient, size, maps, **_COLUMN, **_FUSED)
        through = kernels.through_divisor[(n,)]
        through(gradient, deviation, divisor, ratio, size, THROUGH_FLOOR=through_floor, **_SAMPLE, **_FUSED)
        q = _blur(ratio, rows.T, columns.T)
        g = _blur(torch.addcmul(mean, q, offset), rows.T, columns.T)
        kernels.input_gradient[_tiles(y)](dy, y, divisor, q, g, dx, size, maps, **_TILE, **_FUSED)
    return dx


def _blur(source: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """rows @ source @ columns.T for each map, one axis at a time; each pass transposes the axes."""
    for matrix in (rows, columns):
        n, _, size, across = source.shape
        blurred = source.new_empty((n, 1, across, size))
        grid = (n * triton.cdiv(size, _BLUR["TO"]) * triton.cdiv(across, _BLUR["ACROSS"]),)
        kernels.blur_axis[grid](source, matrix, blurred, size, across, *matrix.stride(), **_BLUR, **_FUSED)
        source = blurred
    return source


def _columns(x: Tensor) -> tuple[int]:
    return (len(x) * triton.cdiv(x.shape[2] * x.shape[3], _COLUMN["POSITIONS"]),)


def _tiles(x: Tensor) -> tuple[int]:
    blocks, groups = triton.cdiv(x.shape[2] * x.shape[3], _TILE["POSITIONS"]), triton.cdiv(x.shape[1], _TILE["MAPS"])
    return (len(x) * blocks * groups,)


def _check(x: Tensor) -> None:
    if x.dtype not in TYPES:
        raise TypeError(f"maps must be float32, bfloat16 or float16, not {x.dtype}; use contrast_norm.definition")
