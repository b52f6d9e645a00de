import csv
import math
from types import SimpleNamespace

import pytest
import torch
from pytorch_lightning import LightningModule
from torch import nn

import multistage
from multistage.records import runs
from multistage.settings import composition
from multistage.train import epochs, protocol, training
from multistage.train.batches import EpochOrder, Shares, epoch_order
from multistage.train.evaluation import accuracy
from multistage.train.history import History
from multistage.train.quiet import quiet
from multistage.train.restore import make_network


def test_a_run_leaves_what_the_design_says(plan, do):
    run = plan("trainer.max_epochs=3")
    record = do(run)
    assert {p.name for p in run.folder.iterdir()} == {
        ".lock",
        "config.yaml",
        "confusion.csv",
        "filters.safetensors",
        "metrics.csv",
        "mistakes.png",
        "predictions.csv",
        "weights.safetensors",
        "result.json",
    }
    assert record == runs.read(run.folder)
    assert record["config"] == dict(run.config)
    assert {"test_accuracy", "test_mean_class_accuracy", "train_accuracy"} <= record["metrics"].keys()
    assert sum(entry["correct"] for entry in record["per_class"]) == pytest.approx(
        record["metrics"]["test_accuracy"] * sum(entry["total"] for entry in record["per_class"])
    )
    assert record["seconds"].keys() == {"data", "train", "test"}
    assert record["parameters"] == sum(p.numel() for p in multistage.load(run.folder).parameters())
    for key in ("versions", "hardware", "device", "precision", "threads", "split_hash", "data_hash", "results_version"):
        assert record[key]
    table = list(csv.DictReader((run.folder / "metrics.csv").read_text().splitlines()))
    assert [float(row["train_loss"]) for row in table] == record["history"]["train_loss"]
    assert record["history"]["epoch"] == [1, 2, 3]
    confusion = list(csv.DictReader((run.folder / "confusion.csv").read_text().splitlines()))
    for entry, row in zip(record["per_class"], confusion, strict=True):
        assert row.pop("true class") == entry["name"]
        assert int(row[entry["name"]]) == entry["correct"]
        assert sum(map(int, row.values())) == entry["total"]
    repeated = composition.plan(record["overrides"]).config
    assert [k for k, v in run.config.items() if repeated[k] != v] == ["output"]


def test_training_learns_and_loading_gives_the_same_network(plan, do):
    run = plan("model=lcn_maxpool")
    record = do(run)
    assert record["metrics"]["test_accuracy"] > 0.9
    net = multistage.load(run.folder)
    assert not net.training
    assert net.class_names == ("class0", "class1", "class2", "class3")
    dataset = run.settings.data.load()
    test = run.settings.draw.of(dataset).test
    right = net(dataset.pixels(test)).argmax(1) == dataset.labels[test]
    assert right.float().mean().item() == pytest.approx(record["metrics"]["test_accuracy"])


def test_the_same_run_twice_is_the_same_to_the_bit(plan, do):
    first, second = plan("name=one", "trainer.max_epochs=2"), plan("name=two", "trainer.max_epochs=2")
    torch.manual_seed(1)
    do(first)
    torch.manual_seed(2)
    do(second)
    weights = [(run.folder / "weights.safetensors").read_bytes() for run in (first, second)]
    assert weights[0] == weights[1]
    assert runs.read(first.folder)["metrics"] == runs.read(second.folder)["metrics"]


def test_refinement_changes_every_filter(plan, do):
    run = plan("trainer.max_epochs=1")
    do(run)
    fresh, trained = make_network(run.settings, 4), multistage.load(run.folder)
    for (name, before), after in zip(fresh.named_parameters(), trained.parameters(), strict=True):
        assert not torch.equal(before, after), name


def test_validation_images_choose_the_epoch(plan, do):
    run = plan("data.validation=10", "trainer.max_epochs=3", "optimizer.lr=0.2", "schedule=null")
    record = do(run)
    seen = record["history"]["validation_accuracy"]
    assert len(seen) == 3
    assert record["metrics"]["validation_accuracy"] == pytest.approx(max(seen))


