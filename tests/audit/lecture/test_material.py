import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from audit.lecture.material import Material
from audit.pages import artifacts
from multistage import load
from multistage.data import caltech101
from multistage.records import runs
from multistage.records.files import to_lines
from multistage.registry.errors import MultistageError
from multistage.settings import composition
from multistage.settings.tree import parse
from multistage.train.restore import make_network


@pytest.fixture(scope="module")
def once(train_once):
    return train_once("model=avgpool", "trainer.max_epochs=1", "name=explorer")


@pytest.fixture
def published(once, tmp_path):
    """A trained network in a folder of results, and its run's folder."""
    run, record = once
    target = tmp_path / "results" / "explorer"
    artifacts.publish(run.folder, target)
    (target / "records.jsonl").write_text(to_lines([record]))
    return target, run.folder


def test_a_published_network_is_the_runs(published):
    target, folder = published
    found, x = Material(target.parent).trained("avgpool"), torch.randn(3, 1, 28, 28)
    assert torch.equal(found(x), load(folder)(x))
    assert not found.training
    assert not any(p.requires_grad for p in found.parameters())


def test_the_untrained_network_is_what_training_began_with(published):
    target, folder = published
    config = runs.read(folder)["config"]
    found = Material(target.parent).untrained("avgpool")
    before = make_network(parse(config), len(found.classifier.bias))
    assert all(torch.equal(a, b) for a, b in zip(found.parameters(), before.parameters(), strict=True))
    assert not torch.equal(
        found.filter_banks[0].kernels, Material(target.parent).trained("avgpool").filter_banks[0].kernels
    )


def test_filters_are_those_before_and_after_training_of_the_named_network_alone(plan, do, tmp_path):
    planned = [
        plan(f"model={model}", "trainer.max_epochs=1", "name=table1") for model in ("abs_avgpool", "abs_lcn_avgpool")
    ]
    records = [do(run) for run in planned]
    target = tmp_path / "results" / "table1"
    for run in planned:
        artifacts.publish(run.folder, target)
    (target / "records.jsonl").write_text(to_lines(records))
    found = Material(target.parent).filters("random", True)
    assert found.run.startswith("table1/fake/abs_lcn_avgpool/")
    assert torch.equal(found.after[:, None], load(planned[1].folder).filter_banks[0].kernels)
    assert found.before.shape == found.after.shape
    assert not torch.equal(found.before, found.after)


def test_presets_are_those_that_are_published(published):
    target, _ = published
    assert Material(target.parent).presets() == ["avgpool"]
    (target / "records.jsonl").unlink()
    with pytest.raises(
        MultistageError, match=r"no trained network; make it with: python train\.py experiment=explorer"
    ):
        Material(target.parent).presets()


@pytest.mark.parametrize("what", ["records", "model", "weights"])
def test_a_network_that_is_not_there_says_what_to_run(published, what):
    target, _ = published
    if what == "records":
        (target / "records.jsonl").unlink()
    if what == "weights":
        shutil.rmtree(target / "artifacts")
    with pytest.raises(MultistageError, match=r"python train\.py experiment=explorer") as refusal:
        Material(target.parent).trained("maxpool" if what == "model" else "avgpool")
    assert "\n" not in str(refusal.value)


def test_weights_of_another_run_are_refused(published, flip_byte):
    target, _ = published
    flip_byte(min(target.glob("artifacts/*/weights.safetensors")))
    with pytest.raises(MultistageError, match="checksum"):
        Material(target.parent).trained("avgpool")


def test_filters_that_are_not_there_say_so(tmp_path):
    with pytest.raises(MultistageError, match="filters=psd refine=false; make them with"):
        Material(tmp_path).filters("psd", False)


def test_images_are_test_images_of_all_classes(tmp_path):
    material = Material(tmp_path)
    labels = material.labels("digits", 100)
    assert labels.tolist() == sorted(labels.tolist())
    assert (labels.bincount(minlength=10) - 10).abs().max() <= 2
    assert material.images("digits", 10).shape == (10, 1, 28, 28)
    dataset, split = material.dataset("digits"), material.split("digits")
    test = {tuple(image.flatten().tolist()) for image in dataset.pixels(split.test)}
    assert all(tuple(image.flatten().tolist()) in test for image in material.images("digits", 10))
    assert material.images("digits", 10) is material.images("digits", 10)


def test_photographs_are_the_middle_of_the_files_of_images(tmp_path, monkeypatch):
    folder = tmp_path / "data" / caltech101.SOURCE.folder / "one"
    folder.mkdir(parents=True)
    gray = np.zeros((100, 200), np.uint8)
    gray[:, 50:150] = 200
    Image.fromarray(gray).save(folder / "image.png")
    monkeypatch.setattr(Material, "_chosen", lambda self, name, count: torch.zeros(count, dtype=torch.int64))
    monkeypatch.setattr(Material, "dataset", lambda self, name: type("Named", (), {"names": ["one/image.png"]}))
    found = Material(tmp_path).photographs(2, 64)
    assert found.shape == (2, 1, 64, 64)
    assert found[..., 4:-4].unique().tolist() == [200]


def test_configurations_are_those_of_the_command_line(tmp_path):
    assert Material(tmp_path).config("model=maxpool") == composition.plan(["model=maxpool"]).config
