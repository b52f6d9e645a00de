"""That everything the benchmark measures can be measured, and means what its record says; not how fast anything is."""

import re
from pathlib import Path

import pytest
import torch

from audit.speed import layer, layer_options, layer_page, measurement, processes, stages, training
from audit.speed import table as speed
from audit.speed.baselines import contrast_norms
from audit.speed.measurement import Bench, record, write
from multistage.registry.errors import DataError
from scripts import benchmark as script


@pytest.fixture
def bench():
    return Bench(torch.device("cpu"), quick=True, compile=False)


def forms(bench):
    return {row["form"] for row in bench.rows}


def test_what_is_written_is_what_is_read(bench, tmp_path):
    bench.notes.append("a note")
    bench.times("a case", {"ours": [1.0, 2.0, 3.0]}, shape=[1, 2])
    bench.times("another", {"ours": [1.0]})
    written = record("layer", bench)
    path = write(tmp_path, written)
    assert path.name == "cpu-layer.json"
    assert speed.read(tmp_path) == [written]
    assert {"versions", "hardware", "threads", "commit", "date", "tf32"} <= set(written)
    assert written["rows"] == [
        {"case": "a case", "form": "ours", "value": 2.0, "unit": "s", "spread": 0.25, "n": 3, "shape": [1, 2]},
        {"case": "another", "form": "ours", "value": 1.0, "unit": "s", "spread": 0.0, "n": 1},
    ]


def test_without_git_nobody_knows_whether_the_code_was_changed(monkeypatch):
    monkeypatch.setenv("PATH", "")
    written = record("layer", Bench(torch.device("cpu")))
    assert (written["commit"], written["dirty"]) == (None, None)


def test_the_layer_is_measured_in_every_form_at_every_shape(bench, monkeypatch):
    monkeypatch.setattr(layer, "QUICK_GRID", ((2, 3, 9, 9), (1, 4, 5, 5)))
    layer.measure(bench)
    assert forms(bench) == {*contrast_norms(3), "copy"}
    assert len(bench.rows) == 2 * 2 * 5
    assert all(row["value"] > 0 for row in bench.rows)


def test_without_a_compiler_that_form_is_left_out_with_a_note(bench, monkeypatch):
    monkeypatch.setattr(layer.shutil, "which", lambda name: None)
    monkeypatch.setattr(layer, "QUICK_GRID", ((1, 2, 5, 5),))
    bench.compile = True
    layer.measure(bench)
    assert "compiled dense" not in forms(bench)
    assert bench.notes == ["compiled dense is missing: there is no C++ compiler; apt install g++ brings one"]


def test_bytes_kept_are_counted_once_without_input_and_output():
    x = torch.randn(2, 3, 8, 8)
    size = x.numel() * 4
    assert layer.kept(torch.tanh, x) == 0  # keeps its output
    assert layer.kept(lambda x: x**2, x) == 0  # keeps its input
    assert layer.kept(lambda x: torch.tanh(x) * 2, x) == size
    assert layer.kept(lambda x: (lambda t: t * t)(torch.tanh(x)), x) == size  # the same three times


def test_ours_keeps_little():
    x = torch.randn(2, 64, 24, 24)
    kept = {name: layer.kept(form, x) / (4 * x.numel()) for name, form in contrast_norms(64).items()}
    assert kept["ours"] < 0.15 < 1 < kept["definition"] < kept["dense"] < kept["torch7"]


def test_the_peak_of_a_step_is_seen():
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("this system has no /proc")
    size = 2 * 32 * 64 * 64 * 4
    assert size < layer.step_peak("dense", (2, 32, 64, 64), torch.device("cpu")) < 100 * size


def test_options_are_measured_beside_the_default_and_what_people_write(bench, monkeypatch):
    monkeypatch.setattr(layer_options, "QUICK_GRID", ((2, 8, 7, 6), (1, 16, 5, 5)))
    monkeypatch.setattr(layer_options, "QUICK_STEREO", (1, 1, 12, 14))
    monkeypatch.setattr(layer_options, "QUICK_COLOUR", (2, 3, 9, 8))
    monkeypatch.setattr(layer_options, "step_peak", lambda name, *_: 2.0**21 if name == "ours" else 2.0**22)
    layer_options.measure(bench)
    assert forms(bench) == {"default", "with it", "ours", "unfolded", "loop over maps"}
    assert len(bench.rows) == 2 * 12 * 2 * 2 + 2 * (4 + 2)

    layer_options.measure_windows(window := Bench(torch.device("cpu"), quick=True))
    assert forms(window) == {"window 9", "window 31", "window 101", "window 301"}
    bench.quick = window.quick = False
    page = layer_page.page([record("options", bench), record("window", window)])
    lines = [line.split(" | ") for line in page.splitlines() if line.startswith("| ")]
    beside = [
        line
        for line in lines
        if line[0] in ("| `nn.Unfold`, box 9 x 9", "| dense convolutions, one map after the other")
    ]
    assert [line[1] for line in beside] == ["[1, 1, 12, 14]", "[2, 3, 9, 8]"]
    assert [line[-1] for line in beside] == ["2.0 x |"] * 2
    (mask,) = [line for line in lines if line[0] == "| `mask`"]
    assert len(mask) == 5
    assert all(cell.strip(" |").endswith("x") for cell in [*beside[0][2:], *beside[1][2:], *mask[1:]])
    assert re.search(r"On \[1, 1, 320, 320\] forward, window 31 takes [\d.]+ x, .* the time of window 9\.", page)
    assert layer_page.page([]).startswith("Not measured yet")