def test_of_equally_good_epochs_the_first_is_kept_and_seconds_are_those_of_all_processes():
    weights = {"x": torch.zeros(1)}
    kept = epochs.EpochEnds(History(), lambda: weights, choose=True)
    for epoch, value in enumerate([0.5, 0.75, 0.75, 0.5]):
        weights["x"] += 1
        metrics = {"train_loss": 1.0, "validation_accuracy": value}
        kept.on_train_epoch_end(SimpleNamespace(callback_metrics=metrics, current_epoch=epoch), None)
    assert kept.best["x"].item() == 2
    resumed = epochs.EpochEnds(History(), lambda: weights, choose=True)
    resumed.load_state_dict({**kept.state_dict(), "seconds": 1000.0})
    assert 1000 <= resumed.seconds < 2000
    assert resumed.best["x"].item() == 2


def test_test_images_are_not_needed_for_training(plan, tmp_path):
    run = plan("trainer.max_epochs=1", "data.validation=5")
    dataset = run.settings.data.load()
    split = run.settings.draw.of(dataset)
    dataset.images[split.test] = 255
    dataset.labels[split.test] = -1
    with quiet():
        protocol.train(run.config, dataset, split, History(), "none")


def test_a_diverged_run_is_stopped_marked_failed_and_leaves_no_record(plan, do):
    run = plan("optimizer.lr=1e9", "schedule=null", "model=avgpool", "filter_bank.squash=none")
    with pytest.raises(training.DivergedError, match=r"smaller optimizer\.lr than 1e\+09"):
        do(run)
    assert runs.state(run.folder) == "failed"
    assert "training diverged in epoch 1" in runs.failure(run.folder)["reason"]
    assert runs.read(run.folder) is None


def test_the_order_of_samples_is_a_function_of_seed_and_epoch():
    order = EpochOrder(10, seed=0)
    first = list(order)
    assert sorted(first) == list(range(len(order))) == list(range(10))
    assert first == list(order) == epoch_order(10, 0, 0).tolist()
    taken = iter(order)
    order.set_epoch(1)  # Lightning says so after it has asked for an iterator
    assert list(taken) == list(order) != first
    order.set_epoch(0)
    assert first == list(order) != list(EpochOrder(10, seed=1))


@pytest.mark.parametrize("devices", [1, 2, 3])
def test_devices_share_batches_out_and_their_mean_loss_is_the_batch_s(devices):
    samples = torch.arange(20.0).view(10, 2), torch.arange(10)
    indices = [3, 1, 4, 5, 9, 2, 6]
    for batch in (indices, indices[:1]):
        parts = [Shares(samples, rank, devices).__getitems__(batch) for rank in range(devices)]
        assert all(torch.equal(x, samples[0][y]) for x, y, _ in parts)
        assert sorted(y.item() for _, ys, weight in parts if weight for y in ys) == sorted(batch)
        loss = sum(weight * y.double().mean() for _, y, weight in parts) / devices
        assert loss.item() == pytest.approx(sum(batch) / len(batch))


def test_metrics_of_an_epoch_are_those_of_all_its_samples():
    losses, sizes = torch.rand(3, generator=torch.Generator().manual_seed(0)), (4, 4, 2)
    metric = training.MeanLoss()
    for loss, size in zip(losses, sizes, strict=True):
        metric.update(loss, size)
        metric.update(loss, 0)  # a device without a share of the batch
    expected = float(losses.double() @ torch.tensor(sizes).double() / 10)
    assert metric.compute().item() == pytest.approx(expected, abs=1e-15)


def test_one_loss_that_is_no_number_ends_the_epoch_in_which_it_came(train, monkeypatch):
    steps, original, history = [], training.Classifier.training_step, History()

    def step(self, batch, index):
        steps.append(index)
        if len(steps) == 6:  # the second of the second epoch's four
            self.train_loss.update(torch.tensor(torch.inf), 1)
        return original(self, batch, index)

    monkeypatch.setattr(training.Classifier, "training_step", step)
    with pytest.raises(training.DivergedError, match=r"in epoch 2 \(loss inf\)"):
        train("trainer.max_epochs=3", "model=avgpool", history=history)
    assert len(steps) == 8
    assert len(history.rows) == 1


