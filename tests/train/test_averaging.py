"""Averages of weights: right values, judged and kept, with statistics and tables as they have to be."""

import pytest
import torch
from pytorch_lightning.callbacks import EMAWeightAveraging, WeightAveraging
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy

import multistage
from multistage.cli import train as command
from multistage.records import runs
from multistage.registry.errors import ConfigError
from multistage.train import averaging
from multistage.train.batches import epoch_order
from multistage.train.restore import make_network

EMA = ("callbacks=ema", "callbacks.ema.decay=0.6")
AVERAGES = {
    "ema": EMA,
    "ema of every third step from the fourth": (
        *EMA,
        "+callbacks.ema.update_every_n_steps=3",
        "+callbacks.ema.update_starting_at_step=3",
    ),
    "polyak": ("callbacks=polyak",),
}


def averaged(run, kind):
    """A loop written out, with the average beside it: its tensors after each epoch."""
    dataset = run.settings.data.load()
    chosen = run.settings.draw.of(dataset).train
    x, y = dataset.pixels(chosen), dataset.labels[chosen]
    net = make_network(run.settings, 4)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=0.0)
    average, taken, step, after = {}, 0, 0, []
    for epoch in range(run.config["trainer.max_epochs"]):
        for batch in epoch_order(len(y), 0, epoch).split(run.settings.batch_size):
            cross_entropy(net(x[batch]), y[batch]).backward()
            optimizer.step()
            optimizer.zero_grad()
            if not kind.endswith("fourth") or (step >= 3 and step % 3 == 0):
                decay = taken / (taken + 1) if kind == "polyak" else 0.6 if taken else 0
                taken += 1
            elif taken:
                decay = 1
            else:
                decay = 0
            for name, value in net.state_dict().items():
                old = average.get(name, value)
                average[name] = torch.lerp(value, old, decay) if value.is_floating_point() else value.clone()
            step += 1
        after.append({name: value.clone() for name, value in average.items()})
    return after


@pytest.mark.parametrize("kind", AVERAGES)
@pytest.mark.parametrize("model", ["avgpool", "abs_batchnorm_avgpool"])
def test_the_average_is_kept(plan, do, kind, model):
    run = plan(f"model={model}", "trainer.max_epochs=2", "schedule=null", *AVERAGES[kind])
    record = do(run)
    kept = load_file(run.folder / runs.WEIGHTS)
    expected = averaged(run, kind)[-1]
    assert kept.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(kept[name], value, rtol=1e-4, atol=1e-6, msg=name)
        assert value.is_floating_point() or torch.equal(kept[name], value), name
    plain = plan(f"model={model}", "trainer.max_epochs=2", "schedule=null")
    assert do(plain)["weights_sha256"] != record["weights_sha256"]
    assert record["history"]["train_loss"] == do(plain)["history"]["train_loss"]  # training itself is the same


@pytest.mark.parametrize("kind", AVERAGES)
def test_validation_images_judge_the_average_and_the_best_one_is_kept(plan, do, kind):
    run = plan("trainer.max_epochs=4", "data.validation=5", "schedule=null", "optimizer.lr=0.05", *AVERAGES[kind])
    record = do(run)
    dataset, net = run.settings.data.load(), make_network(run.settings, 4).eval()
    held_out = run.settings.draw.of(dataset).validation
    right, losses, states = [], [], averaged(run, kind)
    for state in states:
        net.load_state_dict(state)
        scores = net(dataset.pixels(held_out))
        losses.append(cross_entropy(scores, dataset.labels[held_out]).item())
        right.append((scores.argmax(1) == dataset.labels[held_out]).float().mean().item())
    assert record["history"]["validation_loss"] == pytest.approx(losses, rel=1e-4)
    assert record["history"]["validation_accuracy"] == pytest.approx(right)
    best = states[right.index(max(right))]
    for name, value in load_file(run.folder / runs.WEIGHTS).items():
        torch.testing.assert_close(value, best[name], rtol=1e-4, atol=1e-6, msg=name)
    assert record["metrics"]["validation_accuracy"] == pytest.approx(max(right))


def test_tables_of_connections_are_no_average(train, plan, monkeypatch):
    """0.9 of a whole number and 0.1 of it are sometimes less than it, and cut off."""
    typed = ("model=batchnorm_avgpool", "trainer.max_epochs=1", *EMA, "callbacks.ema.decay=0.9")
    table = make_network(plan(*typed).settings, 4).filter_banks[1].connections
    net = train(*typed)[0].net
    assert torch.equal(net.filter_banks[1].connections, table)
    assert net.stages[0].batch_norm.num_batches_tracked == 4
    monkeypatch.setattr(averaging.Averaging, "_follow", lambda *_: None)
    assert not torch.equal(train(*typed)[0].net.filter_banks[1].connections, table)  # as Lightning has it


def test_an_average_that_never_begins_is_the_weights_themselves(plan, do):
    small = ("model=avgpool", "trainer.max_epochs=1", "data.validation=5")
    run, plain = plan(*small, *EMA, "+callbacks.ema.update_starting_at_step=999"), plan(*small)
    record, same = do(run), do(plain)
    assert record["history"] == same["history"]
    kept, last = (load_file(each.folder / runs.WEIGHTS) for each in (run, plain))
    assert all(torch.equal(kept[name], value) for name, value in last.items())


