"""Layers, inputs, and what values and gradients should be: by loops, and by torch's gradients of plain forms."""

import functools

import numpy as np
import torch
import torch.nn.functional as F
from layers import reference

from multistage import layers
from multistage.layers import contrast_norm_definition as plain
from multistage.layers.convolution import spread, suits_fourier


def drawn(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).to(dtype)


X = drawn(2, 3, 10, 9) * torch.tensor([1.0, 4]).view(2, 1, 1, 1)
ROUNDING = torch.cat([1e15 + X[:1] / 4, -1e15 - X[:1] / 4, 1e17 + 8 * X[:1]])  # flat but for it


def with_gradients(function, *inputs):
    """y, and the gradients of all inputs where that of y is drawn."""
    inputs = [x.detach().clone().requires_grad_() for x in inputs]  # a mutant may overwrite them
    y = function(*inputs)
    dy = torch.randn(y.shape, dtype=y.dtype, generator=torch.Generator().manual_seed(1))
    return y.detach(), *torch.autograd.grad(y, inputs, dy)


def late(module, name, *arguments, **options):
    """The function, looked up when it is called."""
    return lambda *inputs: getattr(module, name)(*inputs, *arguments, **options)


def table(out_maps, in_maps, fan_in):
    order = torch.Generator().manual_seed(5)
    return torch.stack([torch.randperm(in_maps, generator=order)[:fan_in] for _ in range(out_maps)])


FILTER_BANKS = {  # n, input maps, height, width, output maps, kernel, fan-in, padding
    "one input map": (3, 1, 12, 10, 4, 5, None, 0),
    "one input map, padded": (2, 1, 7, 9, 3, 3, None, 2),
    "three input maps": (2, 3, 9, 8, 4, 3, None, 0),
    "three input maps, padded": (2, 3, 9, 8, 4, 3, None, 1),
    "three input maps, two connected": (2, 3, 9, 8, 4, 3, 2, 0),
    "Fourier": (8, 16, 12, 11, 16, 7, 5, 0),
    "Fourier, padded": (9, 16, 9, 8, 17, 9, 3, 2),
    "Fourier, all connected": (8, 16, 9, 10, 16, 7, None, 1),
    "Fourier, a connection twice": (8, 16, 9, 9, 16, 7, "twice", 0),
}


def filter_bank(name):
    n, in_maps, height, width, out_maps, k, fan_in, padding = FILTER_BANKS[name]
    connections = None if fan_in is None else table(out_maps, in_maps, 2 if fan_in == "twice" else fan_in)
    if fan_in == "twice":
        connections[:, 1] = connections[:, 0]
    x, kernels = drawn(n, in_maps, height, width), drawn(out_maps, in_maps, k, k, seed=1)
    kernels = kernels if connections is None else kernels[:, : connections.shape[1]]
    assert suits_fourier(x, kernels, padding) == name.startswith("Fourier")
    return x, kernels, drawn(out_maps, seed=2), drawn(out_maps, seed=3), connections, padding


def plainly_filtered(x, kernels, gain, bias, connections, padding, squash):
    weight = kernels.flip(-2, -1)
    weight = weight if connections is None else spread(weight, connections, x.shape[1])
    y = F.conv2d(x, weight, bias, padding=padding)
    y = torch.tanh(y) if squash == "tanh" else y
    return y if gain is None else gain[:, None, None] * y


# Of each family of layers its cases: a function, its inputs, and what `with_gradients` should give, None for anything


SMALL = [(4, 4, 13), (2, 1, 5), (1, 2, 2), (3, 1, 1)]
"""Maps smaller than the window; of one pixel, sigma is its own mean, so that both divide."""


def by_loops(x, **options):
    return torch.from_numpy(reference.local_contrast_norm(x.numpy(), **options))


def contrast_norms():
    loudness = torch.tensor([1.0, 10]).view(2, 1, 1, 1)
    maps = [X, torch.zeros_like(X), *(drawn(2, *size) * loudness for size in SMALL)]
    for border in plain.BORDERS:
        c = float(reference.centred_and_deviation(X[0].numpy(), border=border)[1].mean())
        choices = [{"floor": floor} for floor in ("mean", c, 0.0)]
        choices += [{"kernel_size": size, "sigma": sigma} for size, sigma in ((1, None), (5, 0.8), (15, None))]
        for options in choices:
            options["border"] = border
            inputs = [(x, by_loops(x, **options)) for x in maps]
            inputs.append((X.contiguous(memory_format=torch.channels_last), inputs[0][1]))
            for floor_gradient in (True, False) if "floor" in options else (True,):
                definition = functools.partial(plain.definition, **options, floor_gradient=floor_gradient)
                for x, y in inputs if border == "zero" else [*inputs, (ROUNDING, None)]:
                    expected = (y, with_gradients(definition, x)[1])
                    yield late(plain, "definition", **definition.keywords), [x], expected
                    yield late(layers, "local_contrast_norm", **definition.keywords), [x], expected
            _, gradient = with_gradients(lambda x, f=definition: f(x.reshape(-1, 1, *x.shape[2:])).view_as(x), X)
            each = by_loops(X.flatten(0, 1)[:, None], **options).view_as(X), gradient
            yield late(layers, "local_contrast_norm", **definition.keywords, across_maps=False), [X], each


def filter_banks():
    for name in FILTER_BANKS:
        *inputs, connections, padding = filter_bank(name)
        for squash in ("tanh", "none"):
            rest = {"connections": connections, "padding": padding, "squash": squash}
            plainly = functools.partial(plainly_filtered, **rest)
            yield late(layers, "filter_bank", **rest), inputs, with_gradients(plainly, *inputs)
            expected = with_gradients(functools.partial(plainly, gain=None, bias=None), *inputs[:2])
            yield late(layers, "filter_bank", **rest), inputs[:2], expected


def pools():
    for sizes in [(2, 2), (3, 2), (4, 1), (2, 3), (1, 1), (4, 2), (6, 4), (5, 7), (9, 3)]:
        for name, power, of_window in (("average_pool", 1, np.mean), ("l2_pool", 2, reference.root_mean_square)):
            y = torch.from_numpy(reference.pool(X.numpy(), *sizes, of_window))
            plainly = with_gradients(lambda x, s=sizes, p=power: F.avg_pool2d(x**p, *s) ** (1 / p), X)
            yield late(layers, name, *sizes), [X], (y, plainly[1])
            yield torch.func.vmap(late(layers, name, *sizes)), [X[None]], (y[None], None)
    yield late(layers, "average_pool", 2), [X], with_gradients(lambda x: F.avg_pool2d(x, 2), X)
    yield late(layers, "l2_pool", 2), [torch.zeros_like(X)], [torch.zeros(2, 3, 5, 4), torch.zeros_like(X)]


def others():
    gain, bias = torch.tensor([[0.5, 2, -1], [0.1, -0.2, 0.3]], dtype=torch.float64)
    y = torch.from_numpy(reference.channel_norm(X.numpy(), gain.numpy(), bias.numpy(), 0.1, True))
    yield late(layers, "layer_norm", eps=0.1), [X, gain, bias], (y, None, None, None)
    expected = with_gradients(functools.partial(layers.layer_norm, gain=torch.ones_like(gain)), X)
    yield late(layers, "layer_norm"), [X], expected
    y = torch.from_numpy(reference.channel_norm(X.numpy(), gain.numpy(), 0, 0.1, False))
    yield late(layers, "rms_norm", eps=0.1), [X, gain], (y, None, None)
    yield late(layers, "rectify"), [X], with_gradients(torch.abs, X)