def test_a_step_never_waits_for_the_device(train, monkeypatch):
    """No number of a tensor is read in a step; on a GPU each reading would cost more than the step's arithmetic."""
    inside, read = [], []
    for name in ("item", "__bool__", "__float__", "__int__", "tolist", "cpu"):
        method = getattr(torch.Tensor, name)
        monkeypatch.setattr(
            torch.Tensor, name, lambda t, *a, m=method, n=name: (read.extend([n] * len(inside)), m(t, *a))[1]
        )

    step = LightningModule.optimizer_step  # the loss, its gradient, and what the optimiser makes of it

    def learn(*arguments):
        inside.append(True)
        step(*arguments)
        inside.clear()

    monkeypatch.setattr(training.Classifier, "optimizer_step", learn)
    train("trainer.max_epochs=1", "model=avgpool")
    assert read == []


def test_lightning_asks_for_a_new_order_every_epoch(plan, do, monkeypatch):
    epochs = []
    monkeypatch.setattr(EpochOrder, "set_epoch", lambda self, epoch: epochs.append(epoch))
    do(plan("trainer.max_epochs=3"))
    assert sorted(set(epochs)) == [0, 1, 2]


@pytest.mark.parametrize(
    ("typed", "accumulated", "clipped"),
    [
        ([], 1, None),
        (["model=abs_batchnorm_avgpool", "schedule=null"], 1, None),
        (["trainer.accumulate_grad_batches=2", "trainer.gradient_clip_val=0.01", "data.batch_size=25"], 2, 0.01),
    ],
    ids=["plain", "no schedule", "accumulated and clipped"],  # the last: five batches, three steps
)
def test_lightning_does_what_a_bare_loop_does(plan, train, typed, accumulated, clipped):
    """The Trainer adds nothing to the arithmetic: same weights as a loop written out, bit for bit."""
    run = plan("trainer.max_epochs=2", *typed)
    trained = train("trainer.max_epochs=2", *typed)[0].net
    dataset = run.settings.data.load()
    chosen = run.settings.draw.of(dataset).train
    x, y = dataset.pixels(chosen), dataset.labels[chosen]

    net = make_network(run.settings, 4)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=0.0)
    epochs = [epoch_order(len(y), run.config["seed"], epoch).split(run.config["data.batch_size"]) for epoch in (0, 1)]
    steps = 2 * math.ceil(len(epochs[0]) / accumulated)
    one_cycle = torch.optim.lr_scheduler.OneCycleLR
    schedule = None if "schedule=null" in typed else one_cycle(optimizer, max_lr=0.05, total_steps=steps)
    for batches in epochs:
        for number, batch in enumerate(batches, 1):
            (nn.functional.cross_entropy(net(x[batch]), y[batch]) / accumulated).backward()
            if number % accumulated == 0 or number == len(batches):
                if clipped is not None:
                    nn.utils.clip_grad_norm_(net.parameters(), clipped)
                optimizer.step()
                optimizer.zero_grad()
                if schedule is not None:
                    schedule.step()
    for (name, expected), actual in zip(net.state_dict().items(), trained.state_dict().values(), strict=True):
        assert torch.equal(expected, actual), name


@pytest.mark.gpu
def test_training_on_the_gpu(plan, do):
    assert do(plan("trainer.accelerator=gpu", "model=lcn_maxpool"))["metrics"]["test_accuracy"] > 0.9


@pytest.mark.parametrize("classes", [10, 20, 26])
def test_all_right_is_an_accuracy_of_one(classes):
    """torchmetrics' mean over classes is a little more, which no record may have."""
    labels = torch.arange(classes).repeat_interleave(36)
    assert [accuracy(labels, labels, classes, average=average) for average in ("micro", "macro")] == [1, 1]
