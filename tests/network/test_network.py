from dataclasses import dataclass

import pytest
import torch
from torch import nn

from multistage import MultiStageNet
from multistage.layers import average_pool, filter_bank, local_contrast_norm
from multistage.network.net import classifier, connection_table
from multistage.network.randomness import generator
from multistage.network.shapes import ShapeError, StageGeometry
from multistage.operations import Filtering, Normalisation, Operations, Rectification, normalisations
from multistage.settings import composition
from multistage.settings.tree import parse

IMAGE = (2, 18, 16)
STAGES = [StageGeometry(6, 3, 4, 2), StageGeometry(8, 3, 2, 1, fan_in=3)]  # 16x14 -> 7x6 -> 5x4 -> 4x3
FEATURES = [6 * 7 * 6, 8 * 4 * 3]


def network(stages=2, operations=None, **options):
    return MultiStageNet(IMAGE, 5, STAGES[:stages], operations, **options)


def images(n=3, seed=0):
    return torch.randn(n, *IMAGE, generator=torch.Generator().manual_seed(seed))


@dataclass(frozen=True)
class Slopes(Rectification):
    """Has parameters."""

    def build(self, channels):
        return nn.PReLU(channels)


@dataclass(frozen=True)
class Mixing(Normalisation):
    """Has initial values of torch's own."""

    section = "mixing"

    def build(self, channels):
        return nn.Conv2d(channels, channels, 1)


def test_operations_with_random_initial_values_depend_on_the_seed_alone():
    def built(seed, global_seed):
        torch.manual_seed(global_seed)
        net = network(1, Operations(normalise=Mixing()), seed=seed)
        return net.state_dict()["stages.0.mixing.weight"], torch.initial_seed()

    (first, _), (again, untouched), (other, _) = built(3, 0), built(3, 1), built(4, 0)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert untouched == 1


def test_a_rectification_may_have_parameters_for_each_map():
    net = network(2, Operations(rectify=Slopes()))
    nn.functional.cross_entropy(net(images()), torch.tensor([0, 1, 2])).backward()
    for stage, sizes in zip(net.stages, STAGES, strict=True):
        assert stage.rectify.weight.shape == (sizes.maps,)
        assert stage.rectify.weight.grad.all()


@pytest.mark.parametrize("hidden", [0, 7])
@pytest.mark.parametrize("stages", [1, 2])
def test_every_parameter_takes_part(stages, hidden):
    operations = Operations(normalise="lcn_batchnorm", filter_bank=Filtering(bias=True))
    net = network(stages, operations, hidden=hidden)
    scores = net(images())
    assert scores.shape == (3, 5)
    assert net.num_features == FEATURES[stages - 1]
    assert net.features(images()).shape == (3, net.num_features)
    nn.functional.cross_entropy(scores, torch.tensor([0, 1, 2])).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_features_are_the_stages_in_order_by_map_row_and_column():
    net, x = network(operations=Operations(normalise=normalisations["lcn"](kernel_size=5, border="reflect"))), images()
    for bank, sizes in zip(net.filter_banks, STAGES, strict=True):
        x = filter_bank(x, bank.kernels, bank.gain, None, bank.connections).abs()
        x = average_pool(local_contrast_norm(x, 5, border="reflect"), sizes.window, sizes.step)
    assert torch.equal(net.features(images()).view(3, 8, 4, 3), x)
    assert torch.equal(net(images()), net.classifier(x.flatten(1)))


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        ("none none average", ["filter_bank", "pool"]),
        ("abs lcn average", ["filter_bank", "rectify", "contrast_norm", "pool"]),
        ("relu batchnorm max", ["filter_bank", "rectify", "batch_norm", "pool"]),
        ("none lcn_batchnorm max", ["filter_bank", "contrast_norm", "batch_norm", "pool"]),
    ],
)
def test_stages_have_the_parts_that_operations_name(names, parts):
    """Which name the weights of a file."""
    rectify, _, pool = names.split()
    for stage in network(operations=Operations(*names.split())).stages:
        assert [name for name, _ in stage.named_children()] == parts
        assert type(stage.pool).__name__ == {"average": "AveragePool", "max": "MaxPool"}[pool]
        assert "rectify" not in parts or stage.rectify.kind == rectify


def test_options_reach_the_layers():
    bank = Filtering(squash="none", gain=False, bias=True)
    operations = Operations(normalise=normalisations["lcn"](border="replicate"), filter_bank=bank)
    for stage in network(operations=operations).stages:
        assert (stage.filter_bank.squash, stage.filter_bank.gain) == ("none", None)
        assert stage.filter_bank.bias is not None
        assert stage.contrast_norm.border == "replicate"


