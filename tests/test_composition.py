"""From what was typed to runs: experiments, the command that repeats a run, engines."""

import pytest

from multistage import composition
from multistage.errors import ConfigError

EXPERIMENTS = composition.names("experiment")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_is_a_list_of_runs_that_can_be_planned(name):
    with composition.hydra():
        planned = [composition.plan(job) for job in composition.experiment(name, ["logger=csv"])]
    assert len({run.folder for run in planned}) == len(planned) > 1
    assert {run.config["experiment"] for run in planned} == {name}


def test_the_ablation_is_what_the_paper_compares_and_what_it_leaves_out():
    with composition.hydra():
        planned = [composition.plan(job).config for job in composition.experiment("ablation", [])]
    digits = [c for c in planned if c["data"] == "digits"]
    assert {(c["model"], c["refine"]) for c in digits} == {
        (model, refine) for model in composition.names("model") for refine in (True, False)
    }
    caltech = [c for c in planned if c["data"] == "caltech101"]
    assert len({c["model"] for c in caltech}) == 5
    assert not any(c["refine"] for c in caltech)
    for config in planned:
        assert config["seed"] == config["draw"] in range(5)


def test_what_is_typed_beside_an_experiment_replaces_what_its_grids_say():
    with composition.hydra():
        planned = [composition.plan(job) for job in composition.experiment("ablation", ["draw=7", "name=mine"])]
    assert {run.config["draw"] for run in planned} == {7} == {run.config["seed"] for run in planned}
    assert {run.config["name"] for run in planned} == {"mine"}


def test_an_experiment_that_does_not_exist_is_refused():
    with pytest.raises(ConfigError, match=r"experiment=ablatoin does not exist; .*nearest: ablation"):
        composition.experiment("ablatoin", [])


@pytest.mark.parametrize("content", ["", "grids: 5", "- a", "grids: [a]", "grids: {", "name: x"])
def test_a_file_that_is_no_list_of_grids_is_refused(tmp_path, monkeypatch, content):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(content)
    monkeypatch.setattr(composition, "CONF", tmp_path)
    with pytest.raises(ConfigError, match=r"mine\.yaml (has no list of grids|is no yaml)"):
        composition.experiment("mine", [])


@pytest.mark.parametrize(
    "typed",
    [
        [],
        ["data=mnist", "model=lcn_maxpool", "seed=3"],
        ["refine=false", "readout=lbfgs", "draw=2", "seed=${draw}"],
        ["optimizer.lr=0.1", "~optimizer.momentum", "schedule=null"],
        ["+optimizer.nesterov=true", "geometry=norb", "stages=1"],
        ["optimizer._target_=torch.optim.AdamW", "~optimizer.momentum", "+optimizer.betas=[0.8,0.9]"],
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
    "word", ["hydra/sweeper=optuna", "hydra.run.dir=/", "hydra.launcher._target_=os.system", "hydra/launcher.x=1"]
)
def test_only_the_launcher_of_hydra_can_be_chosen(word):
    with pytest.raises(ConfigError, match="expected hydra/launcher"):
        composition.check_engine([word])
