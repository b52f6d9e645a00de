import os
import shutil

import numpy as np
import pytest
import torch
from report import invented
from safetensors.numpy import save
from safetensors.torch import load_file

from audit.pages import artifacts
from multistage import load
from multistage.records import runs
from multistage.records.files import path
from multistage.registry.errors import MultistageError
from multistage.settings.tree import parse
from multistage.train.restore import make_network


@pytest.fixture(scope="module")
def once(train_once):
    return train_once("geometry=mnist", "data.image_size=16", "stages=1", "trainer.max_epochs=1")


@pytest.fixture
def finished(once, tmp_path):
    """A refined run of one epoch on generated images, and its record; to be changed by a test as it likes."""
    run, record = once
    output = run.folder.parents[6]
    shutil.copytree(output, tmp_path / "runs")
    return tmp_path / "runs" / run.folder.relative_to(output), record


def test_published_filters_are_those_of_the_seed_and_of_the_weights(finished, tmp_path):
    folder, record = finished
    (folder / "confusion.csv").write_text('true class,"a, b",c\n"a, b",3,1\nc,0,4\n', encoding="utf-8")
    kept = artifacts.publish(folder, tmp_path / "results")
    assert kept == tmp_path / "results" / "artifacts" / record["run"].replace("/", "__")
    before, after = artifacts.filters(tmp_path / "results", record)
    net = make_network(parse(record["config"]), len(record["per_class"]))
    assert np.array_equal(before, net.filter_banks[0].kernels.detach().numpy())
    assert np.array_equal(after, load_file(folder / runs.WEIGHTS)["stages.0.filter_bank.kernels"].numpy())
    assert not np.array_equal(before, after)
    names, counts = artifacts.confusion(tmp_path / "results", record)
    assert names == ["a, b", "c"]
    assert counts.tolist() == [[3, 1], [0, 4]]


def test_weights_are_published_where_they_are_wanted_and_give_the_network_again(finished, tmp_path):
    folder, record = finished
    artifacts.publish(folder, tmp_path / "elsewhere")
    assert artifacts.network(tmp_path / "elsewhere", record) is None
    wanted = tmp_path / artifacts.WITH_WEIGHTS[0]
    artifacts.publish(folder, wanted)
    net, trained = artifacts.network(wanted, record), load(folder)
    assert not net.training
    assert net.class_names == trained.class_names
    state = net.state_dict()
    assert state.keys() == trained.state_dict().keys()
    assert all(torch.equal(value, state[name]) for name, value in trained.state_dict().items())


def test_weights_that_are_not_the_records_are_refused_when_published_and_when_used(finished, tmp_path, flip_byte):
    folder, record = finished
    wanted = tmp_path / artifacts.WITH_WEIGHTS[0]
    flip_byte(artifacts.publish(folder, wanted) / runs.WEIGHTS)
    with pytest.raises(MultistageError, match="its checksum is not the record's"):
        artifacts.network(wanted, record)
    flip_byte(folder / runs.WEIGHTS)
    with pytest.raises(MultistageError, match="its checksum is not the record's"):
        artifacts.publish(folder, wanted)


def test_of_results_with_weights_every_run_is_kept(finished, tmp_path):
    folder, record = finished
    other = record | {"run": record["run"] + "-lr-9"}
    better = {"metrics": record["metrics"] | {"test_mean_class_accuracy": 2.0}}
    root = folder.parents[len(path(record).split("/")) - 1]
    for name in ("ablation", *artifacts.WITH_WEIGHTS):
        target = tmp_path / name
        (artifacts.folder(target, other)).mkdir(parents=True)  # a better run, published before, which is not there now
        artifacts.publish_best(root, target, [record, other | better])
        kept = {entry.name for entry in (target / "artifacts").iterdir()}
        everything = {artifacts.folder(target, each).name for each in (record, other)}
        assert kept == (everything if name in artifacts.WITH_WEIGHTS else {artifacts.folder(target, other).name})


def test_what_is_too_large_is_left_out_and_named(finished, tmp_path, monkeypatch, caplog):
    folder, record = finished
    monkeypatch.setattr(artifacts, "LIMIT", 100)
    artifacts.publish(folder, tmp_path)
    assert artifacts.filters(tmp_path, record) is None
    assert artifacts.confusion(tmp_path, record) is None
    assert "filters.safetensors is left out" in caplog.text


