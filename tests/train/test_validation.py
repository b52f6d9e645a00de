"""Validation images: a data set's own, a part of them, and classes that have none."""

import numpy as np
import pytest
import torch
from PIL import Image

from multistage.registry.errors import ConfigError, DataError
from multistage.settings import composition
from multistage.train.batches import DataModule
from multistage.train.training import MeanClassAccuracy


@pytest.fixture
def plan(tmp_path):
    """A run on a folder of two classes with these parts."""

    def plan(parts, *typed):
        random = np.random.default_rng(0)
        for number in range(12 * len(parts)):
            file = tmp_path / "images" / parts[number % len(parts)] / f"class{number // 2 % 2}" / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(random.integers(0, 255, (20, 20), dtype=np.uint8)).save(file)
        data = ["data=image_folder", f"data.root={tmp_path / 'images'}", "data.image_size=24", "stages=1"]
        sizes = ["geometry.stage1.maps=4", "data.batch_size=4", f"output={tmp_path / 'runs'}"]
        return composition.plan([*data, *sizes, *typed])

    return plan


NEED = {
    "callbacks=early_stopping": "callbacks.early_stopping.monitor=validation_accuracy",
    "trainer.limit_val_batches=1": "trainer.limit_val_batches=1",
}


@pytest.mark.parametrize("typed", NEED)
def test_a_folder_with_validation_images_of_its_own_can_use_them(plan, do, typed):
    stops = [f"callbacks.early_stopping.{words}" for words in ("patience=1", "monitor=validation_accuracy")]
    stops = [*stops, "+callbacks.early_stopping.min_delta=1"] if typed.startswith("callbacks") else []
    record = do(plan(("train", "val", "test"), typed, "trainer.max_epochs=4", *stops))
    assert len(record["history"]["validation_accuracy"]) == (2 if stops else 4)
    assert NEED[typed].partition("=")[0] in record["config"]


@pytest.mark.parametrize("typed", NEED)
def test_a_folder_without_them_is_refused_before_training(plan, do, typed):
    run = plan(("train", "test"), typed, "trainer.max_epochs=1")
    with pytest.raises(ConfigError, match=f"^{NEED[typed]} needs validation images, .*; add data.validation=N$"):
        do(run)
    assert not run.folder.exists()
    do(plan(("train", "test"), typed, "trainer.max_epochs=1", "data.validation=2"))


def test_images_that_cannot_be_corrupted_are_refused_before_training(plan, do, tmp_path):
    run = plan(("train", "test"), "test.corrupted=true", "trainer.max_epochs=1")
    Image.fromarray(np.full((20, 20), 40_000, dtype=np.uint16)).save(tmp_path / "images/test/class0/1.png")
    with pytest.raises(DataError, match="needs images of 8 bits a level"):
        do(run)
    assert not run.folder.exists()


@pytest.mark.parametrize("part", ["train", "val"])
def test_a_part_of_the_images_has_all_classes(part):
    """Of those that validate, and of those that train with trainer.overfit_batches."""
    labels = torch.arange(5).repeat_interleave(20)
    samples = labels[:, None].float(), labels

    class Trainer:
        class strategy:
            root_device = torch.device("cpu")

        world_size, global_rank, overfit_batches = 1, 0, 1

    def seen(seed):
        images = DataModule(samples, samples, 25, seed)
        images.trainer = Trainer()
        loader = getattr(images, f"{part}_dataloader")
        batches = [labels for _, labels, _ in loader()]
        again = [labels for _, labels, _ in loader()]
        assert torch.equal(torch.cat(again), torch.cat(batches))  # epochs are compared on the same part
        assert torch.equal(torch.cat(batches).sort().values, labels)
        return batches

    assert set(seen(0)[0].tolist()) == set(range(5))
    assert not torch.equal(seen(0)[0], seen(1)[0])


def test_the_mean_over_classes_is_over_those_that_have_images():
    metric = MeanClassAccuracy(4, average="macro")
    metric.update(torch.tensor([0, 1, 2, 0]), torch.tensor([0, 1, 0, 0]))  # no image of class 2, one called so
    metric.update(torch.tensor([1, 0]), torch.tensor([1, 1]))
    assert metric.compute() == pytest.approx((2 / 3 + 2 / 3) / 2)
