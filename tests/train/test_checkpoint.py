import pickle
import random
import shutil

import pytest
import torch
from report import invented

import multistage
from multistage.records import runs
from multistage.registry.errors import ConfigError, MultistageError
from multistage.settings import naming
from multistage.storage import durable
from multistage.train import checkpoint

IDENTITY = runs.identity("split", "data")


def damaged(content, chance):
    """Cut somewhere before the last byte, which is a mere line feed in some files, or one bit flipped somewhere."""
    if chance.random() < 0.5:
        return content[: chance.randrange(len(content) - 1)]
    position = chance.randrange(len(content))
    return content[:position] + bytes([content[position] ^ (1 << chance.randrange(8))]) + content[position + 1 :]


def save(folder, run, **content):
    """A checkpoint as Lightning has it saved here."""
    origin = {"config": dict(run.config), **IDENTITY}
    state = {"state_dict": {"weight": torch.arange(1000.0)}, checkpoint.ORIGIN: origin, **content}
    checkpoint.SealedFiles().save_checkpoint(state, folder / runs.CHECKPOINT)


@pytest.fixture
def left(plan):
    """What an interrupted run leaves: a folder with two checkpoints."""
    run = plan()
    with runs.claimed(run.folder):
        assert checkpoint.begin(run.folder, run.config, IDENTITY) is None
    for epoch in (0, 1):
        save(run.folder, run, epoch=epoch)
    return run


def begin(run, config=None):
    with runs.claimed(run.folder):
        return checkpoint.begin(run.folder, run.config if config is None else config, IDENTITY)


def test_the_last_checkpoint_is_gone_on_from(left):
    good = begin(left)
    assert good == left.folder / "last.ckpt"
    assert checkpoint.read(good)["epoch"] == 1
    assert checkpoint.read(left.folder / "previous.ckpt")["epoch"] == 0


def test_a_damaged_checkpoint_is_named_and_the_one_before_it_used(left, caplog):
    (left.folder / "last.ckpt").write_bytes(b"torn")
    good = begin(left)
    assert checkpoint.read(good)["epoch"] == 0
    assert good == left.folder / "last.ckpt"  # so that the next one does not push it out
    assert "last.ckpt is damaged" in caplog.text


def test_without_a_good_checkpoint_a_run_begins_anew(left, caplog):
    for name in ("last.ckpt", "previous.ckpt"):
        (left.folder / name).write_bytes(b"torn")
    assert begin(left) is None
    assert not (left.folder / "last.ckpt").exists()
    assert caplog.text.count("is damaged") == 2


def test_the_results_of_a_run_that_is_replaced_are_removed(left):
    for name in (runs.WEIGHTS, runs.FILTERS, runs.CONFUSION, runs.PREDICTIONS, runs.MISTAKES):
        (left.folder / name).write_bytes(b"of the run before")
    begin(left, {**left.config, "overwrite": True})
    assert sorted(file.name for file in left.folder.iterdir()) == [".begun", ".lock", "config.yaml"]


@pytest.mark.parametrize(("key", "said"), [("model.pool", "mean is not allowed"), ("hidden", "hidden has no value")])
def test_a_checkpoint_of_a_version_with_other_settings_is_refused_or_replaced(left, key, said):
    config = {**left.config, "model.pool": "mean"}
    if key == "hidden":
        config = {name: value for name, value in left.config.items() if name != key}
    save(left.folder, left, **{checkpoint.ORIGIN: {"config": config, **IDENTITY}})
    with pytest.raises(ConfigError, match=rf"^{left.folder} holds another run \(.*{said}.*; add overwrite=changed"):
        begin(left)
    assert begin(left, {**left.config, "overwrite": "changed"}) == left.folder / "last.ckpt"  # the one before it


def test_a_checkpoint_of_another_run_is_refused_or_replaced(left):
    other = {**left.config, "optimizer.lr": 99}
    with pytest.raises(ConfigError, match=r"optimizer\.lr was 0\.05, is 99"):
        begin(left, other)
    assert (left.folder / "last.ckpt").exists()
    assert begin(left, {**other, "overwrite": "changed"}) is None
    assert not (left.folder / "last.ckpt").exists()


@pytest.mark.parametrize("file", ["last.ckpt", "result.json", "failure.json", "weights.safetensors"])
def test_fifty_damages_of_each_file_are_all_detected(left, file):
    folder, chance = left.folder, random.Random(file)
    (folder / "weights.safetensors").write_bytes(content := bytes(range(256)) * 8)
    about = {"run": naming.name(left.config, left.folder), "config": dict(left.config)}
    record = {**invented.record(), **about, "per_class": [{"name": c, "correct": 0, "total": 1} for c in "abcd"]}
    runs.fail(folder, left.config, IDENTITY, ValueError("no memory"))
    shutil.copy(folder / "last.ckpt", folder / "kept")
    runs.finish(folder, {**record, "weights_sha256": durable.digest(content), **IDENTITY})
    shutil.copy(folder / "kept", folder / "last.ckpt")
    whole = (folder / file).read_bytes()
    for _ in range(50):
        (folder / file).write_bytes(damaged(whole, chance))
        if file == "last.ckpt":
            with pytest.raises(ValueError, match="checksum"):
                checkpoint.read(folder / file)
        elif file == "result.json":
            with pytest.raises(MultistageError, match=r"result\.json is damaged"):
                runs.read(folder)
        elif file == "failure.json":
            assert runs.failure(folder) is None
        else:
            with pytest.raises(MultistageError, match=r"weights\.safetensors is damaged"):
                multistage.load(folder)
    (folder / file).write_bytes(whole)
    assert checkpoint.read(folder / "last.ckpt")["epoch"] == 1  # the undamaged ones are accepted
    assert runs.read(folder)["metrics"] == record["metrics"]
    assert runs.failure(folder)["reason"] == "no memory"


class Payload:
    def __reduce__(self):
        return (exec, ("raise SystemExit('code of a checkpoint ran')",))


def test_only_tensors_and_plain_values_are_loaded(tmp_path):
    """A sealed file with a pickle that would run code: refused, and the code did not run."""
    path = tmp_path / "last.ckpt"
    torch.save({"state_dict": Payload()}, path)
    for content in (path.read_bytes(), pickle.dumps(Payload())):
        path.write_bytes(durable.seal(content))
        with pytest.raises(ValueError, match="torch refuses it"):
            checkpoint.read(path)
    assert checkpoint.origin(path) is None