def test_only_the_artifacts_of_best_runs_are_kept(finished, tmp_path):
    folder, record = finished
    root = folder.parents[len(path(record).split("/")) - 1]
    (tmp_path / "artifacts" / "worse").mkdir(parents=True)
    assert artifacts.publish_best(root, tmp_path, [record]) == [artifacts.folder(tmp_path, record)]
    assert [entry.name for entry in (tmp_path / "artifacts").iterdir()] == [path(record).replace("/", "__")]
    assert artifacts.publish_best(tmp_path / "elsewhere", tmp_path, [record]) == []
    assert artifacts.filters(tmp_path, record) is not None


@pytest.mark.parametrize("content", [None, b"", b"\xff" * 99], ids=["missing", "empty", "altered"])
def test_damaged_filters_are_refused_in_one_line(finished, tmp_path, content):
    folder, _ = finished
    (folder / runs.FILTERS).unlink()
    if content is not None:
        (folder / runs.FILTERS).write_bytes(content)
    with pytest.raises(MultistageError, match=r"filters.safetensors is missing or damaged") as caught:
        artifacts.publish(folder, tmp_path)
    assert "\n" not in str(caught.value)


def test_what_cannot_be_read_leaves_what_was_published(finished, tmp_path):
    folder, record = finished
    artifacts.publish(folder, tmp_path)
    published = artifacts.folder(tmp_path, record) / runs.CONFUSION
    before = published.read_bytes()
    (folder / runs.CONFUSION).write_bytes(b"damaged")
    with pytest.raises(MultistageError, match="damaged"):
        artifacts.publish(folder, tmp_path)
    assert published.read_bytes() == before


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(MultistageError, match="not a finished run"):
        artifacts.publish(tmp_path, tmp_path / "results")


def test_illustrated_are_the_best_run_and_the_best_refined_run_of_each_data_set():
    records = invented.records(draws=2)
    chosen = artifacts.illustrated(records)
    assert len({path(record) for record in chosen}) == len(chosen)
    for data in ("digits", "caltech101"):
        of_data = [r for r in records if r["config"]["data"] == data]
        for group in (of_data, [r for r in of_data if r["config"]["refine"]]):
            if group:
                top = max(r["metrics"]["test_mean_class_accuracy"] for r in group)
                equals = sorted(path(r) for r in group if r["metrics"]["test_mean_class_accuracy"] == top)
                assert equals[0] in [path(record) for record in chosen]
    assert artifacts.illustrated(records[::-1]) == chosen
    assert artifacts.illustrated([]) == []


def test_filters_that_no_label_has_touched_are_illustrated_too():
    better, refined = invented.record(0.9, refine="false"), invented.record(0.2, filters="psd")
    frozen = [invented.record(0.3 + draw / 10, draw, filters="psd", refine="false") for draw in range(3)]
    assert artifacts.best_learned([better, refined]) is None
    assert artifacts.illustrated([*frozen, better]) == [better, frozen[2]]
    assert artifacts.illustrated([*frozen, refined]) == [frozen[2], refined]


FOREIGN = {
    "filters of another kind": ("filters.safetensors", lambda path: path.write_bytes(save({"x": np.zeros(3)}))),
    "filters not numbers": (
        "filters.safetensors",
        lambda path: path.write_bytes(save(dict.fromkeys(("before", "after"), np.full((1, 1, 2, 2), np.nan, "f4")))),
    ),
    "filters empty": (
        "filters.safetensors",
        lambda path: path.write_bytes(save(dict.fromkeys(("before", "after"), np.zeros((0, 1, 2, 2), "f4")))),
    ),
    "filters pipe": ("filters.safetensors", os.mkfifo),
    "filters device": ("filters.safetensors", lambda path: path.symlink_to("/dev/zero")),
    "confusion of texts": ("confusion.csv", lambda path: path.write_text("true class,a\na,many\n")),
    "confusion negative": ("confusion.csv", lambda path: path.write_text("true class,a\na,-1\n")),
    "confusion ragged": ("confusion.csv", lambda path: path.write_text("true class,a,b\na,1\n")),
    "confusion empty": ("confusion.csv", lambda path: path.write_text("")),
    "confusion bytes": ("confusion.csv", lambda path: path.write_bytes(b"\xff\xfe")),
    "confusion pipe": ("confusion.csv", os.mkfifo),
    "confusion device": ("confusion.csv", lambda path: path.symlink_to("/dev/zero")),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_what_a_foreign_run_holds_is_named_and_not_published(finished, tmp_path, kind):
    folder, record = finished
    name, make = FOREIGN[kind]
    (folder / name).unlink()
    make(folder / name)
    with pytest.raises(MultistageError, match=f"{name} is missing or damaged"):
        artifacts.publish(folder, tmp_path / "results")
    assert not (artifacts.folder(tmp_path / "results", record) / name).exists()