def test_frozen_filters_have_an_averaged_classifier(plan, do):
    small = ("model=avgpool", "trainer.max_epochs=1", "refine=false")
    run, plain = plan(*small, *EMA), plan(*small)
    do(run), do(plain)
    kept, last = (load_file(each.folder / runs.WEIGHTS) for each in (run, plain))
    assert {name for name, value in kept.items() if not torch.equal(value, last[name])} == {
        "classifier.weight",
        "classifier.bias",
    }


REGULARISED = (
    "optimizer.weight_decay=0.1",
    "param_groups=no_decay",
    "softmax.dropout=0.5",
    "softmax.label_smoothing=0.1",
    "softmax.class_weights=balanced",
    "augment.mixup=0.3",
)
TOGETHER = {
    "chosen by validation images": (*REGULARISED, *EMA, "data.validation=5"),
    "last": (*REGULARISED, "callbacks=polyak", "hidden=6"),
    "not begun": (*REGULARISED, *EMA, "+callbacks.ema.update_starting_at_step=6", "data.validation=5"),
    "statistics": (*REGULARISED, *EMA, "model=abs_batchnorm_avgpool", "optimizer=adamw", "optimizer.weight_decay=0.05"),
    "frozen": (*REGULARISED[:-1], *EMA, "refine=false", "hidden=6"),
}


@pytest.mark.parametrize("after", [1, 2, 3, "the last"])
@pytest.mark.parametrize("name", TOGETHER)
def test_a_run_goes_on_as_if_it_had_not_been_interrupted(plan, do, interrupt, name, after):
    typed = ("model=avgpool", "trainer.max_epochs=3", *TOGETHER[name])
    whole, run = plan("name=whole", *typed), plan("name=resumed", *typed)
    expected = do(whole)
    interrupt(run, after)
    assert (run.folder / runs.CHECKPOINT).exists()
    torch.manual_seed(99)
    again = do(run)
    assert again["history"] == expected["history"]
    assert again["metrics"] == expected["metrics"]
    assert again["weights_sha256"] == expected["weights_sha256"]


def test_the_command_does_all_of_it_and_the_run_is_used_like_any_other(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("signal.signal", lambda *_: None)
    typed = [*TOGETHER["statistics"], "data.validation=5", "trainer.max_epochs=2"]
    monitor = "{_target_: pytorch_lightning.callbacks.LearningRateMonitor, logging_interval: epoch}"
    typed.append(f"+callbacks.rate={monitor}")
    assert command.main(["data=fake", *typed, f"output={tmp_path}"]) == 0
    printed, errors = capsys.readouterr()
    assert errors == ""
    (result,) = tmp_path.rglob("result.json")
    record = runs.read(result.parent)
    assert {"lr-AdamW/no_decay", "lr-AdamW/pg1", "validation_loss"} <= record["history"].keys()
    assert command.main([*record["overrides"], f"output={tmp_path}"]) == 0  # finished, and shown
    assert capsys.readouterr().out.splitlines()[-1] == printed.splitlines()[-1]
    net = multistage.load(result.parent)
    assert net.predict([torch.zeros(28, 28).numpy()]).labels[0] in net.class_names


def test_every_class_that_averages_has_one_of_ours():
    assert set(averaging.OURS) == {WeightAveraging, EMAWeightAveraging}
    for theirs, ours in averaging.OURS.items():
        assert issubclass(ours, theirs)
        assert issubclass(ours, averaging.Averaging)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("callbacks.ema.decay=2", r"^callbacks.ema.decay=2 is not allowed; expected a number from 0 to 1$"),
        (
            "+callbacks.ema.update_every_n_steps=0",
            "^callbacks.ema.update_every_n_steps=0 is not allowed; expected a whole",
        ),
        (
            "+callbacks.ema.update_starting_at_step=x",
            "^callbacks.ema.update_starting_at_step=x is not allowed; .*or null$",
        ),
        (
            "+callbacks.ema.update_starting_at_epoch=1",
            "at_epoch=1 is not allowed; expected no more than decay, update_ev",
        ),
        ("+callbacks.ema.use_buffers=false", "use_buffers=false is not allowed; expected no more than decay"),
        ("+callbacks.ema.kwargs=1", "kwargs=1 is not allowed; expected no more than decay"),
        (
            "trainer.precision=bf16-true",
            "^trainer.precision=bf16-true with callbacks.ema: .*; use trainer.precision=bf16-m",
        ),
        (
            "+callbacks.x._target_=pytorch_lightning.callbacks.WeightAveraging",
            "^callbacks.ema and callbacks.x all average weights; expected one of them",
        ),
        ("refine=false readout=ridge", "^callbacks.ema.*has no effect with .*readout=ridge"),
    ],
)
def test_averages_that_cannot_be_are_refused_in_one_line(plan, typed, message):
    with pytest.raises(ConfigError, match=message):
        plan("callbacks=ema", *typed.split())


@pytest.mark.gpu
def test_a_gpu_drops_and_averages_what_the_cpu_does(plan, do):
    typed = ("trainer.max_epochs=2", "data.validation=5", "optimizer.lr=0.01", *REGULARISED, *EMA)
    one, other = (do(plan(f"name={each}", f"trainer.accelerator={each}", *typed)) for each in ("cpu", "gpu"))
    for column in ("train_loss", "validation_loss"):
        assert other["history"][column] == pytest.approx(one["history"][column], rel=1e-3)
