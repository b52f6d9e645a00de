"""Time the stages of the Caltech-101 network, part by part, and different ways to compute their convolutions."""

from collections.abc import Callable, Mapping
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from audit.speed.baselines import plain_stage
from audit.speed.layer import without_gradient
from audit.speed.measurement import BOTH, FORWARD, Bench
from multistage.layers import MaxPool
from multistage.layers.convolution import _Fourier, _Unfolding, spread
from multistage.layers.fast.response_norm import LocalResponseNorm
from multistage.settings.tree import parse
from multistage.train.restore import make_network

Convolution = Callable[[Tensor, Tensor], Tensor]
"""From maps and kernels k to maps."""


def measure(bench: Bench) -> None:
    """Time forward plus backward of each stage, ours against the plain form, whole and by parts, then frozen ones."""
    config = bench.plan("data=caltech101").config
    net = make_network(parse(config), 102).to(bench.device)
    n, side = 4 if bench.quick else config["data.batch_size"], config["data.image_size"]
    x = bench.noise(n, 1, side, side)
    with torch.no_grad():
        maps = net.filter_banks[0](x)
    for number, stage in enumerate(net.stages, 1):
        plain = plain_stage(stage).to(bench.device)
        parts: dict[str, nn.Module] = {"whole": stage, **dict(stage.named_children())}
        for name, ours in parts.items():
            learns = number > 1 or name not in ("whole", "filter_bank")  # images need no gradient
            with torch.no_grad():
                y = ours(x)
            forms = {"ours": ours, "plain": plain if name == "whole" else plain.get_submodule(name)}
            calls = {form: partial(_step, module, x, torch.randn_like(y), learns) for form, module in forms.items()}
            _compare(f"stage {number}, {name}", calls, x, bench)
            if name != "whole":
                x = y
    _without_gradient(maps, bench)


def _without_gradient(x: Tensor, bench: Bench) -> None:
    """Time other operations of a frozen first stage on its maps, ours against torch's own."""
    forms: dict[str, tuple[nn.Module, nn.Module]] = {
        "max pooling": (MaxPool(10, 5), nn.MaxPool2d(10, 5)),
        "local response normalisation": (LocalResponseNorm(5), nn.LocalResponseNorm(5)),
    }
    for name, (ours, torchs) in forms.items():
        calls = {"ours": partial(without_gradient, ours, x), "plain": partial(without_gradient, torchs, x)}
        _compare(f"frozen, {name}", calls, x, bench, FORWARD)


def _step(module: nn.Module, x: Tensor, dy: Tensor, learns: bool) -> None:
    """Compute values, then gradients of parameters, and of x if an earlier layer is trained."""
    module.zero_grad()
    y = module(x.detach().requires_grad_(learns))
    if y.requires_grad:
        y.backward(dy)


def _compare(case: str, calls: Mapping[str, Callable[[], object]], x: Tensor, bench: Bench, passes: str = BOTH) -> None:
    shape = list(x.shape)
    bench.compare(f"{case} {shape} {passes}", calls, shape=shape, dtype="float32", passes=passes)


CONVOLUTIONS = {
    "caltech101, first stage": ("caltech101", 0),
    "caltech101, second stage": ("caltech101", 1),
    "mnist, second stage": ("mnist", 1),
}
"""Convolutions to time: data set, and filter bank of its network."""


def measure_convolutions(bench: Bench) -> None:
    """Time forward plus backward of the second stages' sparse convolutions, and of Caltech-101's first one."""
    for case, (data, number) in CONVOLUTIONS.items():
        settings = parse(bench.plan(f"data={data}").config)
        bank = make_network(settings, 102).to(bench.device).filter_banks[number]
        x, kernels = bench.noise(8 if bench.quick else 32, *settings.shapes[number].input), bank.kernels.detach()
        forms = _direct(bench) if bank.connections is None else _sparse(bank.connections)
        with torch.no_grad():
            expected = next(iter(forms.values()))(x, kernels)
            for name, form in forms.items():
                torch.testing.assert_close(form(x, kernels), expected, rtol=1e-3, atol=1e-3, msg=name)
        dy, learns = torch.randn_like(expected), number > 0
        calls = {name: partial(_convolve, form, x, kernels, dy, learns) for name, form in forms.items()}
        _compare(case, calls, x, bench)


def _convolve(form: Convolution, x: Tensor, kernels: Tensor, dy: Tensor, learns: bool) -> None:
    x, kernels = x.detach().requires_grad_(learns), kernels.detach().requires_grad_()
    torch.autograd.grad(form(x, kernels), [kernels, x] if learns else [kernels], dy)


def _direct(bench: Bench) -> dict[str, Convolution]:
    forms: dict[str, Convolution] = {"torch": lambda x, k: F.conv2d(x, k.flip(-2, -1))}
    if not bench.on_cuda:
        forms["unfolded"] = lambda x, k: _Unfolding.apply(x, k.flip(-2, -1), None)
    return forms


def _sparse(table: Tensor) -> dict[str, Convolution]:
    """Return ways to convolve each map with the input maps in its row of a connection table."""
    return {
        "masked dense": lambda x, k: F.conv2d(x, spread(k.flip(-2, -1), table, x.shape[1])),
        "gathered and grouped": lambda x, k: F.conv2d(x[:, table.flatten()], k.flip(-2, -1), groups=len(k)),
        "Fourier": lambda x, k: _Fourier.apply(x, k, table),
    }
