"""From what was typed to runs: experiments, the command that repeats a run, engines."""

import math
import re
import shutil
from functools import cache

import pytest

from multistage.data.augment import Augmentation
from multistage.records import paper
from multistage.records.files import from_file, path
from multistage.registry.errors import ConfigError
from multistage.settings import composition, experiments, launchers

EXPERIMENTS = composition.names("experiment")
RESULTS = composition.CONF.parent / "results"
REPRODUCING = composition.CONF.parent / "docs/reproducing.md"
TOLD = dict(re.findall(r"^\| \[(\w+)\]\(.*?\) \| (.*) \|$", REPRODUCING.read_text(encoding="utf-8"), re.MULTILINE))
"""What the table of published runs says of each."""


@cache
def planned_runs(name):
    with composition.hydra():
        return [composition.plan(job) for job in experiments.experiment(name, ["logger=csv"])]


def configs(name):
    return [run.config for run in planned_runs(name)]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_is_a_list_of_runs_that_can_be_planned(name):
    planned = planned_runs(name)
    assert len({run.folder for run in planned}) == len(planned) > 1
    assert {run.config["experiment"] for run in planned} == {name}


@pytest.mark.parametrize("name", [name for name in EXPERIMENTS if (RESULTS / name / "records.jsonl").exists()])
def test_every_published_run_is_one_of_its_experiment(name):
    published = {path(record) for record in from_file(RESULTS / name / "records.jsonl")}
    assert published <= {run.folder.relative_to(f"runs/{run.config['name']}").as_posix() for run in planned_runs(name)}


def published_runs(folder):
    file = RESULTS / folder / "records.jsonl"
    return {f"{folder}/{path(record)}" for record in from_file(file)} if file.exists() else set()


@pytest.mark.parametrize("name", [name for name in EXPERIMENTS if name in TOLD])
def test_the_table_of_published_runs_says_which_are_there_in_part(name):
    planned = {run.folder.relative_to("runs").as_posix() for run in planned_runs(name)}
    done = set().union(*(published_runs(folder) for folder in {each.partition("/")[0] for each in planned}))
    assert ("in part" in TOLD[name]) == (not planned <= done)


def test_the_ablation_is_what_the_paper_compares_and_what_it_leaves_out():
    planned = configs("ablation")
    digits = [c for c in planned if c["data"] == "digits"]
    models = {c["model"] for c in digits}
    assert len(models) == 15 <= len(composition.names("model"))
    assert {(c["model"], c["refine"]) for c in digits} == {
        (model, refine) for model in models for refine in (True, False)
    }
    caltech = [c for c in planned if c["data"] == "caltech101"]
    assert len({c["model"] for c in caltech}) == 5
    assert not any(c["refine"] for c in caltech)
    for config in planned:
        assert config["seed"] == config["draw"] in range(5)


def test_table_1_is_its_parts_in_one_folder():
    whole = planned_runs("table1")
    parts = [run for part in ("table1_one_stage", "table1_two_stage") for run in planned_runs(part)]
    assert [run.folder for run in whole] == [run.folder for run in parts]
    assert {run.config["name"] for run in whole} == {"table1"}


def test_beyond_table_1_are_the_presets_that_the_paper_leaves_out(published):
    planned = configs("beyond_table1")
    columns = {entry["model"] for entry in published if entry["table"] == 1}
    assert {config["model"] for config in planned} == {config["model"] for config in configs("ablation")} - columns
    assert {(c["data"], c["stages"], c["filters"]) for c in planned} == {("caltech101", 2, "random")}
    frozen = {(c["model"], c["readout"], c["draw"]) for c in planned if not c["refine"]}
    assert len(frozen) == 10 * 2 * 5
    assert sorted(c["model"] for c in planned if c["refine"]) == sorted({model for model, *_ in frozen})


CURVES = {
    "norb": (5, 1000, 5),
    "labels_mnist": (10, 1000, 3),
    "labels_mnist_variants": (10, 1000, 2),
    "labels_caltech101": (102, 768, 3),
}
"""Classes, steps with few labels, lines."""


@pytest.mark.parametrize("name", CURVES)
def test_curves_of_labels_train_as_long_with_few_labels_as_with_many(name):
    classes, least, count = CURVES[name]
    lines = {}
    for config in configs(name):
        labels = config["data.train_per_class"]
        lines.setdefault((config["model"], config["filters"], config["refine"]), set()).add(labels)
        if config["refine"]:
            steps = math.ceil(classes * labels / config["data.batch_size"])
            default = composition.plan([f"data={config['data']}"]).config["trainer.max_epochs"]
            assert config["trainer.max_epochs"] == max(default, math.ceil(least / steps)), labels
    assert len(set(map(frozenset, lines.values()))) == 1
    assert len(lines) == count


