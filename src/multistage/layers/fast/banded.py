"""A blur by its two matrices, ``rows @ map @ columns.T``, without most products with zeros.

The matrix of a blur is zero outside a band around its diagonal, as wide as the window. A long axis is computed in
blocks of pixels, each with the columns of its band. A short axis is one product.
"""

import torch
from torch import Tensor

WHOLE = 256
"""Pixels of an axis up to which one product is as fast for a few maps."""

WHOLE_OF_MANY = 64
"""The same for many maps, such as the single maps of a batch."""

BLOCK = 32


def blur(map_: Tensor, rows: Tensor, columns: Tensor, whole: int = WHOLE) -> Tensor:
    """Compute ``rows @ map @ columns.T``, for passes with a hand-written gradient.

    Args:
        map_: [..., height, width], in the type of the matrices.
        rows: From `blur_matrix`, [height, height].
        columns: The same, [width, width].
        whole: Pixels of an axis up to which it is one product.
    """
    if over_rows := _bands(rows, whole):
        map_ = torch.cat([rows[block, near] @ map_[..., near, :] for block, near in over_rows], -2)
    else:
        map_ = rows @ map_
    if over_columns := _bands(columns, whole):
        return torch.cat([map_[..., near] @ columns[block, near].T for block, near in over_columns], -1)
    return map_ @ columns.T


def _bands(matrix: Tensor, whole: int) -> list[tuple[slice, slice]]:
    """Return blocks of a matrix's rows, each with its nonzero columns; none if one product is as good."""
    size = len(matrix)
    if size <= whole or matrix.device.type != "cpu":
        return []
    reached = ((matrix[0] != 0) | (matrix[:, 0] != 0)).nonzero()  # by the first pixel, or from it: as far as by any
    reach = int(reached.max()) if len(reached) else 0
    if 2 * reach + BLOCK > size // 2:
        return []
    return [
        (slice(start, start + BLOCK), slice(max(0, start - reach), start + BLOCK + reach))
        for start in range(0, size, BLOCK)
    ]
