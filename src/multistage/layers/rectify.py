"""R_abs: the rectification layer (section 2 of the paper)."""

from typing import Literal

import torch
from torch import Tensor, nn

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
        return x.abs()
    if kind == "relu":
        return torch.relu(x)
    raise ValueError(f"kind must be 'abs' or 'relu', not {kind!r}")


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