def test_the_curve_of_norb_has_every_point_of_the_paper(published):
    planned = configs("norb")
    found = [paper.matching(published, config) for config in planned]
    assert {id(entry) for entry in found} == {id(entry) for entry in published if entry["data"] == "norb"}


@pytest.mark.parametrize("name", ["photos", "some/where"])
def test_a_folder_in_place_of_a_data_set_is_told_how_to_be_named(tmp_path, monkeypatch, name):
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=f"for a folder of images type data=image_folder data.root={name}$"):
        composition.plan([f"data={name}"])


def test_what_is_typed_beside_an_experiment_replaces_what_its_grids_say():
    with composition.hydra():
        planned = [composition.plan(job) for job in experiments.experiment("ablation", ["draw=7", "name=mine"])]
    assert {run.config["draw"] for run in planned} == {7} == {run.config["seed"] for run in planned}
    assert {run.config["name"] for run in planned} == {"mine"}


def test_a_removed_section_replaces_that_of_a_grid(monkeypatch):
    monkeypatch.setattr(experiments, "_grids", lambda *_: [{"schedule": "cosine", "seed": [0, 1]}])
    planned = [composition.plan(job) for job in experiments.experiment("ablation", ["~schedule"])]
    alone = [composition.plan([f"seed={seed}", "schedule=null", "experiment=ablation"]) for seed in (0, 1)]
    assert [run.config for run in planned] == [run.config for run in alone]


def test_an_experiment_that_does_not_exist_is_refused():
    with pytest.raises(ConfigError, match=r"experiment=ablatoin does not exist; .*nearest: ablation"):
        experiments.experiment("ablatoin", [])


@pytest.mark.parametrize(
    "content", ["", "name: caf\udce9", "grids: 5", "- a", "grids: [a]", "grids: {", "name: x", "parts: a", "parts: [1]"]
)
def test_a_file_that_is_no_list_of_grids_is_refused(tmp_path, monkeypatch, content):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(content, encoding="utf-8", errors="surrogateescape")
    monkeypatch.setattr(composition, "CONF", tmp_path)
    with pytest.raises(ConfigError, match=r"mine\.yaml (has no list of grids|is not YAML)"):
        experiments.experiment("mine", [])


