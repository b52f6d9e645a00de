"""What holds for every layer: gradients, compilers, types, and samples that do not see each other."""

import copy
import pickle

import pytest
import torch
from layers.cases import drawn
from torch import nn
from torch.utils.checkpoint import checkpoint

from multistage import layers

CONNECTIONS = torch.tensor([[0, 2], [1, 3], [2, 2]])
LAYERS = {
    "filter bank": layers.FilterBank(4, 3, 3, bias=True),
    "filter bank, some connected": layers.FilterBank(4, 3, 3, CONNECTIONS, "none", padding=1),
    "filter bank of one map": nn.Sequential(nn.Conv2d(4, 1, 1), layers.FilterBank(1, 3, 3)),
    "N": layers.LocalContrastNorm(5),
    "N of each map": layers.LocalContrastNorm(5, floor=0.5, border="renormalise", across_maps=False),
    "N of groups, other options": layers.LocalContrastNorm(
        window=(1, 3, 2), groups=2, floor=0.5, floor_mode="add", deviation_of="window", border="torch7"
    ),
    "local mean subtracted": layers.LocalContrastNorm(5, window="box", divide=False, border="reflect"),
    "N of signals": nn.Sequential(nn.Flatten(1, 2), layers.LocalContrastNorm1d(5), nn.Unflatten(1, (4, -1))),
    "N of volumes": nn.Sequential(nn.Unflatten(1, (2, 2)), layers.LocalContrastNorm3d(3), nn.Flatten(1, 2)),
    "divisive norm": layers.DivisiveNorm2d(4, 5),
    "divisive norm, other options": layers.DivisiveNorm2d(
        4, 3, border="reflect", weights="each", window="box", subtract=False, exponent=2.5, learn_exponent=True
    ),
    "RMS norm": layers.ChannelRMSNorm(4),
    "layer norm": layers.ChannelLayerNorm(4),
    "average": layers.AveragePool(4, 2),
    "average, windows apart": layers.AveragePool(3, 4),
    "max": layers.MaxPool(3, 2),
    "L2": layers.L2Pool(4, 2),
    **{kind: layers.Rectify(kind) for kind in ("abs", "relu", "gelu", "leaky_relu", "square")},
}
each_layer = pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)


X = drawn(3, 4, 8, 7).float()


@pytest.fixture(autouse=True)
def _parameters_are_drawn():
    for layer in LAYERS.values():
        for number, parameter in enumerate(layer.parameters()):
            parameter.data = drawn(*parameter.shape, seed=number).float() / 3


def with_gradients(layer, x, of_dy=lambda y: y, call=None):
    """y, and the gradients of x and of all parameters where that of y is `of_dy(y)`."""
    x = x.detach().requires_grad_()
    y = (call or layer)(x)
    return y.detach(), *torch.autograd.grad(y, [x, *layer.parameters()], of_dy(y.detach()))


def assert_same(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


@each_layer
def test_gradients_are_those_of_differences(layer):
    layer = copy.deepcopy(layer).double()
    names, values = zip(("x", drawn(1, 4, 5, 6)), *layer.named_parameters(), strict=True)

    def function(x, *parameters):
        return torch.func.functional_call(layer, dict(zip(names[1:], parameters, strict=True)), x)

    assert torch.autograd.gradcheck(function, [value.detach().requires_grad_() for value in values])


@each_layer
@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_compiles_into_one_graph(backend, layer):
    torch.compiler.reset()
    compiled = torch.compile(layer, fullgraph=True, backend=backend)
    assert_same(with_gradients(compiled, X), with_gradients(layer, X))


@each_layer
def test_exports_for_any_number_of_samples(layer):
    shapes = {"input" if isinstance(layer, nn.Sequential) else "x": {0: torch.export.Dim("n")}}
    exported = torch.export.export(layer, (X,), dynamic_shapes=shapes).module()
    for x in (X, drawn(5, 4, 8, 7).float()):
        assert_same(exported(x), layer(x))


@each_layer
def test_samples_are_independent(layer):
    x = X.clone().requires_grad_()
    y = layer(x)
    (gradient,) = torch.autograd.grad(y[1].square().sum(), x)
    assert not gradient[::2].any()
    alone = X[1:2].clone().requires_grad_()
    (expected,) = torch.autograd.grad(layer(alone).square().sum(), alone)
    assert_same(gradient[1:2], expected)
    assert_same(y[1:2], layer(alone))


@each_layer
def test_the_input_is_left_alone(layer):
    x = X.clone()
    with_gradients(layer, x)
    assert torch.equal(x, X)


@each_layer
def test_what_is_not_a_number_stays_seen_in_its_sample_alone(layer):
    x = X.clone()
    x[1, :, 4, 3] = torch.nan
    with_nan, expected = with_gradients(layer, x)[:2], with_gradients(layer, X)[:2]
    assert with_nan[0][1].isnan().any()
    for values, truth in zip(with_nan, expected, strict=True):
        assert torch.equal(values[::2], truth[::2])


LAYOUTS = {
    "channels last": lambda x: x.contiguous(memory_format=torch.channels_last),
    "transposed": lambda x: x.mT.contiguous().mT,
    "spaced": lambda x: torch.empty(*x.shape[:3], 2 * x.shape[3], dtype=x.dtype)[..., ::2].copy_(x),
    "maps first": lambda x: x.transpose(0, 1).contiguous().transpose(0, 1),
}


@each_layer
@pytest.mark.parametrize("of_x", LAYOUTS)
def test_layouts_do_not_matter(layer, of_x):
    expected = with_gradients(layer, X)
    for of_dy in LAYOUTS.values():
        assert_same(with_gradients(layer, LAYOUTS[of_x](X), of_dy), expected)


@each_layer
def test_gradients_may_be_expanded(layer):
    expanded = with_gradients(layer, X, lambda y: torch.ones(1).expand_as(y))
    assert_same(expanded, with_gradients(layer, X, torch.ones_like))


@each_layer
def test_batches_may_be_empty_and_shapes_are_known_without_values(layer):
    shapes = [values.shape[1:] for values in with_gradients(layer, X)[:2]]
    assert [values.shape for values in with_gradients(layer, X[:0])[:2]] == [(0, *shape) for shape in shapes]
    without = with_gradients(copy.deepcopy(layer).to("meta"), X.to("meta"))
    assert all(values.is_meta for values in without)
    assert [values.shape for values in without[:2]] == [(3, *shape) for shape in shapes]


@each_layer
def test_autograd_may_go_back_in_any_way(layer):
    """Again, from a checkpoint, through an output that is used twice."""
    expected = with_gradients(layer, X)
    for call in (layer, lambda x: checkpoint(layer, x, use_reentrant=False)):
        assert all(torch.equal(a, b) for a, b in zip(with_gradients(layer, X, call=call), expected, strict=True))
    x = X.clone().requires_grad_()
    y = layer(x)
    for _ in range(2):
        assert torch.equal(torch.autograd.grad(y, x, y.detach(), retain_graph=True)[0], expected[1])
    used_twice = torch.autograd.grad(y.sin() * y, x, torch.ones_like(y))[0]
    assert_same(used_twice, with_gradients(layer, X, lambda y: y.cos() * y + y.sin())[1])


@each_layer
def test_what_is_made_for_inference_or_elsewhere_serves_training(layer):
    """Maps of sizes of their own, so that nothing is kept of them yet."""
    for mode, x in ((torch.inference_mode(), drawn(1, 4, 19, 23)), (torch.device("meta"), drawn(1, 4, 23, 19))):
        with mode:
            y = layer(x.float())
        assert torch.equal(with_gradients(layer, x.float())[0], y)


@each_layer
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64], ids=str)
def test_other_types_are_kept(layer, dtype):
    y, *gradients = with_gradients(copy.deepcopy(layer).to(dtype), X.to(dtype))
    assert {values.dtype for values in (y, *gradients)} == {dtype}
    expected, *_ = with_gradients(layer, X)
    torch.testing.assert_close(y.float(), expected, rtol=0.05, atol=0.05)


