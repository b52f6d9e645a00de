"""R_abs: the rectification layer (section 2 of the paper)."""

from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from multistage.layers.eager import blocks, is_ordinary_on_cpu, undifferentiable

Kind = Literal["abs", "relu"]


def rectify(x: Tensor, kind: Kind = "abs") -> Tensor:
    """Rectify every value: ``y = |x|`` (abs), or ``y = max(x, 0)`` (relu).

    Args:
        x: Any shape.
        kind: ``"abs"`` is the paper's R_abs; ``"relu"`` the positive part, named there without figures.

    Returns:
        Same shape as `x`.

    Raises:
        ValueError: `kind` is neither of the two.

    Source: paper, section 2, "Rectification Layer - R_abs".
    """
    if kind == "abs":
        return cast(Tensor, _Absolute.apply(x)) if x.ndim and x.requires_grad and is_ordinary_on_cpu(x) else x.abs()
    if kind == "relu":
        return torch.relu(x)
    raise ValueError(f"kind must be 'abs' or 'relu', not {kind!r}")


class _Absolute(torch.autograd.Function):
    """|x|, whose gradient's signs never leave the processor's cache."""

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
    """Module form of :func:`rectify`."""

    def __init__(self, kind: Kind = "abs") -> None:
        super().__init__()
        if kind not in ("abs", "relu"):
            raise ValueError(f"kind must be 'abs' or 'relu', not {kind!r}")
        self.kind: Kind = kind

    def forward(self, x: Tensor) -> Tensor:
        return rectify(x, self.kind)

    def extra_repr(self) -> str:
        return f"{self.kind!r}"
