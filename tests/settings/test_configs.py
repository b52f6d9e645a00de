"""Every yaml on disk, found by listing: composed, checked, built, run forward and backward."""

import shutil

import pytest
import torch

from multistage.cli import help
from multistage.registry.errors import ConfigError
from multistage.settings import composition, config
from multistage.settings.tree import parse, section
from multistage.train.restore import make_network

MODELS = sorted(p.stem for p in (composition.CONF / "model").glob("*.yaml"))
data_sets = sorted(p.stem for p in (composition.CONF / "data").glob("*.yaml"))
GEOMETRIES = sorted(p.stem for p in (composition.CONF / "geometry").glob("*.yaml"))
LOGGERS = sorted(p.stem for p in (composition.CONF / "logger").glob("*.yaml"))


def forward_and_backward(run_config):
    side = run_config["data.image_size"]
    net = make_network(parse(run_config), classes=4)
    scores = net(torch.randn(2, run_config["data.maps"], side, side))
    assert scores.shape == (2, 4)
    scores.square().sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("stages", [1, 2])
@pytest.mark.parametrize("model", MODELS)
def test_every_model_learns_in_every_parameter(plan, model, stages):
    forward_and_backward(plan(f"model={model}", f"stages={stages}").config)


@pytest.mark.parametrize("name", data_sets)
def test_every_data_set_has_a_geometry_that_fits(name):
    forward_and_backward(composition.plan([f"data={name}"]).config)


@pytest.mark.parametrize("name", GEOMETRIES)
def test_every_geometry_is_some_data_sets(name):
    assert name in {composition.plan([f"data={data}"]).config["geometry"] for data in data_sets}


@pytest.mark.parametrize("name", LOGGERS)
def test_every_logger_composes(plan, name):
    assert plan(f"logger={name}").config["logger"] == name


def test_presets_differ_from_each_other(plan):
    contents = {tuple(section(plan(f"model={model}").config, "model").values()) for model in MODELS}
    assert len(contents) == len(MODELS) >= 15


def test_data_sets_on_disk_are_those_the_checker_knows():
    assert set(data_sets) == set(config.data_sets)


def test_a_sixteenth_preset_is_one_yaml(tmp_path, monkeypatch):
    conf = tmp_path / "conf"
    shutil.copytree(composition.CONF, conf)
    (conf / "model" / "relu_lcn_maxpool.yaml").write_text("rectify: relu\nnormalise: lcn\npool: max\n")
    monkeypatch.setattr(composition, "CONF", conf)
    run = composition.plan(["data=fake", "model=relu_lcn_maxpool"])
    forward_and_backward(run.config)
    assert "relu_lcn_maxpool" in str(run.folder)
    assert "relu_lcn_maxpool" in help.text()


def test_defaults_are_those_of_the_design(plan):
    defaults = composition.plan([]).config
    wanted = {
        "model": "abs_lcn_avgpool",
        "stages": 2,
        "data": "digits",
        "geometry": "mnist",
        "filters": "random",
        "refine": True,
        "readout": "softmax",
        "draw": 0,
        "seed": 0,
        "logger": "csv",
        "experiment": None,
        "name": "adhoc",
        "data.validation": 0,
    }
    assert {key: defaults[key] for key in wanted} == wanted


