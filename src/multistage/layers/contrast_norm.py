"""N: local contrast normalisation over all maps (section 2 of the paper).

With x_i the maps (i = 1..C) and w a Gaussian window whose weights sum to one over maps and window together:

    m_jk     = sum_ipq w_pq x_{i, j+p, k+q}             one local mean, shared by all maps
    v_ijk    = x_ijk - m_jk
    sigma_jk = sqrt(sum_ipq w_pq v_{i, j+p, k+q}^2)     one local deviation, shared by all maps
    y_ijk    = v_ijk / max(c, sigma_jk)                 c = mean over positions of sigma, for each sample

As w is the same for every map, summing over maps first and blurring one map gives exactly the same result with C times
less arithmetic. This is neither ``torch.nn.LocalResponseNorm`` (over channels only, nothing subtracted) nor the local
normalisation of input images (`multistage.data.caltech101.preprocess`: valid border, floor 1).
"""

from torch import Tensor, nn

from multistage.layers.contrast_norm_definition import BORDERS, Border, Floor, blur_matrix, definition, gaussian_window
from multistage.layers.eager import is_ordinary
from multistage.layers.fast import contrast_norm as fast

__all__ = [
    "BORDERS",
    "Border",
    "Floor",
    "LocalContrastNorm",
    "blur_matrix",
    "definition",
    "gaussian_window",
    "local_contrast_norm",
]


def local_contrast_norm(
    x: Tensor,
    kernel_size: int = 9,
    sigma: float | None = None,
    floor: Floor = "mean",
    border: Border = "zero",
    across_maps: bool = True,
    floor_gradient: bool = True,
) -> Tensor:
    """N: subtract the local mean, then divide by the local deviation, both taken over all maps.

    Args:
        x: Maps [n, maps, height, width], floating point.
        kernel_size: Side of the Gaussian window, pixels, odd; it may exceed the map.
        sigma: Standard deviation of the window, pixels; None means kernel_size / (4 sqrt 2).
        floor: c, below which the deviation does not divide: ``"mean"`` is the mean of sigma over the positions of a
            sample (the paper), a number >= 0 is a constant.
        border: ``"zero"`` counts outside pixels as zeros (the authors' code), ``"renormalise"`` leaves them out of the
            weighted mean, ``"reflect"`` and ``"replicate"`` continue the map.
        across_maps: False normalises each map by itself, as many ports do.
        floor_gradient: Whether gradient flows through c (EBLearn treats it as a constant).

    Returns:
        Same shape as `x`. Of a flat sample the result is 0 but for rounding (with zeros outside: but for the border),
        and its gradient is finite.

    Raises:
        ValueError: x is not 4-D or not floating point; an even window; an unknown border; a negative floor.

    Source: paper, section 2, "Local Contrast Normalization Layer - N"; window and border from the authors' demo.
    """
    if x.ndim != 4 or not x.is_floating_point():
        raise ValueError(f"x must be floating point [n, maps, height, width], not {x.dtype} {list(x.shape)}")
    _check_floor(floor)
    if not across_maps:
        each_map = x.reshape(-1, 1, *x.shape[2:])
        return local_contrast_norm(each_map, kernel_size, sigma, floor, border, True, floor_gradient).view_as(x)

    if not is_ordinary(x):
        return definition(x, kernel_size, sigma, floor, border, floor_gradient)
    return fast.contrast_norm(x, kernel_size, sigma, floor, border, floor_gradient)


def _check_floor(floor: Floor) -> None:
    if floor != "mean" and not (isinstance(floor, int | float) and floor >= 0):
        raise ValueError(f"floor must be 'mean' or a number >= 0, not {floor!r}")


class LocalContrastNorm(nn.Module):
    """Module form of :func:`local_contrast_norm`; it has no parameters and works on any number of maps."""

    def __init__(
        self,
        kernel_size: int = 9,
        sigma: float | None = None,
        floor: Floor = "mean",
        border: Border = "zero",
        across_maps: bool = True,
        floor_gradient: bool = True,
    ) -> None:
        super().__init__()
        gaussian_window(kernel_size, sigma)  # refuses what is impossible here rather than at the first batch
        if border not in BORDERS:
            raise ValueError(f"border must be one of {', '.join(BORDERS)}, not {border!r}")
        _check_floor(floor)
        self.kernel_size, self.sigma, self.floor = kernel_size, sigma, floor
        self.border: Border = border
        self.across_maps, self.floor_gradient = across_maps, floor_gradient

    def forward(self, x: Tensor) -> Tensor:
        return local_contrast_norm(
            x, self.kernel_size, self.sigma, self.floor, self.border, self.across_maps, self.floor_gradient
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, floor={self.floor!r}, border={self.border!r}"
