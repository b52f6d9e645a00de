"""N: local contrast normalisation over all maps (section 2 of the paper), and its variants from other fields.

With x_i the maps (i = 1..C) and w a Gaussian window whose weights sum to one over maps and window together:

    m_jk     = sum_ipq w_pq x_{i, j+p, k+q}             one local mean, shared by all maps
    v_ijk    = x_ijk - m_jk
    sigma_jk = sqrt(sum_ipq w_pq v_{i, j+p, k+q}^2)     one local deviation, shared by all maps
    y_ijk    = v_ijk / max(c, sigma_jk)                 c = mean over positions of sigma, for each sample

w is the same for every map, so averaging over maps first and blurring one map gives exactly the same result with C
times less arithmetic. This is neither ``torch.nn.LocalResponseNorm`` (over channels only, nothing subtracted) nor the
local normalisation of input images (`multistage.data.preprocessing.preprocess`: valid border, floor 1).

Each option changes one thing: the weights of pixels (window, border, mask), which maps share m and sigma (groups), what
sigma is the deviation of, the divisor, or whether to subtract and to divide.
"""

from collections.abc import Callable
from functools import partial
from inspect import signature
from typing import Any, Self

from torch import Tensor, fx, nn

from multistage.layers.contrast_norm_definition import (
    BORDERS,
    Border,
    DeviationOf,
    Floor,
    FloorMode,
    Window,
    blur_matrix,
    definition,
    gaussian_window,
    row,
    taps,
)
from multistage.layers.contrast_norm_groups import in_groups
from multistage.layers.contrast_norm_refusals import check, check_words
from multistage.layers.eager import is_ordinary
from multistage.layers.fast import contrast_norm as fast
from multistage.layers.fast import contrast_norm_options as options

__all__ = [
    "BORDERS",
    "Border",
    "DeviationOf",
    "Floor",
    "FloorMode",
    "LocalContrastNorm",
    "Window",
    "blur_matrix",
    "definition",
    "gaussian_window",
    "local_contrast_norm",
    "taps",
]


