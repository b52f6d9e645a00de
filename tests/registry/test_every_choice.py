"""Every choice of every registry: its settings have rules, are named once, and are part of every key."""

import dataclasses
import re
from importlib.metadata import version

import pytest
import torch
from torch import nn

from multistage import MultiStageNet
from multistage.network.shapes import StageGeometry
from multistage.operations import Operations
from multistage.readout import readouts
from multistage.registry import Choice, Registry, digest, setting, settings_of
from multistage.registry.errors import ConfigError
from multistage.registry.rules import number
from multistage.settings import config
from multistage.settings.composition import plan
from multistage.settings.config import REGISTRIES, options, rule_of, rules

EVERY = [(key, name) for key, registry in REGISTRIES.items() for name in registry]
OTHERS = {bool: [True, False], int: [7, 3], float: [0.25, 0.5], str: ["a", "b"], type(None): [2.0]}


@pytest.mark.parametrize(("key", "name"), EVERY)
def test_its_settings_are_keys_with_rules_and_defaults(key, name):
    choice = REGISTRIES[key][name]
    for setting_name, rule in settings_of(choice).items():
        per_stage = choice.__dataclass_fields__[setting_name].metadata.get("per_stage")
        full = f"{choice.section}.{'stage1.' if per_stage else ''}{setting_name}"
        assert rule_of(full) is rules()[full]
        default = choice.__dataclass_fields__[setting_name].default
        assert rule.accepts(default[0] if per_stage else default), full


@pytest.mark.parametrize(("key", "name"), EVERY)
def test_no_setting_of_it_can_be_forgotten_by_a_key(key, name):
    """Caches take the digest of the frozen choice: another value of any field is another key."""
    choice = REGISTRIES[key][name]()
    keys = {digest(choice)}
    for field in dataclasses.fields(choice):
        value = getattr(choice, field.name)
        new = (*value, 9) if isinstance(value, tuple) else next(v for v in OTHERS[type(value)] if v != value)
        keys.add(digest(dataclasses.replace(choice, **{field.name: new})))
    assert len(keys) == 1 + len(dataclasses.fields(choice))


@pytest.mark.parametrize("key", REGISTRIES)
def test_an_unknown_name_is_refused_by_name_with_the_nearest(key):
    first = next(iter(REGISTRIES[key]))
    with pytest.raises(ConfigError, match=rf"^{key}={first}x is not allowed; expected one of .*{first}"):
        REGISTRIES[key].choose(f"{first}x")
    for nothing in (None, 3, "", "readout "):
        with pytest.raises(ConfigError, match="expected one of"):
            REGISTRIES[key].choose(nothing)


def test_a_registry_that_failed_fails_again(tmp_path, monkeypatch):
    (tmp_path / "broken_choices").mkdir()
    (tmp_path / "broken_choices" / "__init__.py").write_text("")
    (tmp_path / "broken_choices" / "module.py").write_text("import there_is_no_such_package\n")
    monkeypatch.syspath_prepend(tmp_path)
    registry: Registry = Registry("x", "broken_choices")
    for _ in range(2):
        with pytest.raises(ModuleNotFoundError, match="there_is_no_such_package"):
            len(registry)


