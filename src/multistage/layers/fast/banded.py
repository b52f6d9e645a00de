"""A blur by its two matrices, ``rows @ map @ columns.T``, without most products with zeros.

A matrix of a blur is zero but for a band around its diagonal, as wide as the window. Of a long axis a block of pixels
is taken at a time, with those columns of the matrix that reach it. Short axes are one product, as they always were.
"""

import torch
from torch import Tensor

WHOLE = 256
"""Pixels of an axis up to which one product takes less time, or hardly more."""

BLOCK = 32


def blur(map_: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """``rows @ map @ columns.T``, for passes whose gradient is written by hand.

    Args:
        map_: [..., height, width], in the type of the matrices.
        rows: As of `blur_matrix`, [height, height].
        columns: The same, [width, width].
    """
    if over_rows := _bands(rows):
        map_ = torch.cat([rows[block, near] @ map_[..., near, :] for block, near in over_rows], -2)
    else:
        map_ = rows @ map_
    if over_columns := _bands(columns):
        return torch.cat([map_[..., near] @ columns[block, near].T for block, near in over_columns], -1)
    return map_ @ columns.T


def _bands(matrix: Tensor) -> list[tuple[slice, slice]]:
    """Blocks of a matrix's rows, each with all columns where they are not zero; none if one product is as good."""
    size = len(matrix)
    if size <= WHOLE or matrix.device.type != "cpu":
        return []
    reached = ((matrix[0] != 0) | (matrix[:, 0] != 0)).nonzero()  # by the first pixel, or from it: as far as by any
    reach = int(reached.max()) if len(reached) else 0
    if 2 * reach + BLOCK > size // 2:
        return []
    return [
        (slice(start, start + BLOCK), slice(max(0, start - reach), start + BLOCK + reach))
        for start in range(0, size, BLOCK)
    ]