@each_layer
def test_modules_can_be_copied(layer):
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):  # noqa: S301
        assert repr(other) == repr(layer)
        assert torch.equal(other(X), layer(X))
        assert other.state_dict().keys() == layer.state_dict().keys()


def test_representations_name_the_sizes():
    assert [repr(LAYERS[name]) for name in ("average", "max", "L2", "abs", "layer norm", "N")] == [
        "AveragePool(kernel_size=4, stride=2)",
        "MaxPool(kernel_size=3, stride=2)",
        "L2Pool(kernel_size=4, stride=2)",
        "Rectify('abs')",
        "ChannelLayerNorm(4, eps=1e-05)",
        "LocalContrastNorm(kernel_size=5, floor='mean', border='zero')",
    ]
    some = LAYERS["filter bank, some connected"]
    assert repr(some) == "FilterBank(4, 3, kernel_size=3, fan_in=2, squash='none')"


def test_all_layers_can_be_imported_from_the_package_itself():
    import multistage

    for name in layers.__all__:
        if name[0].isupper():
            assert getattr(multistage, name) is getattr(layers, name)
    used = {type(part) for layer in LAYERS.values() for part in layer.modules()}
    assert {part.__name__ for part in used if part.__module__.startswith("multistage")} == {
        name for name in layers.__all__ if name[0].isupper()
    }


# The field's names, and ours


@pytest.mark.parametrize(
    ("function", "module"),
    [(layers.average_pool, layers.AveragePool), (layers.max_pool, layers.MaxPool), (layers.l2_pool, layers.L2Pool)],
)
def test_windows_are_called_kernel_size_and_stride_or_window_and_step(function, module):
    expected = function(X, 4, 2)
    for sizes in ({"kernel_size": 4, "stride": 2}, {"window": 4, "step": 2}, {"window": 4, "stride": 2}):
        assert torch.equal(function(X, **sizes), expected)
        pool = module(**sizes)
        assert torch.equal(pool(X), expected)
        assert (pool.kernel_size, pool.stride) == (pool.window, pool.step) == (4, 2)
    assert torch.equal(function(X, 3), function(X, 3, 3))
    assert torch.equal(module(3)(X), function(X, 3, 3))
    for call in (module, lambda *args, **sizes: function(X, *args, **sizes)):
        with pytest.raises(TypeError, match=r"^stride and step are the same: give one of the two$"):
            call(4, step=2, stride=2)
        with pytest.raises(TypeError, match=r"multiple values for argument 'kernel_size'"):
            call(4, window=4)
    with pytest.raises(AttributeError):  # rather than set in vain
        pool.window = 3


def test_maps_are_called_channels_or_maps():
    for sizes in ({"in_channels": 4, "out_channels": 3}, {"in_maps": 4, "out_maps": 3}):
        bank = layers.FilterBank(**sizes, kernel_size=5)
        assert (bank.in_channels, bank.out_channels) == (bank.in_maps, bank.out_maps) == (4, 3)
        assert bank.kernels.shape == (3, 4, 5, 5)
    with pytest.raises(TypeError, match="in_channels and in_maps are the same"):
        layers.FilterBank(in_maps=4, in_channels=4, out_maps=3, kernel_size=5)
