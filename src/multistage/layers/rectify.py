"""R_abs, the rectification layer of the paper (section 2), and alternatives to it."""

from typing import Any, Literal, cast, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multistage.layers.eager import blocks, is_ordinary_on_cpu, undifferentiable

Kind = Literal["abs", "relu", "gelu", "leaky_relu", "square"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def rectify(x: Tensor, kind: Kind = "abs") -> Tensor:
    """Rectify every value.

    Args:
        x: Any shape.
        kind: ``"abs"`` is the paper's R_abs, ``y = |x|``; ``"relu"`` is the positive part, which the paper mentions
            without figures; ``"gelu"`` is x times the normal distribution function of x; ``"leaky_relu"`` is x where
            positive, else 0.01 x; ``"square"`` is x^2, as in energy models of complex cells.

    Returns:
        Same shape as `x`.

    Raises:
        ValueError: Unknown `kind`.

    Source: paper, section 2, "Rectification Layer - R_abs".
    """
    match _checked(kind):
        case "abs":
            return cast(Tensor, _Absolute.apply(x)) if x.ndim and x.requires_grad and is_ordinary_on_cpu(x) else x.abs()
        case "relu":
            return torch.relu(x)
        case "gelu":
            return F.gelu(x)
        case "leaky_relu":
            return F.leaky_relu(x)
        case "square":
            return x.square()


def _checked(kind: Kind) -> Kind:
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
    return kind


class _Absolute(torch.autograd.Function):
    """|x|; the signs for its gradient stay in the processor's cache."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.abs()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        return undifferentiable(_absolute_gradient, grad, *ctx.saved_tensors)


def _absolute_gradient(grad: Tensor, x: Tensor) -> Tensor:
    dx = torch.empty_like(x)
    for block, signs in blocks(x, x.dtype):
        torch.mul(torch.sign(x[block], out=signs), grad[block], out=dx[block])
    return dx


class Rectify(nn.Module):
    """Module form of `rectify`."""

    def __init__(self, kind: Kind = "abs") -> None:
        super().__init__()
        self.kind = _checked(kind)

    def forward(self, x: Tensor) -> Tensor:
        return rectify(x, self.kind)

    def extra_repr(self) -> str:
        return f"{self.kind!r}"