def test_a_file_that_registers_nothing_is_named(tmp_path, monkeypatch):
    (tmp_path / "idle_choices").mkdir()
    (tmp_path / "idle_choices" / "__init__.py").write_text("")
    (tmp_path / "idle_choices" / "_shared.py").write_text("NOTHING = 0\n")
    (tmp_path / "idle_choices" / "softplus.py").write_text("class Softplus: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    registry: Registry = Registry("x", "idle_choices")
    for _ in range(2):
        with pytest.raises(TypeError, match=r"idle_choices\.softplus registers nothing; expected \.register\(NAME\)"):
            len(registry)


@pytest.mark.parametrize(
    ("section", "says"),
    [
        (
            "lbfgs",
            r"readout=lbfgs has a setting lbfgs\.penalty, which belongs to model\.normalise; choose another sect",
        ),
        ("augment", r"model\.normalise=own has a setting augment\.mirror, which belongs to augment;"),
        ("optimizer", r"model\.normalise=own has a setting optimizer\.penalty, which belongs to section optimizer;"),
        ("data", r"model\.normalise=own has a setting data\.penalty, which belongs to section data;"),
        ("seed", r"model\.normalise=own has a setting seed\.penalty, which belongs to section seed;"),
    ],
)
def test_choices_that_can_be_chosen_together_share_no_setting(monkeypatch, section, says):
    @dataclasses.dataclass(frozen=True)
    class Own(Choice):
        penalty: float = setting(1.0)
        mirror: bool = setting(False)

    Own.section, Own.name = section, "own"
    monkeypatch.setattr(config, "REGISTRIES", {**REGISTRIES, "model.normalise": {"own": Own}})
    with pytest.raises(TypeError, match=says):
        config.options.__wrapped__()


def test_operations_of_different_stages_share_equal_settings_alone(monkeypatch):
    one, other = (
        dataclasses.make_dataclass(name, [("eps", float, setting(default))], bases=(Choice,), frozen=True)
        for name, default in (("One", 1.0), ("Other", 5.0))
    )
    for choice in (one, other):
        choice.section, choice.name = "own", choice.__name__.lower()
    monkeypatch.setattr(config, "REGISTRIES", {"model.normalise": {"one": one, "other": other}})
    with pytest.raises(TypeError, match=r"model\.normalise=other has a setting own\.eps, which belongs to model\.norm"):
        config.options.__wrapped__()


def test_a_data_set_has_no_setting_of_every_run(monkeypatch):
    own = dataclasses.make_dataclass("Own", [("batch_size", int, setting(4))], bases=(Choice,), frozen=True)
    own.section, own.name = "data", "own"
    monkeypatch.setattr(config, "REGISTRIES", {**REGISTRIES, "data": {"own": own}})
    with pytest.raises(TypeError, match=r"data=own has a setting data\.batch_size, which belongs to every run"):
        config.options.__wrapped__()


def test_a_name_is_registered_once():
    registry: Registry = Registry("x", "multistage.storage")
    registry.register("a")(Choice)
    with pytest.raises(ValueError, match="x=a is registered twice"):
        registry.register("a")(Choice)


def test_what_is_registered_is_a_dataclass_whose_settings_can_be_typed():
    registry: Registry = Registry("x", "multistage.storage")
    with pytest.raises(TypeError, match=r"Bare is not a dataclass; expected @dataclass\(frozen=True\) below @register"):

        @registry.register("bare")
        class Bare(Choice):
            factor: float = setting(1.0)

    with pytest.raises(TypeError, match=r"x=odd has settings and no section; .* size is typed as SECTION\.size"):
        registry.register("odd")(Odd)
    with pytest.raises(ValueError, match="default -1 is not allowed; expected a number from 0"):
        setting(-1, number(0))
    with pytest.raises(ValueError, match="not allowed"):
        setting((1, -1), number(0), per_stage=True)


def test_sections_that_share_a_setting_agree_on_it():
    """Such as lcn and lcn_batchnorm, which are both typed as contrast_norm."""
    seen = {}
    for registry in REGISTRIES.values():
        for choice in registry.values():
            for field in dataclasses.fields(choice):
                place = choice.section, field.name
                assert place not in seen or seen[place] == field.default or choice.section == "data", place
                seen[place] = field.default


def test_every_default_of_a_choice_is_that_of_the_configuration_file():
    defaults = plan([]).config
    shared = {
        key: option.default for key, option in options().items() if key in defaults and not key.startswith("data.")
    }
    assert {key: defaults[key] for key in shared} == shared


@dataclasses.dataclass(frozen=True)
class Odd(Choice):
    """Has a setting of a type without a rule."""

    size: list = dataclasses.field(default_factory=list)


def test_a_setting_of_a_type_without_a_rule_needs_one():
    with pytest.raises(TypeError, match="give its field a rule"):
        settings_of(Odd)
    with pytest.raises(TypeError, match="holds plain values"):
        digest(torch.zeros(1))


def test_what_bears_on_no_result_says_so_itself():
    assert {key for key, option in options().items() if not option.bears} == {
        "data.root",
        "data.max_pixels",
        "logger.project",
        "logger.entity",
        "logger.mode",
    }


# What the review of the closed house found, each seen to fail on commit 581f261


def test_a_readout_is_what_its_name_says():
    """`readout=ridge` was L-BFGS to the bit once its name was allowed: the ladder of names ended in `else`."""
    x, y = torch.randn(12, 5, generator=torch.Generator().manual_seed(0)), torch.arange(12) % 3
    from multistage.readout import Task

    fitted = {name: readouts[name]().fit(Task(x, y, 3))(x) for name in ("sgd", "lbfgs", "ridge", "kernel")}
    assert len({tuple(scores.flatten().tolist()) for scores in fitted.values()}) == 4
    with pytest.raises(NotImplementedError):
        readouts["softmax"]().fit(Task(x, y, 3))


def test_square_and_l2_are_square_and_l2():
    """`rectify=square pool=l2` built relu and max."""
    net = MultiStageNet((1, 9, 9), 2, [StageGeometry(4, 3, 3, 2)], Operations("square", "none", "l2"))
    x = torch.randn(2, 1, 9, 9, generator=torch.Generator().manual_seed(0))
    squares = net.filter_banks[0](x).square()
    expected = nn.functional.avg_pool2d(squares.square(), 3, 2).sqrt()
    torch.testing.assert_close(net.features(x), expected.flatten(1))


def test_every_filter_method_has_a_capital_letter_of_its_own():
    """Tables and claims name rows by it; T is a further stage's."""
    letters = [method.letter for method in REGISTRIES["filters"].values()]
    assert all(re.fullmatch("[A-SU-Z]", letter) for letter in letters)
    assert len(set(letters)) == len(letters)


def test_two_runs_that_differ_in_one_setting_never_share_features():
    """A setting that was missing from a list kept by hand gave two differently named runs one set of features."""
    base = plan(["data=fake", "refine=false", "readout=lbfgs", "model.normalise=lrn"])
    for key, value in (("response_norm.k", 1.0), ("response_norm.size", 3), ("filter_bank.padding", 1)):
        other = plan([*base.overrides, f"{key}={value}"])
        assert digest(other.settings.geometry, other.settings.operations) != digest(
            base.settings.geometry, base.settings.operations
        )


def test_hydra_is_the_version_whose_private_part_is_used():
    """`multistage.settings.launchers` needs `hydra._internal.callbacks.Callbacks`; look at it before raising this."""
    assert version("hydra-core").startswith("1.3.")
