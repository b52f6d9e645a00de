"""What every method has in common: which images it may look at, what decides its values, and the cache."""

import json
from dataclasses import replace

import pytest
import torch

import multistage
from multistage.data.dataset import hash_tensors
from multistage.filters import filter_methods
from multistage.filters.gabor import gabor_bank
from multistage.records import runs
from multistage.train import filters, protocol
from multistage.train.history import History
from multistage.train.restore import make_network

CPU = torch.device("cpu")


@pytest.fixture
def make(plan, looked):
    """Filters that settings give: the network, what was measured, and how many images were looked at."""

    def make(*settings, change=lambda dataset, split: dataset):
        looked.clear()
        run = plan(*settings)
        dataset = run.settings.data.load()
        split = run.settings.draw.of(dataset)
        net = make_network(run.settings, len(dataset.class_names))
        measured = filters.initialise(run.settings, net, change(dataset, split), split.train, CPU)
        return net, measured, sum(looked)

    return make


QUICK = ["psd.stage1.steps=3", "psd.stage2.steps=3", "psd.batch_size=8"]
looking = [
    [f"filters={name}", *(QUICK if name == "psd" else [])] for name, method in filter_methods.items() if method.looks
]


def kernels(net):
    return [bank.kernels.detach() for bank in net.filter_banks]


def the_same(first, second):
    return [torch.equal(a, b) for a, b in zip(kernels(first), kernels(second), strict=True)]


def test_random_filters_stay_and_nothing_is_looked_at(plan, monkeypatch):
    """`initialise` is for the others: it is not even called."""
    monkeypatch.setattr(filters, "initialise", None)
    run = plan("refine=false", "readout=lbfgs")
    dataset = run.settings.data.load()
    trained = protocol.train(run.config, dataset, run.settings.draw.of(dataset), History(), "none")
    assert trained.filters == []
    assert all(the_same(make_network(run.settings, 4), trained.net))


def test_gabor_filters_and_templates_take_the_place_of_random_kernels_alone(make, plan):
    net, measured, _ = make("filters=gabor")
    untouched = make_network(plan().settings, 4)
    assert len(measured) == 2
    changed = {name for name, value in untouched.state_dict().items() if not torch.equal(value, net.state_dict()[name])}
    assert changed == {"stages.0.filter_bank.kernels", "stages.1.filter_bank.kernels"}
    first, second = kernels(net)
    bank = gabor_bank(32, 5)
    torch.testing.assert_close(first[:, 0].flip(-1, -2) / first[0].norm(), bank)
    lengths = [drawn.flatten(1).norm(dim=1).mean() for drawn in kernels(untouched)]
    for ours, expected in zip((first, second), lengths, strict=True):
        torch.testing.assert_close(ours.flatten(1).norm(dim=1), expected.expand(len(ours)), rtol=0.05, atol=0)


def test_one_stage_needs_no_image(make):
    net, measured, looked = make("filters=gabor", "stages=1")
    assert len(kernels(net)) == len(measured) == 1
    assert looked == 0


def test_without_gains_as_with_them(make):
    assert all(the_same(make("filters=gabor")[0], make("filters=gabor", "filter_bank.gain=false")[0]))


def poisoned(dataset, split):
    """All images but the training images are not a number; they are standardised before, as nothing would be after."""
    images = torch.full(dataset.images.shape, torch.nan)
    images[split.train] = dataset.pixels(split.train)
    return replace(dataset, images=images, content_hash="poisoned")


@pytest.mark.parametrize("model", ["abs_lcn_avgpool", "abs_lcn_batchnorm_avgpool"])
@pytest.mark.parametrize("typed", [*looking, ["filters=psd", *QUICK, "psd.convolutional=true"]], ids=str)
def test_only_training_images_are_looked_at(make, typed, model):
    settings = [*typed, f"model={model}", "data.validation=3"]
    clean, poison = make(*settings)[0], make(*settings, change=poisoned)[0]
    assert all(the_same(clean, poison))
    assert all(values.isfinite().all() for values in kernels(poison))


