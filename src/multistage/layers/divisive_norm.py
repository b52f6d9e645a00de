"""Divisive normalisation: each value divided by a norm of its neighbours in space and channels, partly learned.

With x_i the channels (i = 1..C), w a window whose weights sum to one and w * its local mean:

    v_i = x_i - mean_k (w * x_k)                       if `subtract`, as in N; else x_i
    y_i = v_i / (c_i^p + sum_k a_ik (w * |v_k|^p))^(1/p)

c is the floor (semi-saturation constant), in the unit of x; p the exponent; a_ik >= 0 the weight of channel k in the
divisor of channel i: 1 / C (``"mean"``), 1 only for i = k (``"each"``), or learned. Small values are divided by c;
large ones become their ratio to their neighbours. Multiplying both x and c by a number does not change y.
"""

import math
from typing import Literal

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from multistage.layers.arithmetic import accumulator, autocasts
from multistage.layers.contrast_norm_definition import BORDERS, Border, Window, along_axes, axis_blur, row, taps
from multistage.layers.eager import is_ordinary, is_ordinary_on_cpu
from multistage.layers.fast import contrast_norm as fast

Weights = Literal["mean", "each"]
LEAST = 1e-6
"""Lower bound of a learned floor, which keeps the divisor positive."""


def divisive_norm(
    x: Tensor,
    kernel_size: int = 9,
    sigma: float | None = None,
    floor: float | Tensor = 0.5,
    border: Border = "zero",
    *,
    exponent: float | Tensor = 2.0,
    weights: Weights | Tensor = "mean",
    window: Window = "gaussian",
    subtract: bool = True,
) -> Tensor:
    """Divide by a norm of the neighbourhood, in space, over channels or both.

    Args:
        x: [n, channels, height, width] or [channels, height, width], floating point.
        kernel_size: Side of the window, pixels, odd; 1 leaves space out.
        sigma: Standard deviation of the Gaussian window, pixels; None means kernel_size / (4 sqrt 2).
        floor: c > 0, in the unit of x: a number, or a tensor [] or [channels].
        border: As in `local_contrast_norm`: ``"zero"``, ``"renormalise"``, ``"reflect"`` or ``"replicate"``.
        exponent: p >= 1, a number or a tensor []. Its gradient, and that of x, is finite where x is 0.
        weights: a >= 0: ``"mean"`` averages over all channels, ``"each"`` uses only the channel itself, as does a
            tensor [channels], with these weights; a tensor [channels, channels] has a row for each divisor.
        window: ``"gaussian"``, ``"box"`` or the weights of one axis.
        subtract: Whether to subtract first the local mean over all channels, or of the channel itself if `weights`
            use only that.

    Returns:
        Same shape and type as `x`; sums are kept in float32 at least.

    Raises:
        ValueError: x is not 3-D or 4-D or not floating point; an impossible window or border; a floor that is not
            positive, an exponent below 1; a tensor of wrong shape. Values of tensors are not checked.

    Source: p = 2, ``window="box"``, ``"mean"``: Ren, Liao, Urtasun, Sinz & Zemel 2017 (Normalizing the Normalizers,
    ICLR, arXiv 1611.04520), as `divnorm.py` of their code has it. Without subtraction: kernel_size 1 and p = 2 is GDN
    (Balle, Laparra & Simoncelli, arXiv 1511.06281), with c the root of its beta; the p-th power of y, for x >= 0, is
    the response of Burg et al. 2021 (PLoS Comput. Biol. 17(6): e1009028). Miller, Chung & Miller 2022 (ICLR) divide
    x^2 by (k (1 + sum of weighted squares over neighbouring channels))^beta: with beta = k = 1 this is p = 1 of x^2.
    """
    _check(x, floor, exponent, weights, border)
    maps = x if x.ndim == 4 else x[None]
    v = maps.to(accumulator(x.dtype))
    squares = not isinstance(exponent, Tensor) and exponent == 2
    # autocast would sum in 16 bits, but does not change float64; powers above 2 exceed the range of float32
    of_sums = v.dtype if squares and not autocasts(x) else torch.float64
    matrices = _matrices(x, of_sums, kernel_size, sigma, window, border)

    def blur(map_: Tensor) -> Tensor:
        return along_axes(matrices, map_.to(of_sums))

    given = None if isinstance(weights, str) else weights.to(of_sums)
    each = weights == "each" if given is None else given.ndim == 1
    if subtract:
        v = v - blur(v if each else v.mean(1, keepdim=True)).to(v)
    c = (floor.to(v) if isinstance(floor, Tensor) else v.new_full((), floor)).reshape(-1, 1, 1)
    unit = c.detach().amax(0)  # the result is the same, but the square of a small floor does not underflow
    c, v = c / unit, v / unit
    p = exponent if isinstance(exponent, float | int) else exponent.to(of_sums)
    powers = v.square() if squares else v.abs().to(of_sums).pow(p)
    if given is None:
        pooled = blur(powers if each else powers.mean(1, keepdim=True))
    elif each:
        pooled = given.view(-1, 1, 1) * blur(powers)
    else:
        rows = given[:1] if _all_alike(given, x) else given
        # expanded, so that torch always rounds alike
        mixed = rows.expand(maps.shape[0], -1, -1) @ powers.to(given).flatten(2)
        pooled = blur(mixed.view(*mixed.shape[:2], *powers.shape[2:]))
    y = v / (c.to(pooled) ** p + pooled).pow(1 / p).to(v)
    return y.to(x.dtype).view_as(x)