@pytest.mark.parametrize("content", [b"# caf\xe9\nrectify: abs", b"rectify: {"], ids=["latin-1", "broken"])
@pytest.mark.parametrize("group", ["model", "data", "geometry", "augment", "optimizer"])
def test_a_file_that_is_no_yaml_is_named(tmp_path, monkeypatch, group, content):
    shutil.copytree(composition.CONF, tmp_path / "conf")
    monkeypatch.setattr(composition, "CONF", tmp_path / "conf")
    file = tmp_path / "conf" / group / "mine.yaml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"mine\.yaml is not YAML, or not in UTF-8: [^\n]+$") as refusal:
        composition.plan([f"{group}=mine"])
    assert str(refusal.value).startswith(str(file))


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write files of conf/experiment beside the real other files of conf."""
    shutil.copytree(composition.CONF, tmp_path / "conf")
    monkeypatch.setattr(composition, "CONF", tmp_path / "conf")

    def write(**contents):
        for name, content in contents.items():
            (tmp_path / "conf" / "experiment" / f"{name}.yaml").write_text(content)

    return write


def test_a_whole_is_the_runs_of_its_parts_in_their_folders(write):
    write(
        one="name: shared\ngrids: [{data: fake, draw: 0}]",
        two="grids: [{data: fake, draw: range(3)}]",
        inner="parts: [two]",
        whole="parts: [one, inner]\ngrids: [{data: fake, seed: 7}]",
    )
    with composition.hydra():
        planned = [composition.plan(job) for job in experiments.experiment("whole", ["stages=1"])]
        alone = [composition.plan(job) for part in ("one", "two") for job in experiments.experiment(part, ["stages=1"])]
    assert [run.config["name"] for run in planned] == ["shared", "two", "two", "two", "whole"]
    assert [run.folder for run in planned[:-1]] == [run.folder for run in alone]
    assert {run.config["experiment"] for run in planned} == {"whole"}


def test_parts_that_do_not_exist_or_go_round_are_refused(write):
    write(lost="parts: [ablatoin]", a="parts: [b]", b="parts: [a]")
    with pytest.raises(ConfigError, match=r"part ablatoin of lost\.yaml does not exist; .*nearest: ablation"):
        experiments.experiment("lost", [])
    with pytest.raises(ConfigError, match="a -> b -> a: an experiment cannot be a part of itself"):
        experiments.experiment("a", [])


@pytest.mark.parametrize(
    "typed",
    [
        [],
        ["data=mnist", "model=lcn_maxpool", "seed=3"],
        ["refine=false", "readout=lbfgs", "draw=2", "seed=${draw}"],
        ["optimizer.lr=0.1", "~optimizer.momentum", "schedule=null"],
        ["+optimizer.nesterov=true", "geometry=norb", "stages=1"],
        ["optimizer._target_=torch.optim.AdamW", "~optimizer.momentum", "schedule=null", "+optimizer.betas=[0.8,0.9]"],
        ["optimizer.momentum=0.5", "+schedule.cycle_momentum=false"],
        ["trainer.precision=bf16-mixed", "+trainer.gradient_clip_val=1.0", "trainer.accumulate_grad_batches=2"],
    ],
)
def test_the_recorded_command_line_repeats_the_run(typed):
    run = composition.plan(typed)
    again = composition.plan(run.overrides)
    assert again.config == run.config
    assert again.folder == run.folder
    assert again.overrides == run.overrides
    assert len(run.overrides) <= len(typed)


@pytest.mark.parametrize(
    "word",
    [
        "hydra/sweeper=optuna",
        "hydra.run.dir=/",
        "hydra.launcher._target_=os.system",
        "hydra/launcher.x=1",
        "+hydra.launcher.x=1",
    ],
)
def test_only_the_launcher_of_hydra_can_be_chosen(word):
    with pytest.raises(ConfigError, match="expected hydra/launcher"):
        launchers.engine_of([word])


def test_files_of_optimisers_schedules_and_callbacks_stand_for_their_values():
    assert composition.plan(["optimizer=sgd", "schedule=one_cycle", "callbacks=none"]) == composition.plan([])
    assert composition.plan(["schedule=constant"]) == composition.plan(["schedule=null"])
    run = composition.plan(["optimizer=adamw", "schedule=cosine", "callbacks=early_stopping", "data.validation=5"])
    of_files = ("optimizer", "schedule", "callbacks")
    assert {k: v for k, v in run.config.items() if k.partition(".")[0] in of_files} == {
        "optimizer._target_": "torch.optim.AdamW",
        "optimizer.lr": 0.001,
        "optimizer.weight_decay": 0.01,
        "schedule._target_": "torch.optim.lr_scheduler.CosineAnnealingLR",
        "callbacks.early_stopping._target_": "pytorch_lightning.callbacks.EarlyStopping",
        "callbacks.early_stopping.monitor": "validation_accuracy",
        "callbacks.early_stopping.mode": "max",
    }
    assert composition.plan(run.overrides)[:2] == run[:2]
    assert len({composition.plan(job).folder for job in composition.expand(["optimizer=sgd,adam,adamw"])}) == 3


@pytest.mark.parametrize("group", composition.SHORTHANDS)
def test_every_file_of_a_group_makes_a_run(group):
    for name in composition.names(group):
        composition.plan([f"{group}={name}", "data.validation=5"])


@pytest.fixture
def photographs(tmp_path):
    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "a").touch()
    return "data=image_folder", f"data.root={tmp_path}"


@pytest.mark.parametrize("typed", [(), ("augment.rotation=5",), ("augment.mixup=0.2",)], ids=str)
def test_augmentation_that_a_data_set_has_can_be_taken_away(photographs, typed):
    run = composition.plan([*photographs, "augment=none", *typed])
    changes = dict(word.split("=") for word in typed)
    augmentation = run.settings.augmentation
    for name, default in vars(Augmentation()).items():
        assert getattr(augmentation, name) == float(changes.get(f"augment.{name}", default))
    assert composition.plan(run.overrides).folder == run.folder
    assert composition.plan(photographs).folder != run.folder


def test_frozen_filters_take_no_notice_of_augmentation_that_is_taken_away(photographs):
    frozen = composition.plan([*photographs, "refine=false", "readout=ridge"])
    assert composition.plan([*photographs, "refine=false", "readout=ridge", "augment=none"]).folder == frozen.folder


def test_a_colour_of_another_data_set_is_refused():
    with pytest.raises(
        ConfigError, match=r"data\.colour=auto is not allowed with data=caltech101; expected one of gray, rgb"
    ):
        composition.plan(["data=caltech101", "data.colour=auto"])


@pytest.mark.parametrize("key", ["data.train_per_class", "data.validation"])
def test_a_share_of_one_is_neither_one_image_nor_all(photographs, key):
    with pytest.raises(ConfigError, match=f"{key}=1.0 is not allowed; expected a whole number"):
        composition.plan([*photographs, f"{key}=1.0"])
