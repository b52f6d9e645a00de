"""The stages of the Caltech-101 network, part by part, and the ways to do their convolutions."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from audit.speed.baselines import plain_stage
from audit.speed.measurement import BOTH, Measurement, Settings, shape_name
from audit.speed.timing import side_by_side
from multistage.layers.convolution import _Fourier, _Unfolding, spread
from multistage.network.net import MultiStageNet
from multistage.settings import composition
from multistage.settings.tree import Config, parse
from multistage.train.restore import make_network


def measure(settings: Settings) -> Measurement:
    """Forward and backward of each stage, ours against the plain form, whole and part by part."""
    measured = Measurement()
    net, x = _network_and_images(settings)
    for number, stage in enumerate(net.stages, 1):
        plain = plain_stage(stage).to(settings.device)
        learns = number > 1  # images need no gradient
        case = f"stage {number}, whole"
        _compare(case, {"ours": stage, "plain": plain}, x, learns, settings, measured)
        for name, part in stage.named_children():
            forms = {"ours": part, "plain": plain.get_submodule(name)}
            learns = number > 1 or name != "filter_bank"
            _compare(f"stage {number}, {name}", forms, x, learns, settings, measured)
            with torch.no_grad():
                x = part(x)
    return measured


def _network_and_images(settings: Settings) -> tuple[MultiStageNet, Tensor]:
    config = composition.plan(["data=caltech101"]).config
    net = make_network(parse(config), 102).to(settings.device)
    n, side = 4 if settings.quick else config["data.batch_size"], config["data.image_size"]
    x = torch.randn(n, 1, side, side, generator=torch.Generator().manual_seed(0))
    return net, x.to(settings.device)


def _compare(
    case: str, forms: dict[str, nn.Module], x: Tensor, learns: bool, settings: Settings, measured: Measurement
) -> None:
    with torch.no_grad():
        dy = torch.randn_like(forms["ours"](x))
    calls: dict[str, Callable[[], object]] = {name: partial(_step, form, x, dy, learns) for name, form in forms.items()}
    timings = side_by_side(calls, 3 if settings.quick else 15, seconds=3 if settings.quick else 60)
    measured.times(f"{case} {shape_name(x.shape)} {BOTH}", timings, shape=list(x.shape), dtype="float32", passes=BOTH)


def _step(module: nn.Module, x: Tensor, dy: Tensor, learns: bool) -> None:
    """Values, then gradients of parameters, and of x if something before it learns."""
    module.zero_grad()
    y = module(x.detach().requires_grad_(learns))
    if y.requires_grad:
        y.backward(dy)


def measure_convolutions(settings: Settings) -> Measurement:
    """Forward and backward of the second stages' sparse convolutions, and of the first one of Caltech-101."""
    measured = Measurement()
    for data, n in (("caltech101", 32), ("mnist", 32)):
        config = composition.plan([f"data={data}"]).config
        banks = make_network(parse(config), 102).filter_banks
        n = 8 if settings.quick else n
        side = config["data.image_size"]
        x = torch.randn(n, 1, side, side, generator=torch.Generator().manual_seed(0)).to(settings.device)
        if data == "caltech101":
            weight = banks[0].kernels.detach().to(settings.device)
            forms: dict[str, Convolution] = {"torch": _direct, "unfolded": _unfolded}
            if settings.device.type != "cpu":
                forms.pop("unfolded")
            _compare_convolutions(f"{data}, first stage", forms, x, weight, None, False, settings, measured)
        shape = _second_input(config)
        x = torch.randn(n, *shape, generator=torch.Generator().manual_seed(0)).to(settings.device)
        kernels, table = banks[1].kernels.detach().to(settings.device), banks[1].connections
        assert table is not None
        forms = {"masked dense": _dense, "gathered and grouped": _grouped, "Fourier": _fourier}
        table = table.to(settings.device)
        _compare_convolutions(f"{data}, second stage", forms, x, kernels, table, True, settings, measured)
    return measured


Convolution = Callable[[Tensor, Tensor, Tensor | None], Tensor]


def _second_input(config: Config) -> tuple[int, int, int]:
    config["data.image_size"]
    return parse(config).shapes[1].input


def _compare_convolutions(
    case: str,
    forms: dict[str, Convolution],
    x: Tensor,
    kernels: Tensor,
    connections: Tensor | None,
    learns: bool,
    settings: Settings,
    measured: Measurement,
) -> None:
    with torch.no_grad():
        expected = next(iter(forms.values()))(x, kernels, connections)
    dy = torch.randn_like(expected)

    def step(form: Convolution) -> None:
        inputs = [kernels.detach().requires_grad_(), *([x.detach().requires_grad_()] if learns else [])]
        y = form(inputs[1] if learns else x, inputs[0], connections)
        torch.autograd.grad(y, inputs, dy)

    for name, form in forms.items():
        with torch.no_grad():
            torch.testing.assert_close(form(x, kernels, connections), expected, rtol=1e-3, atol=1e-3, msg=name)
    calls: dict[str, Callable[[], object]] = {name: partial(step, form) for name, form in forms.items()}
    timings = side_by_side(calls, 3 if settings.quick else 15, seconds=5 if settings.quick else 60)
    name = f"{case} {shape_name(x.shape)} {BOTH}"
    measured.times(name, timings, shape=list(x.shape), dtype="float32", passes=BOTH)


def _direct(x: Tensor, kernels: Tensor, connections: Tensor | None) -> Tensor:
    return F.conv2d(x, kernels.flip(-2, -1))


def _unfolded(x: Tensor, kernels: Tensor, connections: Tensor | None) -> Tensor:
    y: Tensor = _Unfolding.apply(x, kernels.flip(-2, -1), None)
    return y


def _dense(x: Tensor, kernels: Tensor, connections: Tensor | None) -> Tensor:
    assert connections is not None
    return F.conv2d(x, spread(kernels.flip(-2, -1), connections, x.shape[1]))


def _grouped(x: Tensor, kernels: Tensor, connections: Tensor | None) -> Tensor:
    assert connections is not None
    return F.conv2d(x[:, connections.flatten()], kernels.flip(-2, -1), groups=len(kernels))


def _fourier(x: Tensor, kernels: Tensor, connections: Tensor | None) -> Tensor:
    y: Tensor = _Fourier.apply(x, kernels, connections)
    return y