def _all_alike(weights: Tensor, x: Tensor) -> bool:
    """Whether all divisors have the same weights, so that one blur is enough; only asked where nothing is learned."""
    return not torch.is_grad_enabled() and is_ordinary_on_cpu(x) and bool((weights == weights[:1]).all())


def _matrices(
    x: Tensor, dtype: torch.dtype, kernel_size: int, sigma: float | None, window: Window, border: Border
) -> list[Tensor]:
    """Return a blur for each axis; none for a window of one pixel."""
    if kernel_size == 1 and isinstance(window, str):
        return []
    window = row(window)
    matrix_of = fast.axis_blur if is_ordinary(x) else axis_blur
    return [matrix_of(side, kernel_size, sigma, window, border, dtype, x.device) for side in x.shape[-2:]]


fx.wrap("divisive_norm")  # a leaf for tracing: control flow depends on shapes


def _check(
    x: Tensor, floor: float | Tensor, exponent: float | Tensor, weights: Weights | Tensor, border: Border
) -> None:
    if x.ndim not in (3, 4) or not x.is_floating_point():
        of_x = f"{x.dtype} {list(x.shape)}"
        raise ValueError(
            f"x must be floating point [n, channels, height, width] or [channels, height, width], not {of_x}"
        )
    _check_numbers(floor, exponent, weights, border)
    channels = x.shape[-3]
    allowed = {"floor": ((), (channels,)), "exponent": ((),), "weights": ((channels,), (channels, channels))}
    for name, value in {"floor": floor, "exponent": exponent, "weights": weights}.items():
        if isinstance(value, Tensor) and value.shape not in allowed[name]:
            raise ValueError(f"x has {channels} channels, {name} is {list(value.shape)}")


def _check_numbers(floor: float | Tensor, exponent: float | Tensor, weights: Weights | Tensor, border: Border) -> None:
    if not isinstance(floor, Tensor) and not 0 < floor < math.inf:
        raise ValueError(f"floor must be a positive number, not {floor}")
    if not isinstance(exponent, Tensor) and not 1 <= exponent < math.inf:
        raise ValueError(f"exponent must be a number of at least 1, not {exponent}")
    if not isinstance(weights, Tensor) and weights not in ("mean", "each"):
        raise ValueError(f"weights must be 'mean', 'each' or a tensor, not {weights!r}")
    if border not in BORDERS:
        raise ValueError(f"border must be one of {', '.join(BORDERS)}, not {border!r}")


def above(least: float, raw: Tensor) -> Tensor:
    """Map an unbounded parameter to a number above `least`; small numbers change by factors."""
    return least + F.softplus(raw.to(accumulator(raw.dtype)))


fx.wrap("above")


def _raw(least: float, value: float, *shape: int) -> nn.Parameter:
    """Return the parameter for which `above` gives this value."""
    distance = value - least
    return nn.Parameter(torch.full(shape, distance + math.log(-math.expm1(-distance))))