def test_a_configuration_makes_the_network_it_describes():
    config = {
        **composition.plan([]).config,
        "model.rectify": "relu",
        "model.normalise": "lcn",
        "model.pool": "max_overlap",
        "hidden": 7,
        "seed": 3,
        "data.image_size": 16,
        "data.maps": 2,
        "filter_bank.squash": "none",
        "filter_bank.padding": 1,
        "contrast_norm.kernel_size": 5,
    }
    for number, s in enumerate(STAGES, 1):
        sizes = {"maps": s.maps, "kernel": s.kernel, "window": s.window, "step": s.step, "fan_in": s.fan_in}
        config |= {f"geometry.stage{number}.{key}": value for key, value in sizes.items()}
        config[f"geometry.stage{number}.filter_range"] = 0.3
    padded = [StageGeometry(6, 3, 4, 2, None, 1, 0.3), StageGeometry(8, 3, 2, 1, 3, 1, 0.3)]
    operations = Operations("relu", normalisations["lcn"](kernel_size=5), "max", Filtering("none"))
    expected = MultiStageNet((2, 16, 16), 5, padded, operations, hidden=7, seed=3)
    from multistage.train.restore import make_network  # needs more than torch: see .ci/wheel

    net = make_network(parse(config), 5)
    assert str(net) == str(expected)
    x = images()[..., :16, :]
    assert torch.equal(net(x), expected(x))


def test_impossible_sizes_are_refused_by_key():
    with pytest.raises(ShapeError, match=r"kernel=9 of stage 2"):
        MultiStageNet(IMAGE, 5, [STAGES[0], StageGeometry(8, 9, 2, 1)])


# Randomness


def test_the_seed_decides_all_that_is_random_and_nothing_else_does():
    torch.manual_seed(1)
    first = network(hidden=7, seed=4).state_dict()
    torch.manual_seed(2)
    again, other = network(hidden=7, seed=4).state_dict(), network(hidden=7, seed=5).state_dict()
    assert first.keys() == again.keys() == other.keys()
    assert all(torch.equal(first[key], again[key]) for key in first)
    differing = {key for key in first if not torch.equal(first[key], other[key])}
    banks, layers = (f"stages.{n}.filter_bank.kernels" for n in (0, 1)), ("classifier.0.weight", "classifier.2.weight")
    assert differing == {*banks, *layers, "stages.1.filter_bank.connections"}


def test_stages_and_layers_draw_from_streams_of_their_own():
    one, two = network(1), network(2, hidden=7)
    assert torch.equal(one.filter_banks[0].kernels, two.filter_banks[0].kernels)
    alike = [StageGeometry(6, 3, 2, 1), StageGeometry(6, 3, 2, 1)]
    first, second = MultiStageNet((6, 18, 16), 5, alike).filter_banks
    assert not torch.equal(first.kernels, second.kernels)


def test_kernels_fill_the_filter_range():
    stages = [StageGeometry(64, 5, 2, 2, filter_range=0.2), StageGeometry(64, 3, 2, 2, filter_range=3.0)]
    for bank, limit in zip(MultiStageNet(IMAGE, 5, stages).filter_banks, (0.2, 3.0), strict=True):
        assert 0.99 * limit < bank.kernels.abs().max() <= limit


@pytest.mark.parametrize(
    ("in_maps", "out_maps", "fan_in"), [(64, 256, 16), (32, 64, 16), (8, 24, 4), (5, 3, 5), (4, 9, 1)]
)
def test_connections_are_different_maps_in_ascending_order(in_maps, out_maps, fan_in):
    table = connection_table(in_maps, out_maps, fan_in, generator(0, "connections"))
    assert table.shape == (out_maps, fan_in)
    assert table.dtype == torch.int64
    assert table.min() >= 0
    assert table.max() < in_maps
    assert (table.diff(dim=1) > 0).all()


def test_connections_are_drawn_anew_for_each_map_and_use_all_inputs():
    table = connection_table(64, 256, 16, generator(0, "connections"))
    assert len({tuple(row) for row in table.tolist()}) == 256
    used = table.flatten().bincount(minlength=64)  # 64 on average, standard deviation 7
    assert used.min() > 30
    assert used.max() < 100
    assert not torch.equal(table, connection_table(64, 256, 16, generator(1, "connections")))


# Classifier


def test_classifiers_start_within_one_over_the_root_of_their_inputs():
    layer = classifier(4096, 102)
    assert isinstance(layer, nn.Linear)
    assert 0.999 / 64 < layer.weight.abs().max() <= 1 / 64
    assert not layer.bias.any()
    first, squash, last = classifier(40, 5, hidden=7)
    assert isinstance(squash, nn.Tanh)
    assert (first.in_features, first.out_features, last.in_features, last.out_features) == (40, 7, 7, 5)
    assert last.weight.abs().max() <= 7**-0.5
    assert not first.bias.any()
    assert not last.bias.any()


# Use


def test_a_state_dict_carries_everything():
    operations = Operations(normalise="lcn_batchnorm", filter_bank=Filtering(bias=True))
    trained = network(operations=operations, hidden=7, seed=0)
    trained(images(20, seed=1))
    other = network(operations=operations, hidden=7, seed=1)
    assert not torch.equal(other.eval()(images()), trained.eval()(images()))
    other.load_state_dict(trained.state_dict())
    assert torch.equal(other(images()), trained(images()))


def test_can_be_exported_for_any_batch_size():
    net = network().eval()
    program = torch.export.export(net, (images(2),), dynamic_shapes={"x": {0: torch.export.Dim("batch")}})
    for n in (1, 5):
        torch.testing.assert_close(program.module()(images(n)), net(images(n)), rtol=1e-5, atol=1e-6)