def local_contrast_norm(
    x: Tensor,
    kernel_size: int = 9,
    sigma: float | None = None,
    floor: Floor = "mean",
    border: Border = "zero",
    across_maps: bool = True,
    floor_gradient: bool = True,
    *,
    window: Window = "gaussian",
    groups: int | None = None,
    floor_mode: FloorMode = "max",
    deviation_of: DeviationOf = "residual",
    subtract: bool = True,
    divide: bool = True,
    mask: Tensor | None = None,
    return_statistics: bool = False,
) -> Any:
    """Subtract the local mean, then divide by the local standard deviation, both over all maps (the paper's N).

    Args:
        x: Maps [n, maps, height, width] or [maps, height, width], floating point.
        kernel_size: Side of the window, pixels, odd; it may exceed the map.
        sigma: Standard deviation of the Gaussian window, pixels; None means kernel_size / (4 sqrt 2).
        floor: c, the smallest divisor: ``"mean"`` is the mean of sigma over the positions of a sample (the paper), a
            number >= 0 is a constant.
        border: ``"zero"`` counts outside pixels as zeros (the authors' code), ``"renormalise"`` leaves them out of the
            weighted mean, ``"reflect"`` and ``"replicate"`` continue the map. ``"torch7"`` is ``"renormalise"`` with
            sigma larger by 1 / sqrt(fraction of the window inside), as in Torch7, which divides the square root by
            that fraction.
        across_maps: False normalises each map separately, as many ports do.
        floor_gradient: Whether the gradient flows through c (EBLearn treats it as a constant).
        window: ``"gaussian"``, ``"box"`` (equal weights), or an odd number of weights for one axis, which are scaled
            to sum to one; the window is their outer product.
        groups: Number of groups of adjacent maps, of equal size; each is normalised separately. 1: all maps together
            (the paper); the number of maps: each map separately.
        floor_mode: ``"max"`` divides by max(c, sigma), ``"add"`` by sigma + c.
        deviation_of: ``"residual"``: sigma is the deviation of v, where each pixel lost its own local mean (the
            paper). ``"window"``: of the pixels of the window about the window's mean, as in image quality and stereo
            (``sqrt(blur(x^2) - m^2)``, kept in float64).
        subtract: False skips the subtraction; with ``"residual"``, sigma is then the root of the local mean square.
        divide: False skips the division.
        mask: Boolean or numbers, 0 is outside; [n or 1, 1, height, width], without the first axis if x has none.
            Pixels outside have no weight in means, deviations and c, and may be NaN; their result and gradient are 0.
        return_statistics: Whether to return m and sigma too.

    Returns:
        Same shape and type as `x`. For a flat sample the result is 0 up to rounding (with ``"zero"``: except at the
        border), and its gradient is finite. An empty map gives an empty map. With `return_statistics` a tuple: y, m
        and sigma (before c); m and sigma are [n, groups, height, width], with gradients.

    Raises:
        ValueError: x is not 3-D or 4-D or not floating point; an even or non-square window; an unknown option value;
            a negative floor; groups that do not divide the maps; a mask of wrong shape; neither step requested.

    Source: paper, section 2, "Local Contrast Normalization Layer - N"; window and border from the authors' demo; for
    other options see `LocalContrastNorm.mscn`, `.active_stereo` and `.torch7`.
    """
    check(kernel_size, floor, across_maps, groups, subtract, divide)
    check_words(border=border, floor_mode=floor_mode, deviation_of=deviation_of)
    window = row(window)

    def normalise(joined: Tensor, inside: Tensor | None) -> Any:
        of_the_paper = floor_mode == "max" and deviation_of == "residual" and border != "torch7" and subtract and divide
        ordinary = is_ordinary(x)
        if ordinary and of_the_paper and mask is None and not return_statistics:
            return fast.contrast_norm(joined, kernel_size, sigma, floor, border, floor_gradient, window)
        normalised: Callable[..., Any] = definition
        if ordinary:
            normalised = options.contrast_norm if border != "torch7" else partial(definition, axis_blur=fast.axis_blur)
        return normalised(
            joined,
            kernel_size,
            sigma,
            floor,
            border,
            floor_gradient,
            window=window,
            floor_mode=floor_mode,
            deviation_of=deviation_of,
            subtract=subtract,
            divide=divide,
            mask=inside,
            return_statistics=return_statistics,
        )

    return in_groups(normalise, x, mask, groups or (1 if across_maps else None), return_statistics)


fx.wrap("local_contrast_norm")  # a leaf for tracing: control flow depends on shapes

OPTIONS = {name: each for name, each in signature(local_contrast_norm).parameters.items() if name not in ("x", "mask")}
"""All options by name."""

USUAL = {"kernel_size", "sigma", "floor", "border", "across_maps", "floor_gradient"}
"""Options of the paper's layer."""