class DivisiveNorm2d(nn.Module):
    """Module form of `divisive_norm`; floor, channel weights and exponent are learned or constant.

    Learned parameters are ``raw_floor`` [channels], ``raw_exponent`` [] and ``raw_weights`` ([channels, channels], or
    [channels] for ``"each"``), all unbounded: c = 1e-6 + softplus(raw), p = 1 + softplus(raw), a = softplus(raw),
    divided by the number of channels for ``"mean"``. So small values change by factors and never reach 0, and weight
    decay pulls towards c = p - 1 = 0.69. The state dict holds only what is learned.

    Args:
        channels: C, of x.
        kernel_size: Side of the window, as in `divisive_norm`.
        sigma: Width of its Gaussian, as in `divisive_norm`.
        floor: Initial c, the same for all channels; 0.5 as in the code of Ren et al. for CIFAR-10.
        border: Values outside, as in `divisive_norm`.
        exponent: Initial p.
        weights: Initial a: ``"mean"``, 1 / channels each, or ``"each"``, 1 for the channel itself and 0 for others.
        window: Its weights, as in `divisive_norm`.
        subtract: Whether to subtract the local mean first, as in `divisive_norm`.
        learn_floor: Whether c is learned.
        learn_exponent: Whether p is learned.
        learn_weights: Whether a is learned. Fixed ``"mean"`` blurs one map instead of all.

    Raises:
        ValueError: As for `divisive_norm`; no channels; an initial value from which learning is impossible.
    """

    raw_floor: nn.Parameter
    raw_exponent: nn.Parameter
    raw_weights: nn.Parameter

    def __init__(
        self,
        channels: int,
        kernel_size: int = 9,
        sigma: float | None = None,
        floor: float = 0.5,
        border: Border = "zero",
        *,
        exponent: float = 2.0,
        weights: Weights = "mean",
        window: Window = "gaussian",
        subtract: bool = True,
        learn_floor: bool = True,
        learn_exponent: bool = False,
        learn_weights: bool = True,
    ) -> None:
        super().__init__()
        given = taps(kernel_size, sigma, window)
        _check_numbers(floor, exponent, weights, border)
        if channels < 1:
            raise ValueError(f"channels must be at least 1, not {channels}")
        if learn_floor and floor <= LEAST:
            raise ValueError(f"a learned floor must start above {LEAST}, not at {floor}")
        if learn_exponent and exponent == 1:
            raise ValueError("a learned exponent must start above 1")
        self.channels, self.kernel_size, self.sigma, self.subtract = channels, kernel_size, sigma, subtract
        self.border: Border = border
        self.window: Window = window
        if not isinstance(window, str):
            self.kernel_size, self.window = len(given), row(window)
        self.initial_floor, self.initial_exponent = floor, exponent
        self.initial_weights: Weights = weights
        self.learn_floor, self.learn_exponent, self.learn_weights = learn_floor, learn_exponent, learn_weights
        if learn_floor:
            self.raw_floor = _raw(LEAST, floor, channels)
        if learn_exponent:
            self.raw_exponent = _raw(1.0, exponent)
        if learn_weights:
            self.raw_weights = _raw(0.0, 1.0, *(channels,) * (1 if weights == "each" else 2))

    @property
    def floor(self) -> float | Tensor:
        """Return the current c: [channels] if learned."""
        return above(LEAST, self.raw_floor) if self.learn_floor else self.initial_floor

    @property
    def exponent(self) -> float | Tensor:
        """Return the current p: [] if learned."""
        return above(1.0, self.raw_exponent) if self.learn_exponent else self.initial_exponent

    @property
    def weights(self) -> Weights | Tensor:
        """Return the current a: [channels, channels] or [channels] if learned."""
        if not self.learn_weights:
            return self.initial_weights
        return above(0.0, self.raw_weights) / (1 if self.initial_weights == "each" else self.channels)

    def forward(self, x: Tensor) -> Tensor:
        return divisive_norm(
            x,
            self.kernel_size,
            self.sigma,
            self.floor,
            self.border,
            exponent=self.exponent,
            weights=self.weights,
            window=self.window,
            subtract=self.subtract,
        )

    def extra_repr(self) -> str:
        window = "" if self.sigma is None else f", sigma={self.sigma}"
        window += "" if self.window == "gaussian" else f", window={self.window!r}"
        learned = [name for name in ("floor", "exponent", "weights") if getattr(self, f"learn_{name}")]
        return (
            f"{self.channels}, kernel_size={self.kernel_size}, floor={self.initial_floor}, border={self.border!r}, "
            f"exponent={self.initial_exponent}, weights={self.initial_weights!r}{window}, subtract={self.subtract}, "
            f"learned: {', '.join(learned) or 'nothing'}"
        )
