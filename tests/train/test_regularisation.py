"""Smoothed labels and dropout: right values, in training alone, and nothing where they are off."""

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

from multistage.readout import readouts
from multistage.records import runs
from multistage.registry.errors import ConfigError, UnreadError
from multistage.train import protocol, training
from multistage.train.batches import epoch_order

CLASSES = 4
SCORES = torch.randn(10, CLASSES, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(10) % CLASSES
MIXED = 0.3 * F.one_hot(LABELS, CLASSES) + 0.7 * F.one_hot(LABELS.flip(0), CLASSES)


@pytest.mark.parametrize("weights", [None, torch.tensor([0.5, 1.0, 2.0, 0.1])], ids=["alike", "weighted"])
@pytest.mark.parametrize("labels", [LABELS, MIXED], ids=["labels", "mixed"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_the_loss_is_that_of_labels_shared_out_among_classes(smoothing, labels, weights):
    shares = F.one_hot(labels, CLASSES).float() if labels.ndim == 1 else labels
    wanted = (1 - smoothing) * shares + smoothing / CLASSES
    each = -(wanted * SCORES.log_softmax(1)).sum(1) * (1 if weights is None else shares @ weights)
    loss = readouts["softmax"](label_smoothing=smoothing).loss(SCORES, labels, weights)
    torch.testing.assert_close(loss, each.mean())


def test_weights_of_classes_turn_no_smoothed_label():
    """A common class with a smoothed label: its image is best called by its class, however rare the other one is."""
    softmax = readouts["softmax"](class_weights="balanced", label_smoothing=0.1)
    labels = torch.tensor([0] * 150 + [1] * 5)
    weights = softmax.weights(labels, 2)
    scores = torch.zeros(1, 2, requires_grad=True)
    softmax.loss(scores, torch.tensor([0]), weights).backward()
    assert scores.grad[0, 0] < 0 < scores.grad[0, 1]
    assert softmax.loss(torch.zeros(155, 2), labels, weights).item() == pytest.approx(torch.tensor(2.0).log().item())


def test_without_smoothing_the_loss_is_cross_entropy_to_the_bit():
    assert torch.equal(readouts["softmax"]().loss(SCORES, LABELS), F.cross_entropy(SCORES, LABELS))


def test_a_dropped_feature_is_zero_and_the_mean_stays():
    features = torch.ones(200, 500)
    found = training.dropped(features, torch.rand(200, 500, generator=torch.Generator().manual_seed(0)), 0.25)
    assert set(found.unique().tolist()) == {0.0, torch.tensor(1 / 0.75).item()}
    assert (found == 0).float().mean().item() == pytest.approx(0.25, abs=0.01)
    assert found.mean().item() == pytest.approx(1, abs=0.01)


class Shown(nn.Module):
    """Keeps what it is shown."""

    def __init__(self):
        super().__init__()
        self.shown = []

    def forward(self, features):
        self.shown.append(features)
        return features[:, :CLASSES]


class Place:
    """Stands for the trainer: a place among devices, and an epoch."""

    def __init__(self, epoch, rank, devices):
        self.current_epoch, self.global_rank, self.world_size = epoch, rank, devices


def seen(epoch=0, batch=0, rank=0, devices=1, seed=0):
    """What the classifier sees of a batch of ten, or of a device's share of it."""
    config = {"seed": seed}
    net = Shown()
    learner = training.Classifier(net, CLASSES, config, readouts["softmax"](dropout=0.5))
    learner._trainer = Place(epoch, rank, devices)
    learner.log = lambda *_, **__: None
    learner.training_step((torch.ones(10, 64)[rank::devices], LABELS[rank::devices], 1.0), batch)
    return net.shown[0]


def test_what_is_dropped_follows_from_seed_epoch_and_batch_alone():
    torch.manual_seed(0)
    first = seen()
    torch.manual_seed(1)
    state = torch.get_rng_state()
    assert torch.equal(seen(), first)
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(torch.equal(seen(**{what: 1}), first) for what in ("epoch", "batch", "seed"))


@pytest.mark.parametrize("devices", [2, 3, 4])
def test_devices_drop_together_what_one_drops(devices):
    whole = seen()
    for rank in range(devices):
        assert torch.equal(seen(rank=rank, devices=devices), whole[rank::devices])


@pytest.mark.parametrize("typed", [["refine=true"], ["refine=false"], ["refine=true", "hidden=6"]], ids=str)
def test_dropout_and_smoothing_are_in_training_alone(plan, do, typed):
    """Against a loop written out; validation and what is saved know nothing of them."""
    small = ["model=avgpool", "trainer.max_epochs=1", "data.validation=5", "schedule=null", *typed]
    run = plan(*small, "softmax.dropout=0.5", "softmax.label_smoothing=0.1")
    record = do(run)
    plain = do(plan(*small))
    assert record["parameters"] == plain["parameters"]
    assert record["history"]["train_loss"] != plain["history"]["train_loss"]

    dataset = run.settings.data.load()
    split = run.settings.draw.of(dataset)
    trained = load_file(run.folder / runs.WEIGHTS)
    assert trained.keys() == load_file(plan(*small).folder / runs.WEIGHTS).keys()
    net = protocol.make_network(run.settings, CLASSES)
    learned = net if run.settings.refine else net.classifier
    optimizer = torch.optim.SGD(learned.parameters(), lr=0.05, momentum=0.9, weight_decay=0.0)
    size, losses = run.settings.batch_size, []
    for number, batch in enumerate(epoch_order(len(split.train), 0, 0).split(size)):
        features = net.features(dataset.pixels(split.train[batch]))
        features = features if run.settings.refine else features.detach()
        random = torch.rand(features.shape, generator=training.generator(0, "dropout/0", number))
        scores = net.classifier(features.masked_fill(random < 0.5, 0) / 0.5)
        losses.append(F.cross_entropy(scores, dataset.labels[split.train[batch]], label_smoothing=0.1))
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    for name, value in net.state_dict().items():
        torch.testing.assert_close(trained[name], value, rtol=1e-4, atol=1e-6)
    sizes = torch.tensor([len(batch) for batch in epoch_order(len(split.train), 0, 0).split(size)]).double()
    expected = torch.stack(losses).detach().double() @ sizes / sizes.sum()
    assert record["history"]["train_loss"] == pytest.approx([expected.item()], rel=1e-5)
    validation = F.cross_entropy(net.eval()(dataset.pixels(split.validation)), dataset.labels[split.validation])
    assert record["history"]["validation_loss"] == pytest.approx([validation.item()], rel=1e-4)


def test_mixed_images_weights_smoothing_and_dropout_go_together(plan, do):
    together = ["softmax.class_weights=balanced", "softmax.label_smoothing=0.2", "softmax.dropout=0.3"]
    run = plan("model=avgpool", "trainer.max_epochs=1", "augment.mixup=0.4", "trainer.precision=bf16-mixed", *together)
    record = do(run)
    assert {f"{key}={record['config'][key]}" for key in ("softmax.label_smoothing", "softmax.dropout")} < {*together}
    assert set(together) < set(record["overrides"])
    assert plan(*run.overrides).folder == run.folder
    assert plan("softmax.label_smoothing=0.0", "softmax.dropout=0").folder == plan().folder


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("softmax.label_smoothing=1.5", r"^softmax.label_smoothing=1.5 is not allowed; expected a number from 0 to 1$"),
        (
            "softmax.label_smoothing=-0.1",
            "^softmax.label_smoothing=-0.1 is not allowed; expected a number from 0 to 1$",
        ),
        ("softmax.dropout=1", r"^softmax.dropout=1 is not allowed; expected a number from 0 to 0\.999$"),
        ("softmax.dropout=true", "^softmax.dropout=true is not allowed; expected a number from 0"),
        ("dropout=0.5", r"^unknown key 'dropout'; type softmax\.dropout=0\.5$"),
    ],
)
def test_what_no_run_can_have_is_refused(plan, typed, message):
    with pytest.raises(ConfigError, match=message):
        plan(typed)


@pytest.mark.parametrize("setting", ["dropout", "label_smoothing"])
def test_other_readouts_have_neither(plan, setting):
    with pytest.raises(UnreadError, match=f"^softmax.{setting}=0.5 has no effect with .*readout=ridge; leave it out"):
        plan("refine=false", "readout=ridge", f"softmax.{setting}=0.5")
