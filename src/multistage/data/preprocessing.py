"""The paper's preprocessing (section 4) of any image: resize, normalise, normalise locally, pad to a square.

Local normalisation can be left out (`globally`), which keeps the colour and brightness of large regions.

Every step is invariant to scale and offset of an image's levels, so bit depth (8, 12, 16 bits) needs no setting.
"""

from functools import lru_cache
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from multistage.data.images import to_colour, to_gray, to_yuv
from multistage.data.resizing import resize_longer_side
from multistage.layers.contrast_norm import blur_matrix, gaussian_window, local_contrast_norm

Variance = Literal["one_pass", "two_pass"]
Colour = Literal["gray", "rgb", "yuv"]

MARGIN = 4
"""Pixels that the 9x9 local normalisation cuts off at every side: 151 becomes 143."""


def prepare(image: np.ndarray, side: int = 143, variance: Variance = "one_pass", colour: Colour = "gray") -> Tensor:
    """Prepare an image from `read_image` as float32 [maps, side, side]: one map for gray, three for colour."""
    return preprocess(resize_longer_side(_as(image, colour), side + 2 * MARGIN), variance, colour)


def globally(image: np.ndarray, side: int, colour: Colour = "gray") -> Tensor:
    """Apply only global contrast normalisation: mean 0, deviation 1, over all pixels and maps of an image.

    Args:
        image: [h, w] or [h, w, 3], of any size and depth.
        side: Side of the square; the shorter axis is padded with zeros.
        colour: Maps of the result. For yuv the first has mean 0 and deviation 1, and the others are scaled with it.

    Returns:
        float32 [maps, side, side]; all 0 if the image is flat.
    """
    return pad_to_square(_normalised(resize_longer_side(_as(image, colour), side), colour)).float()


def _as(image: np.ndarray, colour: Colour) -> np.ndarray:
    return to_gray(image) if colour == "gray" else to_colour(image)


def _normalised(image: np.ndarray, colour: Colour) -> Tensor:
    """Normalise [h, w] or [h, w, maps] to float64 [maps, h, w] with mean 0 and deviation 1; zeros if it is flat.

    For yuv these are the mean and deviation of the first map, so that 0 stays gray in the others. If that map is flat,
    the deviation of all maps is used.

    Raises:
        ValueError: An unknown `colour`.
    """
    if colour not in get_args(Colour):
        raise ValueError(f"colour must be one of {', '.join(get_args(Colour))}, not {colour!r}")
    planes = to_yuv(image) if colour == "yuv" else np.atleast_3d(image)
    x = torch.from_numpy(np.moveaxis(planes, 2, 0).astype(np.float64))
    deviation, middle, rounding = x.std(), x.mean(), 1e-9 * x.abs().amax()
    if colour == "yuv":
        middle = torch.stack([x[0].mean(), *middle.new_zeros(2)])[:, None, None]
        centred = x - middle
        is_flat = centred[0].abs().amax() <= rounding
        deviation = (centred if is_flat else centred[0]).std()
    if not deviation > rounding:  # resized levels of more than 8 bits are never quite flat
        return torch.zeros_like(x)
    return (x - middle) / deviation


def preprocess(image: np.ndarray, variance: Variance = "one_pass", colour: Colour = "rgb") -> Tensor:
    """Apply the paper's preprocessing, after resizing.

    Subtract the image's mean and divide by its standard deviation, over all its maps; normalise locally over all maps
    with the 9x9 Gaussian window and a floor of 1, where the window fits (a side too short for it is extended); pad with
    zeros to a square, centred (an odd row or column goes last). The paper has gray images. Red, green and blue are
    normalised as by its N, with one mean and one deviation for all maps, so that their differences stay. Luminance and
    the two colour differences (yuv) are each normalised locally: luminance becomes what a gray image becomes
    (but for rounding), and a region of one colour becomes 0, like a region of one gray level.

    Args:
        image: [h, w] or [h, w, maps], its longer side 151.
        variance: ``"one_pass"``: local variance E[x^2] - E[x]^2, as in the authors' demo; ``"two_pass"``: the local
            mean of (x - local mean)^2, as in the thesis and in `local_contrast_norm`.
        colour: yuv turns red, green and blue into luminance and two colour differences; otherwise the maps stay.

    Returns:
        float32 [maps, 143, 143] (longer side - 8).

    Raises:
        ValueError: An unknown `variance` or `colour`.

    Source: paper, section 4; the authors' demo, whose output `golden/` holds.
    """
    image = np.atleast_3d(image)
    if min(image.shape[:2]) <= 2 * MARGIN:
        missing = [max(0, 2 * MARGIN + 1 - side) for side in image.shape[:2]]
        image = np.pad(image, [*((0, more) for more in missing), (0, 0)], mode="edge")
    x = _normalised(image, colour)
    together = torch.split(x, 1 if colour == "yuv" else len(x))
    return pad_to_square(torch.cat([_locally(maps, variance) for maps in together])).float()


def _locally(x: Tensor, variance: Variance) -> Tensor:
    """Normalise [maps, h, w] locally, over all maps together, to [maps, h - 8, w - 8]."""
    inside = slice(MARGIN, -MARGIN)
    if variance == "one_pass":
        rows, columns = map(_blur, x.shape[1:])
        mean = rows @ x.mean(0) @ columns.T
        local_variance = (rows @ x.square().mean(0) @ columns.T - mean.square()).clamp_min(0)
        return (x[:, inside, inside] - mean) / local_variance.sqrt().clamp_min(1)
    if variance == "two_pass":
        return local_contrast_norm(x[None], floor=1.0, border="renormalise")[0, :, inside, inside]
    raise ValueError(f"variance must be 'one_pass' or 'two_pass', not {variance!r}")


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
