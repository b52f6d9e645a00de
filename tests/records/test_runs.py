import subprocess
import sys

import pytest
import torch
from report import invented

import multistage
from multistage.records import runs
from multistage.registry.errors import ConfigError, MultistageError
from multistage.settings import naming
from multistage.train import checkpoint


def name(run):
    return str(run.folder).partition("/runs/")[2]


def test_a_folder_says_what_the_run_is(plan):
    assert name(plan()) == "adhoc/fake/abs_lcn_avgpool/2/random-refined/softmax/draw-0-seed-0"
    frozen = plan("model=lcn_maxpool", "stages=1", "refine=false", "readout=sgd", "draw=3", "seed=4", "name=mine")
    assert name(frozen) == "mine/fake/lcn_maxpool/1/random/sgd/draw-3-seed-4"


@pytest.mark.parametrize(
    ("override", "suffix"),
    [
        ("optimizer.lr=0.1", "-lr-0.1"),
        ("geometry=norb data.image_size=40", "-geometry-norb-image_size-40"),
        ("geometry.stage1.kernel=7", "-stage1.kernel-7"),
        ("hidden=20", "-hidden-20"),
        ("schedule=null", "-schedule-null"),
        ("schedule=null ~optimizer.momentum", "-momentum-0-schedule-null"),
        (
            "optimizer._target_=torch.optim.Adam ~optimizer.momentum",
            "-optimizer._target_-torch.optim.Adam-momentum-null",
        ),
        ("schedule=cosine", "-schedule-CosineAnnealingLR"),
        ("contrast_norm.floor=0.5", "-floor-0.5"),
        ("model.pool=max", "-pool-max"),
        ("trainer.max_epochs=5", ""),  # the default of this data set
        ("logger=wandb", ""),
        ("trainer.accelerator=cpu", ""),
    ],
)
def test_what_changes_results_is_appended_and_nothing_else(plan, override, suffix):
    assert plan(*override.split()).folder.name == f"draw-0-seed-0{suffix}"


IDENTITY = runs.identity("split", "data")


def finish(run, **changes):
    about = {"run": naming.name(run.config, run.folder), "config": dict(run.config)}
    record = {**invented.record(), **about, **IDENTITY, **changes}
    with runs.claimed(run.folder):
        checkpoint.begin(run.folder, run.config, IDENTITY)
        return runs.finish(run.folder, record)


def test_a_finished_run_is_recognised(plan):
    run = plan()
    assert runs.finished(run.folder, run.config, IDENTITY) is None
    record = finish(run)
    assert runs.finished(run.folder, run.config, IDENTITY) == record
    assert record["commit"] is None or len(record["commit"]) == 40


@pytest.mark.parametrize(("field", "value"), [("split_hash", "another"), ("results_version", 0)])
def test_a_finished_run_of_another_identity_is_refused_by_name(plan, field, value):
    run = plan()
    finish(run, **{field: value})
    with pytest.raises(ConfigError, match=f"{field} was {value}"):
        runs.finished(run.folder, run.config, IDENTITY)


def test_changed_images_are_said_without_their_hashes(plan):
    run = plan()
    finish(run, data_hash="x", split_hash="another")
    said = r"\(the images or their names have changed\); add overwrite=changed to replace it, or name=NEW to keep both$"
    with pytest.raises(ConfigError, match=said):
        runs.finished(run.folder, run.config, IDENTITY)


def test_a_finished_run_with_other_settings_is_refused_by_name(plan):
    run = plan()
    finish(run, config={**run.config, "optimizer.lr": 99})
    with pytest.raises(ConfigError, match=r"optimizer\.lr was 99, is 0.05"):
        runs.finished(run.folder, run.config, IDENTITY)


def test_overwriting_is_done_when_asked(plan):
    finish(plan(), data_hash="another")
    for answer in ("true", "changed"):
        run = plan(f"overwrite={answer}")
        assert runs.finished(run.folder, run.config, IDENTITY) is None
    same = finish(plan())
    assert runs.finished(run.folder, run.config, IDENTITY) == same  # overwrite=changed keeps what is not changed


