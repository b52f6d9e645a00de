"""Common parts of hand-written gradients: when they can replace torch's own, and blocks that fit the cache."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from math import ceil
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad


def is_ordinary(x: Tensor) -> bool:
    """Whether `x` is an ordinary tensor in ordinary eager code.

    It is not if torch must see each operation: while a graph is captured (``torch.compile``, ``torch.export``), inside
    ``torch.func``, for forward-mode derivatives, and for tensor subclasses.
    """
    transformed: bool = torch._C._are_functorch_transforms_active()  # torch has no public API for this
    captured = torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None  # the latter: torch.jit.trace
    if captured or transformed or type(x) not in (Tensor, nn.Parameter):
        return False
    tangent: Tensor | None = forward_ad.unpack_dual(x).tangent  # type: ignore[no-untyped-call]
    return tangent is None


def kept(output: Tensor) -> Tensor:
    """Return an output for its own gradient, safe from later in-place changes (``relu_``, ``y += x``).

    It shares the output's memory until somebody writes there; then torch copies it first. On CUDA, where our kernels
    would trigger that copy by reading, it is the output itself, and torch refuses the gradient if it was overwritten.
    """
    if output.device.type == "cpu":
        with suppress(RuntimeError, AttributeError):  # memory that torch cannot share like this; there is no public API
            lazy: Tensor = torch._lazy_clone(output)
            return lazy
    return output


def is_ordinary_on_cpu(x: Tensor) -> bool:
    """`is_ordinary`, and on the CPU in a type that its libraries compute in."""
    exact = x.dtype in (torch.float32, torch.float64) and not torch.is_autocast_enabled("cpu")
    return x.device.type == "cpu" and exact and is_ordinary(x)


def is_constant_on_cpu(x: Tensor) -> bool:
    """`is_ordinary_on_cpu`, and no gradient goes to `x`, so that nothing has to be kept for one."""
    return is_ordinary_on_cpu(x) and not (x.requires_grad and torch.is_grad_enabled())


def undifferentiable(gradient: Callable[..., Any], *arguments: Any) -> Any:
    """Compute ``gradient(*arguments)``; differentiating it again is an error.

    torch's `once_differentiable` refuses only in ``Tensor.backward``: ``torch.autograd.grad`` and
    ``torch.autograd.functional.hessian`` treat its result as a constant and return 0.

    Args:
        gradient: A hand-written gradient.
        arguments: Everything it depends on: gradients and saved tensors.

    Raises:
        NotImplementedError: A second derivative is requested.
    """
    if not torch.is_grad_enabled():  # true if the gradient itself is to be differentiated
        return gradient(*arguments)
    return _Undifferentiable.apply(gradient, *arguments)


class _Undifferentiable(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gradient: Callable[..., Any], *arguments: Any) -> Any:
        return gradient(*arguments)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> None:
        raise NotImplementedError(
            "a gradient written by hand cannot be differentiated again: take second derivatives with torch.func, "
            "which sees torch's own operations"
        )


BLOCK_BYTES = 12 * 2**20
"""Size of a block on the CPU: two Caltech-101 images of 64 maps, 32 of 256 maps after the first stage."""


def fits_the_cache(x: Tensor) -> bool:
    """Whether all of `x` fits one block on the CPU."""
    return x.numel() * x.element_size() <= BLOCK_BYTES


def blocks(x: Tensor, dtype: torch.dtype) -> Iterator[tuple[slice, Tensor]]:
    """Yield blocks of samples, each with the same buffer of the block's size, so that it stays in the cache."""
    if fits_the_cache(x) or x.device.type != "cpu":
        yield slice(None), torch.empty_like(x, dtype=dtype)
        return
    most = max(1, BLOCK_BYTES // (x[0].numel() * x.element_size()))
    size = ceil(len(x) / ceil(len(x) / most))  # as even as can be
    scratch = torch.empty_like(x[:size], dtype=dtype)
    for start in range(0, len(x), size):
        yield slice(start, start + size), scratch[: len(x) - start]