def test_the_first_stage_is_learned_once_whatever_comes_after_it(make):
    first, _, looked = make("filters=psd", *QUICK)
    for model in ("avgpool", "lcn_maxpool"):
        other, _, again = make("filters=psd", f"model={model}", *QUICK)
        assert again == looked / 2  # by the second stage alone
        assert the_same(first, other) == [True, False]
    alone, _, again = make("filters=psd", "stages=1", "psd.stage1.steps=3", "psd.batch_size=8")
    assert again == 0
    assert torch.equal(kernels(alone)[0], kernels(first)[0])


@pytest.mark.parametrize("settings", looking, ids=str)
def test_the_cache_gives_the_same_and_looks_at_nothing(make, monkeypatch, settings):
    monkeypatch.setenv("MULTISTAGE_CACHE_LIMIT", "0")
    without, measured, looked = make(*settings)
    assert looked > 0
    monkeypatch.setenv("MULTISTAGE_CACHE_LIMIT", "1")
    for expected in (looked, 0):
        again, repeated, counted = make(*settings)
        assert all(the_same(without, again))
        assert repeated == measured
        assert counted == expected


@pytest.mark.parametrize(
    "settings",
    [["seed=1"], ["draw=1"], ["data.validation=3"], ["data.train_per_class=20"], ["model=lcn_avgpool"]],
    ids=" ".join,
)
def test_what_templates_depend_on_makes_others_and_leaves_the_bank(make, settings):
    first, second = make("filters=gabor")[0], make("filters=gabor", *settings)[0]
    assert the_same(first, second) == [True, False]


def test_other_images_make_other_templates(make):
    def mirrored(dataset, split):
        images = dataset.images.flip(-1)
        return replace(dataset, images=images, content_hash=hash_tensors(images))

    first, second = make("filters=gabor")[0], make("filters=gabor", change=mirrored)[0]
    assert the_same(first, second) == [True, False]


@pytest.mark.parametrize("settings", [["readout=lbfgs"], ["readout=sgd"], ["hidden=5"], ["data.batch_size=7"]])
def test_what_comes_after_filters_makes_no_others(make, settings):
    make("filters=gabor", "refine=false")
    assert make("filters=gabor", "refine=false", *settings)[2] == 0


def test_the_path_and_the_record_name_the_filters(plan, do):
    run = plan("filters=gabor", "refine=false", "readout=lbfgs")
    assert "/2/gabor/lbfgs/" in run.folder.as_posix()
    record = do(run)
    assert record["config"]["filters"] == "gabor"
    assert record["filters"] == [{"oriented": 32}, {}]
    assert record["metrics"]["test_accuracy"] > 0.5
    assert "filters=gabor" in record["overrides"]
    stored = kernels(multistage.load(run.folder))
    torch.testing.assert_close(stored[0][:, 0].flip(-1, -2) / stored[0][0].norm(), gabor_bank(32, 5))
    assert json.loads((run.folder / runs.RESULT).read_text()) == record


def test_refined_gabor_filters_are_where_training_starts_and_resuming_ends_the_same(plan, do, monkeypatch):
    settings = ["filters=gabor", "trainer.max_epochs=2"]
    run, other = plan(*settings), plan(*settings, "name=other")
    assert "/2/gabor-refined/softmax/" in run.folder.as_posix()
    record = do(run)
    net = multistage.load(run.folder)
    start = gabor_bank(32, 5)
    moved = kernels(net)[0][:, 0].flip(-1, -2) / kernels(net)[0][0].norm() - start
    assert 0 < moved.norm() < start.norm()

    class Stop(BaseException):
        """As a killed process ends."""

    step = torch.optim.SGD.step
    steps = []

    def stopping(self, *args, **options):
        steps.append(0)
        if len(steps) == 6:
            raise Stop
        return step(self, *args, **options)

    monkeypatch.setattr(torch.optim.SGD, "step", stopping)
    with pytest.raises(Stop):
        do(other)
    monkeypatch.setattr(torch.optim.SGD, "step", step)
    assert runs.state(other.folder) == "unfinished"
    assert (other.folder / runs.CHECKPOINT).exists()
    resumed = do(other)
    assert resumed["weights_sha256"] == record["weights_sha256"]
    assert resumed["metrics"] == record["metrics"]