def test_peaks_of_other_forms_are_seen_too():
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("this system has no /proc")
    windows = 81 * 120 * 160 * 4
    assert windows < layer.step_peak("unfolded", (1, 1, 120, 160), torch.device("cpu"), layer_options.stereo_norms)


def test_small_stages_and_convolutions_are_measured(bench, monkeypatch):
    planned = measurement.composition.plan

    def plan(typed):
        sizes = ("geometry.stage1.maps=16", "geometry.stage2.maps=16", "geometry.stage2.fan_in=2")
        return planned([*typed, *sizes, *(["data.image_size=83"] if typed[0] == "data=caltech101" else [])])

    monkeypatch.setattr(measurement.composition, "plan", plan)
    parts = ("whole", "filter_bank", "rectify", "contrast_norm", "pool")
    stages.measure(bench)
    cases = dict.fromkeys(row["case"].partition(" [")[0] for row in bench.rows)
    frozen = ["frozen, max pooling", "frozen, local response normalisation"]
    assert list(cases) == [f"stage {number}, {part}" for number in (1, 2) for part in parts] + frozen
    assert [row["form"] for row in bench.rows] == ["ours", "plain"] * 12
    bench.rows.clear()
    stages.measure_convolutions(bench)
    assert forms(bench) == {"torch", "unfolded", "masked dense", "gathered and grouped", "Fourier"}


def test_trainer_and_loop_end_with_the_same_weights(bench):
    typed = ["data=fake", "geometry.stage1.maps=4", "geometry.stage2.maps=4", "geometry.stage2.fan_in=2"]
    taken, steps = processes.trainer_and_loop(typed, 40, 1, bench)
    assert steps == 2
    assert [len(values) for values in taken.values()] == [1, 1]
    assert all(value > 0 for values in taken.values() for value in values)


def test_an_epoch_without_images_is_refused_before_anything_is_downloaded(bench):
    with pytest.raises(DataError, match=r"caltech101 is missing; expected Caltech-101 there: set MULTISTAGE_DATA"):
        training.measure(bench)


def test_the_script_writes_records_and_table_only_where_asked(monkeypatch, tmp_path, capsys):
    def measure(bench):
        bench.times("a case [1]", {"ours": [1.0], "plain": [3.0]})

    monkeypatch.setattr(script, "MEASURE", {"stage": measure, "epoch": measure})
    monkeypatch.setattr(script, "ROOT", tmp_path / "elsewhere")
    assert script.main(["--quick"]) == 0
    assert list(tmp_path.iterdir()) == []
    assert "a case [1]" in capsys.readouterr().out
    assert script.main(["stage", "--quick", "--out", str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"cpu-stage.json", "table.md"}
    assert "| a case [1] | 1 s | 3 s | 3.00 |" in (tmp_path / "table.md").read_text(encoding="utf-8")
    for wrong, message in (
        (["stag"], "stag is not a part"),
        (["--device", "x"], "x"),
    ):
        with pytest.raises(SystemExit):
            script.main(wrong)
        assert message in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("part", ["memory", "epoch", "frozen", "start", "overhead"])
def test_parts_that_train_or_start_processes_can_be_measured(bench, monkeypatch, part):
    planned = measurement.composition.plan
    fake = {"data=caltech101": "data=fake"}
    monkeypatch.setattr(measurement.composition, "plan", lambda typed: planned([fake.get(t, t) for t in typed]))
    monkeypatch.setattr(training, "check_images", lambda config: None)
    monkeypatch.setattr(layer, "MEMORY_SHAPE", (2, 3, 9, 9))
    script.MEASURE[part](bench)
    assert speed.wide(record(part, bench))[1]


def test_every_part_has_a_title():
    assert list(script.MEASURE) == list(speed.PARTS)
