"""Statistical dependence of neighbouring pixels."""

import torch
import torch.nn.functional as F
from torch import Tensor


def correlation(x: Tensor, distance: int) -> Tensor:
    """Compute Pearson's correlation of pixels with those `distance` to the right and below, image by image.

    Args:
        x: Images [n, maps, height, width]; pairs of all maps count together.
        distance: Pixels along a row or a column; 0 gives 1.

    Returns:
        [n]; 0 for a flat image.
    """
    one = torch.cat([x[..., : x.shape[-1] - distance].flatten(1), x[..., : x.shape[-2] - distance, :].flatten(1)], 1)
    other = torch.cat([x[..., distance:].flatten(1), x[..., distance:, :].flatten(1)], 1)
    one, other = (values.double() - values.double().mean(1, keepdim=True) for values in (one, other))
    scale = one.norm(dim=1) * other.norm(dim=1)
    return ((one * other).sum(1) / torch.where(scale > 0, scale, 1)).float()


def explained(x: Tensor, radius: int) -> Tensor:
    """Return the fraction of a pixel's variance that its neighbours explain, by least squares, image by image.

    Args:
        x: Images [n, 1, height, width].
        radius: Neighbours are the other pixels of a square of 2 radius + 1 around it; 0 gives 0.

    Returns:
        [n], from 0 to 1; 0 for a flat image.
    """
    side = 2 * radius + 1
    pixels = F.unfold(x.double(), side)  # [n, side^2, positions]
    pixels = pixels - pixels.mean(2, keepdim=True)
    covariance = pixels @ pixels.mT
    others = torch.arange(side**2) != side**2 // 2
    between = covariance[:, others][:, :, others]
    towards = covariance[:, others][:, :, ~others]
    found = (towards * (torch.linalg.pinv(between, hermitian=True) @ towards)).sum((1, 2))
    whole = covariance[:, ~others][:, :, ~others].flatten()
    return (found / torch.where(whole > 0, whole, 1)).float()
