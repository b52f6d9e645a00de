"""Every operation there is, found by its registry, against every property that a stage needs of it."""

import dataclasses
import functools
from collections import OrderedDict

import pytest
import torch
from torch import nn

from multistage import MultiStageNet
from multistage.network.shapes import StageGeometry
from multistage.operations import Operations, Rectification, normalisations, poolings, rectifications
from multistage.registry import digest, settings_of
from multistage.registry.errors import ConfigError
from multistage.settings.composition import plan
from multistage.train import features

SLOTS = {"rectify": rectifications, "normalise": normalisations, "pool": poolings}
EVERY = [(slot, name) for slot, registry in SLOTS.items() for name in registry]
STAGES = [StageGeometry(8, 3, 4, 2), StageGeometry(16, 3, 2, 1, fan_in=4)]

every = pytest.mark.parametrize(("slot", "name"), EVERY)


def network(slot, name, stages=2):
    """A network in double precision, with one operation changed."""
    return MultiStageNet((2, 18, 16), 3, STAGES[:stages], Operations(**{slot: name})).double()


def images(n=4, seed=0):
    return torch.randn(n, 2, 18, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@every
def test_shapes_are_those_that_were_traced(slot, name):
    for stages in (1, 2):
        net = network(slot, name, stages)
        assert net.features(images()).shape == (4, net.num_features)


@every
@pytest.mark.parametrize("training", [True, False])
def test_gradients_are_the_slopes(slot, name, training):
    """Of a random projection of the features, along a random direction of images and of every parameter."""
    net = network(slot, name).train(training)
    x = images().requires_grad_()
    random = torch.Generator().manual_seed(1)
    projection = torch.randn(4, net.num_features, dtype=torch.float64, generator=random)
    tensors = [x, *net.stages.parameters()]

    def value():
        torch.manual_seed(0)  # an operation may draw random numbers
        return (net.features(x) * projection).sum()

    gradients = torch.autograd.grad(value(), tensors)
    directions = [torch.randn(t.shape, dtype=t.dtype, generator=random) for t in tensors]
    expected = sum(float((g * d).sum()) for g, d in zip(gradients, directions, strict=True))
    step, ends = 1e-7, []
    for sign in (1, -1):
        with torch.no_grad():
            for tensor, direction in zip(tensors, directions, strict=True):
                tensor.add_(direction, alpha=sign * step)
            ends.append(value().item())
            for tensor, direction in zip(tensors, directions, strict=True):
                tensor.add_(direction, alpha=-sign * step)
    assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(expected, rel=1e-4, abs=1e-5)


@every
def test_samples_depend_on_each_other_in_training_alone_and_where_it_is_said(slot, name):
    for training in (True, False):
        net = network(slot, name)
        net(100 * images(20, seed=1) + 7)  # gives batch normalisation some statistics
        net.train(training)
        if draws_random_numbers(net):
            assert training
            continue
        alone = torch.cat([net(image[None]) for image in images()])
        independent = torch.allclose(net(images()), alone, rtol=1e-8, atol=1e-8)
        assert independent == (not training or not getattr(SLOTS[slot][name], "across_samples", False))


def draws_random_numbers(net):
    before = torch.random.get_rng_state()
    net(images())
    return not torch.equal(torch.random.get_rng_state(), before)


@every
def test_a_network_can_be_built_without_values(slot, name):
    with torch.device("meta"):
        assert all(parameter.is_meta for parameter in network(slot, name).parameters())


@every
def test_with_frozen_filters_all_that_training_would_change_is_computed(slot, name):
    net = MultiStageNet((2, 18, 16), 3, STAGES, Operations(**{slot: name}))
    features.refuse_other_statistics(net.stages, images().float())


class Centred(nn.Module):
    """Subtracts a running mean."""

    def __init__(self, channels, name):
        super().__init__()
        self.name = name
        self.register_buffer(name, torch.zeros(channels))
        self.register_buffer("unknown", torch.full((1,), torch.nan))

    def forward(self, x):
        centre = self.get_buffer(self.name)
        if self.training:
            centre.mul_(0.9).add_(x.mean((0, 2, 3)).detach(), alpha=0.1)
        return nn.functional.dropout(x - centre[:, None, None], training=self.training)


@pytest.mark.parametrize("name", ["centre", "running_mean", "running_var"])
def test_statistics_that_only_training_computes_are_refused_with_frozen_filters(name):
    layer, state = Centred(2, name), torch.random.get_rng_state()
    stages = nn.Sequential(nn.Sequential(OrderedDict(centred=layer)))
    with pytest.raises(ConfigError, match=rf"running_mean and running_var of .*, and 0\.centred\.{name} would keep"):
        features.refuse_other_statistics(stages, images().float())
    assert not layer.get_buffer(name).any()
    assert torch.equal(torch.random.get_rng_state(), state)
    assert draws_random_numbers(stages.train().double())


@pytest.mark.parametrize("name", ["centre", "running_mean", "running_var"])
def test_only_layers_with_both_statistics_are_calibrated(name):
    """Stages whose filters will be trained may have others; no image is looked at for these."""
    features.calibrate(nn.Sequential(nn.Sequential(Centred(2, name))), None, None, None)


def test_what_cannot_be_trained_on_such_maps_has_no_statistics_of_training():
    stages = nn.Sequential(nn.Sequential(nn.InstanceNorm2d(2, track_running_stats=True)))
    features.refuse_other_statistics(stages, torch.zeros(2, 2, 1, 1))


@every
def test_compilers_see_the_same(slot, name):
    """A stage but its filters, which every stage has; `tests/network` exports a whole network."""
    torch._dynamo.reset()
    stage = network(slot, name, stages=1).eval().stages[0][1:]
    maps = torch.randn(5, 8, 16, 14, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(torch.compile(stage, fullgraph=True, backend="eager")(maps), stage(maps))
    exported = torch.export.export(stage, (maps,), dynamic_shapes={"input": {0: torch.export.Dim("n")}}).module()
    for n in (2, 5):
        torch.testing.assert_close(exported(maps[:n]), stage(maps[:n]))


@every
def test_it_has_a_name_a_docstring_and_settings_with_rules(slot, name):
    choice = SLOTS[slot][name]
    assert choice.name == name
    assert choice.__doc__
    assert not settings_of(choice) or choice.section
    for setting, rule in settings_of(choice).items():
        assert rule.accepts(getattr(choice(), setting)), setting


@functools.cache
def default_plan():
    return plan(["data=fake"])


@every
def test_a_run_with_it_is_planned_named_and_repeated(slot, name):
    run, default = plan(["data=fake", f"model.{slot}={name}"]), default_plan()
    assert getattr(run.settings.operations[1], slot).name == name
    again = plan(run.overrides)
    assert again.config == run.config
    assert again.folder == run.folder
    assert (run.folder == default.folder) == (run.settings.bearing == default.settings.bearing)


def changed(choice):
    """The settings of a choice, each with another value that is allowed."""
    other = {bool: lambda v: not v, int: lambda v: 2 * v if v % 2 == 0 else v + 2, float: lambda v: v / 2 or 0.5}
    special = {"sigma": 2.0, "floor": 0.25, "border": "reflect", "weights": "each", "window": "box"}
    for name, rule in settings_of(choice).items():
        value = getattr(choice(), name)
        new = special[name] if name in special else other[type(value)](value)
        assert rule.accepts(new), name
        yield name, new


@every
def test_every_setting_of_it_is_part_of_every_key(slot, name):
    """Of caches, which take the frozen specification, and of a run's identity: none can be forgotten."""
    choice = SLOTS[slot][name]
    run = plan(["data=fake", f"model.{slot}={name}"])
    keys = {digest(run.settings.operations)}
    for setting, value in changed(choice):
        other = plan(["data=fake", f"model.{slot}={name}", f"{choice.section}.{setting}={str(value).lower()}"])
        assert getattr(getattr(other.settings.operations[0], slot), setting) == value
        assert other.settings.bearing != run.settings.bearing
        assert other.folder != run.folder
        keys.add(digest(other.settings.operations))
    assert len(keys) == 1 + len(dataclasses.fields(choice))


def test_no_two_operations_are_the_same_network():
    outputs = {}
    for slot, name in EVERY:
        y = network(slot, name).train()(images())
        outputs.setdefault(tuple(y.flatten().tolist()), set()).add((slot, name))
    default = {("rectify", "abs"), ("normalise", "lcn"), ("pool", "average")}
    wide_windows_alike = [  # the geometry has the window, see `Pooling.overlaps`
        {("pool", "max"), ("pool", "max_overlap")},
        default | {("pool", "average_tiled")},
    ]
    assert [same for same in outputs.values() if len(same) > 1] == [wide_windows_alike[1], wide_windows_alike[0]]
    tiled, overlapping = (plan(["data=caltech101", f"model.pool={name}"]) for name in ("average_tiled", "average"))
    assert [stage.window for stage in tiled.settings.geometry] == [5, 4]
    assert [stage.window for stage in overlapping.settings.geometry] == [10, 6]


def test_stages_may_differ():
    run = plan(["data=fake", "model.stage2.pool=max", "model.stage1.normalise=none", "stages=3"])
    done = [(o.rectify.name, o.normalise.name, o.pool.name) for o in run.settings.operations]
    assert done == [("abs", "none", "average"), ("abs", "lcn", "max"), ("abs", "lcn", "average")]
    assert plan(run.overrides).folder == run.folder
    assert run.folder.name == "draw-0-seed-0-stage1.normalise-none-stage2.pool-max"


def test_a_rectification_may_name_its_layer_alone():
    class Sloped(Rectification):
        name = "sloped"
        layer = "torch.nn:PReLU"

    (module,) = Sloped().parts(5).values()
    assert isinstance(module, torch.nn.PReLU)
    assert module.weight.shape == (5,)


@pytest.mark.parametrize("slot", SLOTS)
def test_an_unknown_name_is_refused_by_name(slot):
    for ask in (lambda: SLOTS[slot].choose("gelo"), lambda: plan(["data=fake", f"model.{slot}=gelo"])):
        with pytest.raises(ConfigError, match=rf"model\.{slot}=gelo is not allowed; expected one of .+"):
            ask()
    with pytest.raises(ConfigError, match="nearest: average"):
        Operations(pool="averge")


def test_normalisations_say_which_maps_they_cannot_normalise():
    for typed, named in (
        (["model.normalise=groupnorm", "group_norm.groups=5"], "cannot divide 32 maps into group_norm.groups=5"),
        (["model.normalise=instancenorm", "geometry.stage2.kernel=12"], "more than one position"),
        (["model.normalise=divisive", "divisive_norm.window=box", "divisive_norm.sigma=2"], "with a box window"),
        (["model.normalise=divisive", "divisive_norm.exponent=1", "divisive_norm.learn_exponent=true"], "larger one"),
    ):
        with pytest.raises(ConfigError, match=named):
            plan(["data=fake", "geometry.stage2.step=1", "geometry.stage2.window=1", *typed])


def test_statistics_are_found_whatever_holds_them():
    assert features.statistics(nn.Sequential(nn.InstanceNorm2d(3, track_running_stats=True)))
    assert features.statistics(nn.Sequential(nn.BatchNorm2d(2)))
    assert not features.statistics(nn.Sequential(nn.GroupNorm(1, 2)))
