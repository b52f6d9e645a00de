"""Contrast normalisation in other people's networks: in place, traced, exported, differentiated."""

import importlib.util
import inspect
import io
import warnings

import pytest
import torch
from layers.cases import drawn
from torch import fx, nn
from torch.autograd import forward_ad

import multistage
from multistage import layers
from multistage.layers import DivisiveNorm2d, LocalContrastNorm, local_contrast_norm
from multistage.layers.eager import kept

NORMS = {
    "the paper's": LocalContrastNorm(5),
    "box": LocalContrastNorm(5, window="box", across_maps=False),
    "Torch7's": LocalContrastNorm.torch7(),
    "MSCN": LocalContrastNorm.mscn(),
    "mean only": LocalContrastNorm(5, divide=False),
    "deviation only": LocalContrastNorm(5, subtract=False),
    "divisive": DivisiveNorm2d(3, 5, learn_exponent=True),
}
each_norm = pytest.mark.parametrize("norm", NORMS.values(), ids=NORMS)
X = drawn(2, 3, 12, 11)


# In place


def gradient(function, x):
    x = x.clone().requires_grad_()
    y = function(x)
    return torch.autograd.grad(y, x, drawn(*y.shape, seed=1))[0]


IN_PLACE = {
    "ReLU": lambda y: torch.relu_(y),
    "sum": lambda y: y.add_(X),
    "zeros": lambda y: y.mul_(0).add_(X),
    "view": lambda y: y.flatten(1).mul_(3).view_as(y),
}


@each_norm
@pytest.mark.parametrize("change", IN_PLACE.values(), ids=IN_PLACE)
def test_outputs_may_be_overwritten(change, norm):
    y = norm(X.clone().requires_grad_())
    torch.testing.assert_close(
        gradient(lambda x: change(norm(x)), X), gradient(lambda x: change(norm(x).clone()), X), rtol=0, atol=0
    )
    assert torch.equal(y.detach(), norm(X))


def test_memory_grows_only_when_an_output_is_overwritten():
    """The output and what is kept for the gradient lie in the same memory until somebody writes there."""
    y = drawn(40, 50)
    other = kept(y)
    assert torch._C._data_address(y) == torch._C._data_address(other)
    expected = y.sin() + (y @ y.T).sum() + y.abs()  # only read
    assert torch._C._data_address(y) == torch._C._data_address(other)
    y.zero_()
    assert torch._C._data_address(y) != torch._C._data_address(other)
    assert torch.equal(other.sin() + (other @ other.T).sum() + other.abs(), expected)


def test_a_resnet_trains_with_it():
    resnet = pytest.importorskip("torchvision").models.resnet18
    torch.manual_seed(0)
    net = resnet(norm_layer=lambda channels: LocalContrastNorm(9), num_classes=3)
    images, labels = torch.randn(6, 3, 64, 64), torch.arange(6) % 3
    optimiser = torch.optim.SGD(net.parameters(), lr=0.001, momentum=0.9)
    losses = []
    for _ in range(5):
        loss = nn.functional.cross_entropy(net(images), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]


# Tracing and export


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.filters, self.norm, self.pool = nn.Conv2d(3, 4, 3), LocalContrastNorm(5, groups=2), nn.AvgPool2d(2)

    def forward(self, x):
        return self.pool(torch.relu(self.norm(self.filters(x))))


def test_it_is_a_leaf_of_traced_graphs():
    net, x = Net(), X.float()
    traced = fx.symbolic_trace(net)
    assert local_contrast_norm in {node.target for node in traced.graph.nodes}
    torch.testing.assert_close(traced(x), net(x))


def test_torchvision_extracts_its_features():
    extraction = pytest.importorskip("torchvision.models.feature_extraction")
    net, x = Net().eval(), X.float()
    features = extraction.create_feature_extractor(net, {"norm.local_contrast_norm": "normalised"})(x)
    torch.testing.assert_close(features["normalised"], net.norm(net.filters(x)))


@each_norm
@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("onnx", "onnxscript", "onnxruntime")),
    reason="no ONNX exporter or runtime here",
)
def test_onnx_computes_the_same(norm):
    import onnxruntime

    x, file = X.float(), io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(norm, (x,), file, dynamo=True, dynamic_shapes=({0: torch.export.Dim("n")},))
    session = onnxruntime.InferenceSession(file.getvalue())
    for images in (x, torch.cat([x, 2 * x])):
        (y,) = session.run(None, {session.get_inputs()[0].name: images.numpy()})
        torch.testing.assert_close(torch.from_numpy(y), norm(images), rtol=1e-4, atol=1e-4)


# Derivatives


@each_norm
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")  # torch's own: its first jvp uses it
def test_forward_mode_derivatives(norm):
    x, tangent = X[:1, :, :5, :4], drawn(1, 3, 5, 4, seed=1)
    with forward_ad.dual_level():
        y, along = forward_ad.unpack_dual(norm(forward_ad.make_dual(x, tangent)))
    nearby = (norm(x + 1e-6 * tangent) - norm(x - 1e-6 * tangent)) / 2e-6
    torch.testing.assert_close(y, norm(x), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(along, nearby, rtol=1e-6, atol=1e-6)


@each_norm
def test_second_derivatives_are_right_or_refused_also_of_what_is_linear_in_the_output(norm):
    x = X[:1, :, :5, :4].clone().requires_grad_()
    (dx,) = torch.autograd.grad(norm(x).sum(), x, create_graph=True)
    if norm is not NORMS["Torch7's"] and norm is not NORMS["divisive"]:  # whose gradients are torch's own
        with pytest.raises(NotImplementedError, match="cannot be differentiated again"):
            torch.autograd.grad(dx.square().sum(), x)
        with pytest.raises(NotImplementedError, match="cannot be differentiated again"):
            torch.autograd.functional.hessian(lambda x: norm(x).sum(), x.detach())
    else:
        assert torch.autograd.gradgradcheck(lambda x: norm(x).pow(3), x)


# Names


def test_only_public_names_are_shown():
    assert dir(layers) == sorted(layers.__all__)
    assert dir(multistage) == sorted([*multistage.__all__, "__version__"])
    own = {name for name in dir(LocalContrastNorm(5)) if not name.startswith("_")} - set(dir(nn.Module()))
    methods = {"jarrett", "mscn", "active_stereo", "torch7", "options", "is_usual"}
    assert own == methods | set(inspect.signature(LocalContrastNorm).parameters)
