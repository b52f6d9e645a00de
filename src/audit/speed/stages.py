"""The stages of the Caltech-101 network, part by part, and the ways to do their convolutions."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from audit.speed.baselines import plain_stage
from audit.speed.measurement import BOTH, Measurement, Settings, shape_name
from audit.speed.timing import side_by_side
from multistage.layers.convolution import _Fourier, _Unfolding, spread
from multistage.settings.tree import parse
from multistage.train.restore import make_network

Convolution = Callable[[Tensor, Tensor], Tensor]
"""From maps and kernels k to maps."""

Case = tuple[str, dict[str, Convolution], Tensor, Tensor, bool]
"""What is convolved: its name, ways to do it, maps, kernels, and whether maps need a gradient."""


def measure(settings: Settings) -> Measurement:
    """Forward and backward of each stage, ours against the plain form, whole and part by part."""
    measured = Measurement()
    config = settings.plan("data=caltech101").config
    net = make_network(parse(config), 102).to(settings.device)
    n, side = 4 if settings.quick else config["data.batch_size"], config["data.image_size"]
    x = settings.noise(n, 1, side, side)
    for number, stage in enumerate(net.stages, 1):
        plain = plain_stage(stage).to(settings.device)
        parts: dict[str, tuple[nn.Module, nn.Module]] = {"whole": (stage, plain)}
        parts |= {name: (part, plain.get_submodule(name)) for name, part in stage.named_children()}
        for name, forms in parts.items():
            learns = number > 1 or name not in ("whole", "filter_bank")  # images need no gradient
            with torch.no_grad():
                y = forms[0](x)
            dy = torch.randn_like(y)
            calls = {
                form: partial(_step, module, x, dy, learns)
                for form, module in zip(("ours", "plain"), forms, strict=True)
            }
            _compare(f"stage {number}, {name}", calls, x, settings, measured)
            if name != "whole":
                x = y
    return measured


def _step(module: nn.Module, x: Tensor, dy: Tensor, learns: bool) -> None:
    """Values, then gradients of parameters, and of x if something before it learns."""
    module.zero_grad()
    y = module(x.detach().requires_grad_(learns))
    if y.requires_grad:
        y.backward(dy)


def _compare(
    case: str, calls: Mapping[str, Callable[[], object]], x: Tensor, settings: Settings, measured: Measurement
) -> None:
    timings = side_by_side(calls, 3 if settings.quick else 15, seconds=5 if settings.quick else 60)
    measured.times(f"{case} {shape_name(x.shape)} {BOTH}", timings, shape=list(x.shape), dtype="float32", passes=BOTH)


def measure_convolutions(settings: Settings) -> Measurement:
    """Forward and backward of the second stages' sparse convolutions, and of the first one of Caltech-101."""
    measured = Measurement()
    for case, forms, x, kernels, learns in _convolutions(settings):
        with torch.no_grad():
            expected = next(iter(forms.values()))(x, kernels)
            for name, form in forms.items():
                torch.testing.assert_close(form(x, kernels), expected, rtol=1e-3, atol=1e-3, msg=name)
        dy = torch.randn_like(expected)
        calls = {name: partial(_convolve, form, x, kernels, dy, learns) for name, form in forms.items()}
        _compare(case, calls, x, settings, measured)
    return measured


def _convolutions(settings: Settings) -> Iterator[Case]:
    for data in ("caltech101", "mnist"):
        config = settings.plan(f"data={data}").config
        first, second = make_network(parse(config), 102).to(settings.device).filter_banks
        n, side = 8 if settings.quick else 32, config["data.image_size"]
        if data == "caltech101":
            x = settings.noise(n, 1, side, side)
            yield f"{data}, first stage", _direct(settings), x, first.kernels.detach(), False
        x = settings.noise(n, *parse(config).shapes[1].input)
        assert second.connections is not None
        yield f"{data}, second stage", _sparse(second.connections), x, second.kernels.detach(), True


def _convolve(form: Convolution, x: Tensor, kernels: Tensor, dy: Tensor, learns: bool) -> None:
    x, kernels = x.detach().requires_grad_(learns), kernels.detach().requires_grad_()
    torch.autograd.grad(form(x, kernels), [kernels, x] if learns else [kernels], dy)


def _direct(settings: Settings) -> dict[str, Convolution]:
    forms: dict[str, Convolution] = {"torch": lambda x, k: F.conv2d(x, k.flip(-2, -1))}
    if settings.device.type == "cpu":
        forms["unfolded"] = lambda x, k: _Unfolding.apply(x, k.flip(-2, -1), None)
    return forms


def _sparse(table: Tensor) -> dict[str, Convolution]:
    """Ways to convolve where each map sees the maps of its row of a connection table."""
    return {
        "masked dense": lambda x, k: F.conv2d(x, spread(k.flip(-2, -1), table, x.shape[1])),
        "gathered and grouped": lambda x, k: F.conv2d(x[:, table.flatten()], k.flip(-2, -1), groups=len(k)),
        "Fourier": lambda x, k: _Fourier.apply(x, k, table),
    }
