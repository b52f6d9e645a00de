import json

import pytest

from audit.speed import profiling
from multistage.registry.errors import ConfigError
from scripts import profile_training

SMALL = ("data.batch_size=4", "geometry.stage1.maps=4", "geometry.stage2.maps=4", "geometry.stage2.fan_in=2")


def test_a_step_is_the_sum_of_its_parts(plan, tmp_path):
    trace = tmp_path / "trace.json"
    found = profiling.profile(plan(*SMALL).config, steps=2, warm_up=1, trace=trace)
    stage = ("filter_bank", "rectify", "contrast_norm", "pool")
    names = [f"stage {number}, {part}" for number in (1, 2) for part in stage]
    assert set(found.parts) == {*names, "classifier", "loss", "optimiser"}
    for part, seconds in found.parts.items():
        assert set(seconds) == ({"forward"} if part == "optimiser" else {"forward", "backward"})
        assert all(value > 0 for value in seconds.values())
    assert found.step == pytest.approx(sum(sum(seconds.values()) for seconds in found.parts.values()))
    assert (found.batch, found.device, found.in_kernels) == (4, "cpu", None)
    assert "aten::tanh" in {operation.name for operation in found.operations}
    assert "stage 2, pool" in {event.get("name") for event in json.loads(trace.read_text())["traceEvents"]}


def test_a_run_that_trains_no_network_is_refused(plan):
    with pytest.raises(ConfigError, match="refine=false has no training step"):
        profiling.profile(plan("refine=false").config)


def test_the_script_prints_tables(capsys):
    assert profile_training.main(["data=fake", *SMALL, "--steps", "1", "--warm-up", "0"]) == 0
    assert "contrast_norm" in capsys.readouterr().out
    assert profile_training.main(["data=fak"]) == 2
    assert "data=fak does not exist" in capsys.readouterr().err
