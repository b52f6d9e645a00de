"""Only torch's optimisers and schedules can be named by a configuration, whatever else one tries."""

import sys

import pytest

from multistage.cli import train
from multistage.registry.errors import ConfigError
from multistage.settings.composition import plan

NAMES = """
os.system posix.system nt.system subprocess.run subprocess.Popen builtins.eval builtins.exec eval __import__
importlib.import_module runpy.run_path pickle.loads marshal.loads ctypes.CDLL shutil.rmtree pathlib.Path.unlink
socket.socket functools.partial operator.attrgetter torch.load torch.hub.load torch.nn.Linear hydra.utils.instantiate
hydra.utils.get_method pytorch_lightning.Trainer multistage.load train.main __main__.main canary canary.run
torch.optim.canary torch.optim.os.system torch.optim.__builtins__.eval torch.optim.__loader__ torch.optim torch.optim.
torch.optim.sgd torch.optim.sgd.SGD torch.optim.SGD.step SGD torch.optim.Optimizer torch.optim..SGD
torch.optim.lr_scheduler.LRScheduler torch.optim.lr_scheduler.partial torch.optim.lr_scheduler.Counter
torch.optim.lr_scheduler.ref torch.optim.lr_scheduler.warnings.warn null 1 '' [os.system] ${oc.env:HOSTILE}
${schedule.name} ${oc.decode:'canary.run'} ${canary.run:1}
"""
HOSTILE = [*NAMES.split(), "'torch.optim.SGD '", "'\\ttorch.optim.SGD'", "{_target_: canary.run}"]
NESTED = [
    "+optimizer.foreach._target_=canary.run",
    "optimizer.lr={_target_: canary.run}",
    "optimizer.momentum={_target_: canary.run}",
    "+optimizer.params={_target_: canary.run}",
    "+param_groups.x.params={_target_: canary.run}",
    "+param_groups.x={params: [{_target_: canary.run}]}",
    "+param_groups.x={params: [classifier], _target_: canary.run}",
    "optimizer={_target_: canary.run}",
    "++optimizer={_target_: torch.optim.SGD, lr: 0.1, momentum: {_target_: canary.run}}",
    "schedule={_target_: torch.optim.lr_scheduler.LambdaLR, lr_lambda: {_target_: canary.run}}",
    "schedule={_target_: torch.optim.lr_scheduler.LambdaLR, lr_lambda: canary.run}",
    "schedule={_target_: torch.optim.lr_scheduler.ChainedScheduler, schedulers: [{_target_: canary.run}]}",
    "+schedule._partial_=true",
    "+optimizer._args_=[canary.run]",
    "+optimizer._recursive_=true",
    "+_target_=canary.run",
    "seed={_target_: canary.run}",
    "data.root={_target_: canary.run}",
    "model={_target_: canary.run}",
    "+model._target_=canary.run",
    "trainer={_target_: canary.run}",
    "logger={_target_: canary.run}",
    "+hydra.callbacks.x._target_=canary.run",
    "hydra.launcher._target_=canary.run",
    "hydra.sweeper._target_=canary.run",
]


@pytest.fixture(autouse=True)
def canary(tmp_path, monkeypatch):
    """A module that must never be imported."""
    (tmp_path / "canary.py").write_text("run = print\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("HOSTILE", "canary.run")
    yield
    assert sys.modules.pop("canary", None) is None


def refusal(overrides):
    with pytest.raises(ConfigError) as caught:
        plan(overrides)
    message = str(caught.value)
    assert message.isprintable()
    return message


def test_there_are_more_than_fifty():
    assert len({*HOSTILE}) > 50
    assert len({*NESTED}) > 20


@pytest.mark.parametrize("section", ["optimizer", "schedule", "+callbacks.x"])
def test_a_hostile_target_is_refused(section):
    for target in HOSTILE:
        assert f"{section.lstrip('+')}._target_" in refusal([f"{section}._target_={target}"])


def test_a_hostile_target_inside_something_else_is_refused():
    for override in NESTED:
        refusal([override])


@pytest.mark.parametrize("override", [override for override in NESTED if "hydra" in override])
def test_a_sweep_names_no_code_either(override, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert train.main(["-m", "data=fake", "seed=0,1", override]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_torchs_own_classes_are_accepted():
    plan(["optimizer._target_=torch.optim.RMSprop"])
    for target in ("Adagrad", "Adam", "AdamW"):
        plan([f"optimizer._target_=torch.optim.{target}", "~optimizer.momentum", "schedule=null"])
    for target in ("OneCycleLR", "CosineAnnealingLR", "ConstantLR"):
        plan([f"schedule._target_=torch.optim.lr_scheduler.{target}"])


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("optimizer.momentum=abc", ["optimizer.momentum=abc", "expected a number", "default is 0"]),
        ("optimizer.momentum=true", ["optimizer.momentum=true", "expected a number"]),
        ("+optimizer.nesterov=1", ["optimizer.nesterov=1", "expected true or false", "default is false"]),
        ("optimizer.weight_decay=-1", ["optimizer.weight_decay=-1", "torch refuses it", "default, 0"]),
        ("+schedule.pct_start=2", ["schedule.pct_start=2", "torch refuses it", "default, 0.3"]),
        ("+schedule.anneal_strategy=sin", ["schedule.anneal_strategy=sin", "torch refuses it", "default, cos"]),
        ("optimizer=5", ["optimizer=5", "adamw"]),
        ("callbacks=swa", ["callbacks=swa", "type +callbacks.NAME._target_=pytorch_lightning.callbacks.CLASS"]),
    ],
)
def test_what_torch_would_refuse_is_named_with_what_it_accepts(override, named):
    message = refusal([override])
    for text in named:
        assert text in message


def test_an_argument_without_a_default_is_refused_without_one():
    message = refusal(["schedule=cosine", "+schedule.T_max=0"])
    assert message.startswith("schedule.T_max=0 is not allowed: torch refuses it")
    assert message.endswith("; expected another value")


def test_the_length_of_a_schedule_is_not_given_twice():
    typed = ["+schedule.total_steps=null", "+schedule.epochs=1", "+schedule.steps_per_epoch=2"]
    assert "schedule.epochs=1 has no effect beside schedule.total_steps" in refusal(typed)


def test_callbacks_are_not_blamed_for_what_torch_refuses():
    typed = ["data=fake", "callbacks=ema", "optimizer.momentum=-1", "optimizer.weight_decay=-1"]
    with pytest.raises(ConfigError, match=r"^torch refuses these settings together: ") as refusal:
        plan(typed)
    assert "optimizer.momentum=-1" in str(refusal.value)
    assert "callbacks" not in str(refusal.value)
