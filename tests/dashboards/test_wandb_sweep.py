"""The sweep that wandb may run: conf/wandb_sweep.yaml."""

import yaml
from dashboards.wandb_processes import ROOT

from multistage.settings import composition


def test_each_parameter_of_the_sweep_can_be_typed():
    """Through wandb's own code from parameters to a command line."""
    from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

    sweep = yaml.safe_load((ROOT / "conf" / "wandb_sweep.yaml").read_text())
    assert (ROOT / sweep["program"]).is_file()
    assert sweep["command"][2:] == ["${program}", "${args_no_hyphens}"]
    choices = {
        key: [rule["value"]] if "value" in rule else rule.get("values") or [rule["min"], rule["max"]]
        for key, rule in sweep["parameters"].items()
    }
    for turn in range(max(map(len, choices.values()))):
        values = {"args": {key: {"value": found[turn % len(found)]} for key, found in choices.items()}}
        config = composition.plan(create_sweep_command_args(values)["args_no_hyphens"]).config
        assert {key: config[key] for key in choices} == {key: value["value"] for key, value in values["args"].items()}
        assert config["logger.mode"] == "online"
        assert config["data.validation"] > 0
    assert sweep["metric"] == {"name": "final/validation_accuracy", "goal": "maximize"}