class LocalContrastNorm(nn.Module):
    """Module form of `local_contrast_norm`; it has no parameters and accepts any number of maps.

    The mask depends on the images, so it is the second argument of the call: ``norm(x, mask)``.
    """

    def __init__(
        self,
        kernel_size: int = 9,
        sigma: float | None = None,
        floor: Floor = "mean",
        border: Border = "zero",
        across_maps: bool = True,
        floor_gradient: bool = True,
        *,
        window: Window = "gaussian",
        groups: int | None = None,
        floor_mode: FloorMode = "max",
        deviation_of: DeviationOf = "residual",
        subtract: bool = True,
        divide: bool = True,
        return_statistics: bool = False,
    ) -> None:
        super().__init__()
        weights = taps(kernel_size, sigma, window)  # refuses impossible options here, not at the first batch
        check(kernel_size, floor, across_maps, groups, subtract, divide)
        check_words(border=border, floor_mode=floor_mode, deviation_of=deviation_of)
        self.kernel_size, self.sigma, self.floor = kernel_size, sigma, floor
        self.border: Border = border
        self.across_maps, self.floor_gradient = across_maps, floor_gradient
        self.window: Window = window
        if not isinstance(window, str):
            self.kernel_size, self.window = len(weights), row(window)
        self.groups = groups
        self.floor_mode: FloorMode = floor_mode
        self.deviation_of: DeviationOf = deviation_of
        self.subtract, self.divide, self.return_statistics = subtract, divide, return_statistics

    @classmethod
    def jarrett(cls) -> Self:
        """Return the paper's N as in the authors' demo: over all maps, Gaussian 9x9, zeros outside, c = mean of sigma.

        Source: Jarrett et al. 2009, section 2. These are the defaults.
        """
        return cls()

    @classmethod
    def mscn(cls, border: Border = "zero", data_range: float = 255.0) -> Self:
        """Return the MSCN coefficients of BRISQUE and NIQE: (x - m) / (sigma + 1) for each map.

        Args:
            border: ``"zero"`` as in BRISQUE's code (``filter2``), ``"replicate"`` as in NIQE's (``imfilter``).
            data_range: White minus black: 255 as in their code, 1 for pixels from 0 to 1; the floor is a 255th of it.

        Source: Mittal, Moorthy & Bovik 2012 (TIP), Mittal, Soundararajan & Bovik 2013 (SPL); window
        ``fspecial('gaussian', 7, 7/6)`` and deviation ``sqrt(abs(blur(x^2) - m^2))`` from their code.
        """
        choice: dict[str, Any] = {"floor": data_range / 255, "floor_mode": "add", "deviation_of": "window"}
        return cls(7, 7 / 6, border=border, across_maps=False, **choice)

    @classmethod
    def active_stereo(cls, kernel_size: int = 9, eps: float = 1e-5) -> Self:
        """Return (x - m) / (sigma + eps) with a box window for each map, and m and sigma, for a stereo loss.

        Args:
            kernel_size: Side of the box, pixels; usually 9 or 11.
            eps: Added to sigma, in the unit of x.

        Source: Zhang et al. 2018 (ActiveStereoNet, ECCV), as the function ``local_contrast_norm(image, kernel_size=9,
        eps=1e-5)`` of its public copies has it: by unfolding, zeros outside, ``torch.std(unbiased=False)``.
        """
        choice: dict[str, Any] = {"window": "box", "floor_mode": "add", "deviation_of": "window"}
        return cls(kernel_size, floor=eps, across_maps=False, return_statistics=True, **choice)

    @classmethod
    def torch7(cls, kernel: Window = (1,) * 9, threshold: float = 1e-4, across_maps: bool = True) -> Self:
        """Return ``nn.SpatialContrastiveNormalization(maps, kernel, threshold)`` of Torch7: its window, border, floor.

        Args:
            kernel: Weights of a 1-D kernel (``image.gaussian1D(7)``); the default is Torch7's, nine equal ones.
            threshold: Lower bound of sigma.
            across_maps: False for ports that normalise each map separately, and for layers with one map.

        Source: torch/nn, SpatialSubtractiveNormalization.lua and SpatialDivisiveNormalization.lua: zero padding, then
        mean and *root* divided by the fraction of the window inside. Its layer replaces small sigma by 1e-4 whatever
        the threshold is; the usual threshold is 1e-4 too.
        """
        return cls(window=kernel, floor=threshold, border="torch7", across_maps=across_maps)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Any:
        return local_contrast_norm(x, mask=mask, **self.options())

    def options(self) -> dict[str, Any]:
        """Return all arguments of the layer by name."""
        return {name: getattr(self, name) for name in OPTIONS}

    def is_usual(self) -> bool:
        """Whether only options of the paper's layer are in use."""
        return USUAL.issuperset(self._unlike_the_default())

    def _unlike_the_default(self) -> list[str]:
        return [name for name, option in OPTIONS.items() if getattr(self, name) != option.default]

    def extra_repr(self) -> str:
        shown = f"kernel_size={self.kernel_size}, floor={self.floor!r}, border={self.border!r}"
        others = [name for name in self._unlike_the_default() if name not in ("kernel_size", "floor", "border")]
        return ", ".join([shown, *(f"{name}={getattr(self, name)!r}" for name in others)])
