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


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("refine=false", "refine=false has no training step"),
        ("trainer.precision=bf16-mixed", "trainer.precision=bf16-mixed cannot be profiled; expected 32-true"),
    ],
)
def test_a_run_that_trains_no_network_or_not_in_float32_is_refused(plan, typed, said):
    with pytest.raises(ConfigError, match=said):
        profiling.profile(plan(typed).config)


def test_every_filter_set_has_parts_of_its_own(plan):
    found = profiling.profile(plan(*SMALL, "filters.banks=2").config, steps=1, warm_up=0)
    stage = ("filter_bank", "rectify", "contrast_norm", "pool")
    names = {f"filter set {which}, stage {number}, {part}" for which in (1, 2) for number in (1, 2) for part in stage}
    assert set(found.parts) == {*names, "classifier", "loss", "optimiser"}


def test_loss_and_groups_of_parameters_are_those_of_the_run(plan, monkeypatch):
    steps = []
    monkeypatch.setattr(profiling, "step", lambda *given: steps.append(given))
    typed = ("param_groups=no_decay", "optimizer.weight_decay=0.1", "softmax.label_smoothing=0.2")
    profiling.profile(plan(*SMALL, *typed).config, steps=1, warm_up=0)
    _, readout, optimizer, *_ = steps[0]
    assert readout.label_smoothing == 0.2
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.1, 0.0]


def test_the_script_prints_tables(capsys):
    assert profile_training.main(["data=fake", *SMALL, "--steps", "1", "--warm-up", "0"]) == 0
    assert "contrast_norm" in capsys.readouterr().out
    assert profile_training.main(["data=fak"]) == 2
    assert "data=fak does not exist" in capsys.readouterr().err
