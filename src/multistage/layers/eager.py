"""What hand-written gradients share: when they may stand in for torch's own, and how they stay in the cache."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from math import ceil
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad


def is_ordinary(x: Tensor) -> bool:
    """Whether `x` is an ordinary tensor in ordinary eager code.

    It is not where torch needs to see each operation: while a graph is captured (``torch.compile``, ``torch.export``),
    inside ``torch.func``, for forward-mode derivatives, and for subclasses of tensors.
    """
    transformed: bool = torch._C._are_functorch_transforms_active()  # there is no public word for it
    captured = torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None  # the latter: torch.jit.trace
    if captured or transformed or type(x) not in (Tensor, nn.Parameter):
        return False
    tangent: Tensor | None = forward_ad.unpack_dual(x).tangent  # type: ignore[no-untyped-call]
    return tangent is None


def kept(output: Tensor) -> Tensor:
    """An output as its own gradient needs it, whatever is done to it in place afterwards (``relu_``, ``y += x``).

    It is the output itself, in the same memory, until somebody writes there: then torch copies it first.
    On CUDA, where kernels of our own would make the copy by reading it, it is the output: torch refuses the gradient
    if that was overwritten.
    """
    if output.device.type == "cpu":
        with suppress(RuntimeError, AttributeError):  # of memory that torch cannot share so; there is no public word
            lazy: Tensor = torch._lazy_clone(output)
            return lazy
    return output


def is_ordinary_on_cpu(x: Tensor) -> bool:
    """The same, and in a type that the CPU's libraries compute in."""
    exact = x.dtype in (torch.float32, torch.float64) and not torch.is_autocast_enabled("cpu")
    return x.device.type == "cpu" and exact and is_ordinary(x)


def undifferentiable(gradient: Callable[..., Any], *arguments: Any) -> Any:
    """``gradient(*arguments)``, which refuses to be differentiated with respect to any of its arguments.

    torch's `once_differentiable` refuses in ``Tensor.backward`` only: ``torch.autograd.grad`` and
    ``torch.autograd.functional.hessian`` take what it wraps to be constant, and answer 0.

    Args:
        gradient: A hand-written gradient.
        arguments: All that it depends on, gradients and saved tensors.

    Raises:
        NotImplementedError: When a second derivative is asked for.
    """
    if not torch.is_grad_enabled():  # which it is where the gradient itself is to be differentiated
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
"""Of input, taken together on the CPU: two Caltech-101 images of 64 maps, 32 of 256 maps after the first stage."""


def fits_the_cache(x: Tensor) -> bool:
    """Whether all of `x` is taken together on the CPU."""
    return x.numel() * x.element_size() <= BLOCK_BYTES


def blocks(x: Tensor, dtype: torch.dtype) -> Iterator[tuple[slice, Tensor]]:
    """Samples to take together, and space for a value of each of their inputs: the same, so that it stays cached."""
    if fits_the_cache(x) or x.device.type != "cpu":
        yield slice(None), torch.empty_like(x, dtype=dtype)
        return
    most = max(1, BLOCK_BYTES // (x[0].numel() * x.element_size()))
    size = ceil(len(x) / ceil(len(x) / most))  # as even as can be
    scratch = torch.empty_like(x[:size], dtype=dtype)
    for start in range(0, len(x), size):
        yield slice(start, start + size), scratch[: len(x) - start]