def test_the_paper_networks_have_the_papers_sizes():
    sizes = {
        name: make_network(parse(composition.plan([f"data={name}"]).config), 10).num_features for name in data_sets
    }
    assert sizes["caltech101"] == 4096
    assert sizes["mnist"] == 1024
    assert sizes["norb"] == 864
    assert make_network(parse(composition.plan(["data=caltech101", "stages=1"]).config), 10).num_features == 43264


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (["sead=1"], ["'sead'", "seed"]),
        (["trainer.max_epoch=1"], ["trainer.max_epoch", "trainer.max_epochs"]),
        (["lr=1"], ["'lr'", "optimizer.lr"]),
        (["trainer.precison=64-true"], ["trainer.precison", "nearest: trainer.precision"]),
        (["trainer.precision=float16"], ["trainer.precision=float16", "bf16-mixed"]),
        (["trainer.logger=true"], ["trainer.logger=true cannot be set", "logger=wandb"]),
        (["trainer.max_time=1"], ["trainer.max_time=1 cannot be set", "clock"]),
        (["trainer.max_steps=1"], ["trainer.max_steps=1 cannot be set", "trainer.limit_train_batches"]),
        (["trainer.overfit_batches=1", "augment.mixup=0.3"], ["trainer.overfit_batches=1", "add augment.mixup=0"]),
        (["filters=gabor", "stages=1", "filters.banks=2"], ["filters.banks=2 with filters=gabor", "equal"]),
        (["trainer.devices=2", "model=batchnorm_maxpool"], ["trainer.devices=2", "normalise", "trainer.devices=1"]),
        (["trainer.gradient_clip_algorithm=value"], ["gradient_clip_algorithm", "trainer.gradient_clip_val"]),
        (["optimizer.momentum=0.5"], ["optimizer.momentum=0.5 has no effect", "+schedule.cycle_momentum=false"]),
        (
            ["optimizer=adamw", "+optimizer.betas=[0.8,0.9]"],
            ["optimizer.betas=[0.8, 0.9] has no effect, since OneCycleLR moves", "+schedule.cycle_momentum=false"],
        ),
        (["optimizer.lr=0.1", "+schedule.max_lr=0.2"], ["optimizer.lr=0.1 has no effect", "schedule.max_lr"]),
        (["+schedule.epochs=3"], ["schedule.epochs=3 has no effect", "schedule.total_steps"]),
        (["callbacks=early_stop"], ["callbacks=early_stop", "nearest: early_stopping"]),
        (["schedule=nothing", "schedule=cosine"], ["schedule=nothing does not exist"]),
        (["schedule=nothing", "~schedule"], ["schedule=nothing does not exist"]),
        (["callbacks=early_stopping"], ["callbacks.early_stopping.monitor", "data.validation"]),
        (
            ["+callbacks.x._target_=pytorch_lightning.callbacks.ModelCheckpoint"],
            ["callbacks.x._target_", "not allowed"],
        ),
        (["+callbacks.x._target_=pytorch_lightning.callbacks.EarlyStopping"], ["callbacks.x.monitor"]),
        (
            ["callbacks=early_stopping", "data.validation=5", "+callbacks.early_stopping.stopping_threshold=high"],
            ["callbacks.early_stopping.stopping_threshold=high", "expected a number"],
        ),
        (
            ["+callbacks.x._target_=pytorch_lightning.callbacks.GradientAccumulationScheduler"],
            ["callbacks.x._target_", "not allowed"],
        ),
        (
            ["callbacks=early_stopping", "data.validation=5", "callbacks.early_stopping.monitor=5"],
            ["callbacks.early_stopping.monitor=5", "expected one of train_accuracy"],
        ),
        (
            ["callbacks=lr_monitor", "+callbacks.lr_monitor.log_momentum=3"],
            ["expected true or false (the default is f"],
        ),
        (["callbacks.early_stopping.patience=3"], ["to give it to the class, write +callbacks.early_stopping"]),
        (["+sead=1"], ["+sead=1"]),
        (["seed@model=1"], ["seed@model=1", "expected seed=VALUE"]),
        (["~seed"], ["~seed"]),
        (["model=lcn_maxpol"], ["lcn_maxpol", "nearest: lcn_maxpool"]),
        (["data=imagenet"], ["imagenet", "caltech101"]),
        (["seed=abc"], ["seed=abc", "whole number"]),
        (["seed="], ["seed=", "whole number"]),
        (["seed=-1"], ["seed=-1", "whole number from 0"]),
        (["seed=1.5"], ["seed=1.5", "whole number"]),
        (["refine=1"], ["refine=1", "true or false"]),
        (["stages=10"], ["stages=10", "1 to 9"]),
        (["stages=true"], ["stages=true", "1 to 9"]),
        (["optimizer.lr=nan"], ["optimizer.lr=nan", "number"]),
        (["optimizer.lr=inf"], ["optimizer.lr=inf", "number"]),
        (["optimizer.lr=0"], ["optimizer.lr=0", "above 0"]),
        (["contrast_norm.kernel_size=8"], ["contrast_norm.kernel_size=8", "odd"]),
        (["contrast_norm.border=mirror"], ["mirror", "renormalise"]),
        (["readout=lbfgs"], ["readout=lbfgs", "refine=false"]),
        (["refine=false", "readout=sgd", "hidden=10"], ["hidden=10", "softmax"]),
        (["optimizer.momentum=-1"], ["optimizer.momentum=-1", "refuses", "default"]),
        (
            ["data=digits", "data.root=/my/photos"],
            ["data.root=/my/photos has no effect with data=digits", "data=image_folder"],
        ),
        (["data=fake", "data.root=/my/photos"], ["has no effect with data=fake", "data=image_folder"]),
        (["data=mnist", "data.colour=rgb"], ["has no effect with data=mnist", "data=caltech101 or data=image_folder"]),
        (["model=avgpool", "contrast_norm.floor=1"], ["contrast_norm.floor=1 has no effect", "model=avgpool"]),
        (["refine=false", "readout=sgd", "optimizer.lr=1"], ["optimizer.lr=1 has no effect", "readout=sgd"]),
        (["filters=gabor", "refine=false", "readout=sgd", "psd.length=random"], ["psd.length=random has no effect"]),
        (["filters=psd", "geometry.stage1.filter_range=1"], ["filter_range=1 has no effect", "psd.length=learned"]),
        (["refine=false", "readout=lbfgs", "sgd.rate=1"], ["sgd.rate=1 has no effect", "readout=lbfgs"]),
        (["filters=templates"], ["filters=templates", "random"]),
        (["filters=gabor", "geometry.stage1.maps=31"], ["geometry.stage1.maps=31", "even", "two phases"]),
        (["filters=gabor", "geometry.stage1.kernel=3"], ["geometry.stage1.kernel=3", "at least 5"]),
        (["data.validation=30"], ["data.validation=30", "data.train_per_class=30"]),
        (["geometry.stage1.kernel=29"], ["geometry.stage1.kernel=29", "28x28"]),
        (["geometry.stage2.fan_in=33"], ["geometry.stage2.fan_in=33", "32 maps"]),
        (["geometry.stage2.window=9"], ["geometry.stage2.window=9", "8x8"]),
        (["geometry=caltech101"], ["geometry.stage2.kernel=9", "map"]),
        (["optimizer._target_=os.system"], ["os.system", "torch.optim"]),
        (["optimizer._target_=torch.optim.lr_scheduler.StepLR"], ["torch.optim"]),
        (["optimizer._target_=torch.optim.Adamw"], ["AdamW"]),
        (["optimizer._target_=torch.optim.AdamW"], ["optimizer.momentum", "~optimizer.momentum"]),
        (["+optimizer.momentun=1"], ["optimizer.momentun", "momentum"]),
        (["optimizer.nesterov=true"], ["optimizer.nesterov", "+optimizer.nesterov=true"]),
        (["schedule._target_=torch.optim.lr_scheduler.StepLR"], ["schedule.step_size"]),
        (["seed=0,1"], ["seed=0,1", "-m"]),
        (["model=avgpool,maxpool"], ["model=avgpool,maxpool", "-m"]),
        (["seed=${nothing}"], ["nothing"]),
        (["a=b=c"], ["a=b=c"]),
        (["data={"], ["KEY=VALUE"]),
        (["name=a/../b"], ["name=a/../b"]),
        (["name=.."], ["name=.."]),
    ],
)
def test_bad_settings_are_refused_in_one_line_that_names_them(plan, overrides, named):
    with pytest.raises(ConfigError) as refusal:
        plan(*overrides)
    message = str(refusal.value)
    assert "\n" not in message
    for text in named:
        assert text in message


@pytest.mark.parametrize(
    "overrides",
    [
        ["optimizer._target_=torch.optim.AdamW", "~optimizer.momentum", "optimizer.lr=1e-3"],
        ["+optimizer.nesterov=true"],
        ["schedule=null"],
        ["~schedule"],
        ["schedule._target_=torch.optim.lr_scheduler.CosineAnnealingLR"],
        ["schedule._target_=torch.optim.lr_scheduler.StepLR", "+schedule.step_size=10"],
        ["contrast_norm.floor=1e-4", "contrast_norm.sigma=2", "contrast_norm.border=reflect"],
        ["seed=${draw}", "draw=3"],
        ["refine=false", "readout=lbfgs", "hidden=0"],
        ["geometry=norb", "stages=1"],
    ],
)
def test_good_settings_are_accepted(plan, overrides):
    plan(*overrides)


def test_a_sweep_is_expanded_as_hydra_does():
    jobs = composition.expand(["model=avgpool,maxpool", "seed=range(3)", "data=fake"])
    assert len(jobs) == 6
    assert ["model=maxpool", "seed=2", "data=fake"] in jobs
