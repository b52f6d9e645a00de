"""The paper's preprocessing (section 4) of any image: resize, normalise, normalise locally, pad to a square.

Local normalisation can be left out (`globally`), which keeps the colour and brightness of large regions.

Every step is invariant to scale and offset of an image's levels, so bit depth (8, 12, 16 bits) needs no setting.
"""

from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from multistage.data.images import to_colour, to_gray
from multistage.data.resizing import resize_longer_side
from multistage.layers.contrast_norm import blur_matrix, gaussian_window, local_contrast_norm

Variance = Literal["one_pass", "two_pass"]

MARGIN = 4
"""Pixels that the 9x9 local normalisation cuts off at every side: 151 becomes 143."""


def prepare(image: np.ndarray, side: int = 143, variance: Variance = "one_pass", maps: int = 1) -> Tensor:
    """Prepare an image from `read_image` as float32 [maps, side, side]; `maps`: 1 for gray, 3 for colour."""
    image = to_gray(image) if maps == 1 else to_colour(image)
    return preprocess(resize_longer_side(image, side + 2 * MARGIN), variance)


def globally(image: np.ndarray, side: int, maps: int = 1) -> Tensor:
    """Apply only global contrast normalisation: mean 0, deviation 1, over all pixels and maps of an image.

    Args:
        image: [h, w] or [h, w, 3], of any size and depth.
        side: Side of the square; the shorter axis is padded with zeros.
        maps: 1 for gray, 3 for colour.

    Returns:
        float32 [maps, side, side]; all 0 if the image is flat.
    """
    image = to_gray(image) if maps == 1 else to_colour(image)
    return pad_to_square(_normalised(resize_longer_side(image, side))).float()


def _normalised(image: np.ndarray) -> Tensor:
    """Normalise [h, w] or [h, w, maps] to float64 [maps, h, w] with mean 0 and deviation 1; zeros if it is flat."""
    x = torch.from_numpy(np.moveaxis(np.atleast_3d(image), 2, 0).astype(np.float64))
    deviation = x.std()
    return (x - x.mean()) / torch.where(deviation > 0, deviation, 1)


def preprocess(image: np.ndarray, variance: Variance = "one_pass") -> Tensor:
    """Apply the paper's preprocessing, after resizing.

    Subtract the image's mean and divide by its standard deviation, over all its maps; normalise locally over all maps
    with the 9x9 Gaussian window and a floor of 1, where the window fits (a side too short for it is extended); pad with
    zeros to a square, centred (an odd row or column goes last). The paper has gray images. For colour this is N over
    three maps: one mean and one deviation for all maps, which keeps their differences.

    Args:
        image: [h, w] or [h, w, maps], its longer side 151.
        variance: ``"one_pass"``: local variance E[x^2] - E[x]^2, as in the authors' demo; ``"two_pass"``: the local
            mean of (x - local mean)^2, as in the thesis and in `local_contrast_norm`.

    Returns:
        float32 [maps, 143, 143] (longer side - 8).

    Raises:
        ValueError: An unknown `variance`.

    Source: paper, section 4; the authors' demo, whose output `golden/` holds.
    """
    image = np.atleast_3d(image)
    if min(image.shape[:2]) <= 2 * MARGIN:
        missing = [max(0, 2 * MARGIN + 1 - side) for side in image.shape[:2]]
        image = np.pad(image, [*((0, more) for more in missing), (0, 0)], mode="edge")
    x = _normalised(image)
    inside = slice(MARGIN, -MARGIN)
    if variance == "one_pass":
        rows, columns = map(_blur, x.shape[1:])
        mean = rows @ x.mean(0) @ columns.T
        local_variance = (rows @ x.square().mean(0) @ columns.T - mean.square()).clamp_min(0)
        normalised = (x[:, inside, inside] - mean) / local_variance.sqrt().clamp_min(1)
    elif variance == "two_pass":
        normalised = local_contrast_norm(x[None], floor=1.0, border="renormalise")[0, :, inside, inside]
    else:
        raise ValueError(f"variance must be 'one_pass' or 'two_pass', not {variance!r}")
    return pad_to_square(normalised).float()


@lru_cache(maxsize=256)
def _blur(side: int) -> Tensor:
    """Return the local mean along an axis, where the window fits, as a matrix [side - 8, side]."""
    return blur_matrix(side, gaussian_window(2 * MARGIN + 1))[MARGIN:-MARGIN]


def pad_to_square(image: Tensor) -> Tensor:
    """Pad [..., h, w] with zeros to a centred square; an odd row or column goes last."""
    height, width = image.shape[-2:]
    side = max(height, width)
    square = image.new_zeros(*image.shape[:-2], side, side)
    top, left = (side - height) // 2, (side - width) // 2
    square[..., top : top + height, left : left + width] = image
    return square