def test_what_does_not_bear_on_results_is_no_difference(plan):
    finish(plan("logger=wandb"))
    run = plan("logger=csv")
    assert runs.finished(run.folder, run.config, IDENTITY)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"config": 1}', "\x00"])
def test_a_damaged_record_is_named(plan, content, caplog):
    run = plan()
    finish(run)
    (run.folder / "result.json").write_text(content)
    with pytest.raises(MultistageError, match=r"result\.json is damaged"):
        runs.read(run.folder)
    assert runs.finished(run.folder, run.config, IDENTITY) is None  # it counts as unfinished
    assert "result.json is damaged" in caplog.text


def test_a_record_of_a_newer_version_is_not_thrown_away_unasked(plan):
    run = plan()
    finish(run, results_version=runs.RESULTS_VERSION + 1)
    with pytest.raises(ConfigError, match=r"from a newer multistage; .* overwrite=changed"):
        runs.finished(run.folder, run.config, IDENTITY)
    asked = plan("overwrite=changed")
    assert runs.finished(asked.folder, asked.config, IDENTITY) is None


def test_a_failing_write_leaves_the_old_record(plan, monkeypatch):
    run = plan()
    finish(run)
    before = (run.folder / "result.json").read_bytes()
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        runs.finish(run.folder, {"config": {}})
    assert (run.folder / "result.json").read_bytes() == before
    assert sorted(p.name for p in run.folder.iterdir()) == [".begun", ".lock", "config.yaml", "result.json"]


def test_a_failed_run_says_why_until_it_is_begun_again(plan):
    run = plan()
    assert runs.state(run.folder) == "unfinished"
    with runs.claimed(run.folder):
        checkpoint.begin(run.folder, run.config, IDENTITY)
        runs.fail(run.folder, run.config, IDENTITY, RuntimeError("\x1b[31mno\nmemory"))
    assert runs.state(run.folder) == "failed"
    assert runs.failure(run.folder)["reason"] == r"\x1b[31mno memory"
    with runs.claimed(run.folder):
        assert checkpoint.begin(run.folder, run.config, IDENTITY) is None
    assert runs.state(run.folder) == "unfinished"
    finish(run)
    assert runs.state(run.folder) == "finished"


def test_a_damaged_note_of_failure_counts_as_none(plan):
    run = plan()
    with runs.claimed(run.folder):
        runs.fail(run.folder, run.config, IDENTITY, ValueError("no memory"))
    note = run.folder / "failure.json"
    for content in (note.read_bytes()[:-20], note.read_bytes().replace(b"memory", b"memorY"), b"[]"):
        note.write_bytes(content)
        assert runs.state(run.folder) == "unfinished"


def test_a_run_is_done_by_one_process_at_a_time(plan):
    """The claim is the system's, so that it ends with the process; another process sees it, this one too."""
    run = plan()
    look = (
        f"import pathlib; from multistage.records import runs; print(runs.is_busy(pathlib.Path({str(run.folder)!r})))"
    )
    assert not runs.is_busy(run.folder)
    with runs.claimed(run.folder):
        assert subprocess.run([sys.executable, "-c", look], capture_output=True, text=True).stdout == "True\n"
        with pytest.raises(runs.BusyError, match="another process"), runs.claimed(run.folder):
            pass
    assert not runs.is_busy(run.folder)


def test_loading_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(MultistageError, match="not a finished run"):
        multistage.load(tmp_path)
    with pytest.raises(MultistageError, match="not a finished run"):
        multistage.load(tmp_path / "nowhere")


def test_loading_damaged_weights_is_refused(plan):
    run = plan()
    finish(run, per_class=[{"name": n, "correct": 0, "total": 1} for n in "abcd"], weights_sha256="0" * 64)
    for content in (None, b"", b"\x00" * 100):
        if content is not None:
            (run.folder / "weights.safetensors").write_bytes(content)
        with pytest.raises(MultistageError, match=r"weights.safetensors is (missing|damaged)"):
            multistage.load(run.folder)


def test_names_of_the_package_are_what_they_say():
    for public in multistage.__all__:
        assert getattr(multistage, public).__name__ == public
    with pytest.raises(AttributeError):
        multistage.nothing  # noqa: B018
    assert issubclass(multistage.MultiStageNet, torch.nn.Module)
