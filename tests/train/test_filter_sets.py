"""Runs with several filter sets and levels: from features on disk to predictions of a loaded model."""

import pytest
import torch

import multistage
from multistage.registry.errors import ConfigError
from multistage.train import features, protocol
from multistage.train.history import History

WIDE = ["filters.banks=2", "readout.levels=[2,1]", "readout.power=0.7"]
PSD = ["filters=psd", "psd.stage1.steps=3", "psd.stage2.steps=3", "psd.batch_size=8"]


@pytest.mark.parametrize("normalise", ["lcn", "lcn_batchnorm"])
def test_frozen_features_are_those_of_the_network(plan, normalise):
    run = plan("refine=false", "readout=ridge", f"model.normalise={normalise}", *PSD, *WIDE)
    dataset = run.settings.data.load()
    split = run.settings.draw.of(dataset)
    trained = protocol.train(run.config, dataset, split, History(), "none")
    with torch.no_grad():
        expected = trained.net.features(dataset.pixels(split.test))
    assert expected.shape[1] == run.settings.features
    torch.testing.assert_close(trained.inputs(split.test), expected, rtol=1e-4, atol=1e-4)
    assert len(trained.filters) == 4
    assert not torch.equal(*(stages[0].filter_bank.kernels for stages in trained.net.filter_sets))


def test_features_of_the_first_set_are_shared_with_runs_that_have_one(plan, monkeypatch):
    made = []
    outputs = features.outputs
    monkeypatch.setattr(features, "outputs", lambda *given: made.append(1) or outputs(*given))
    for settings, count in (([], 1), (["filters.banks=3"], 2), (["filters.banks=2", "readout=lbfgs"], 0)):
        made.clear()
        run = plan("refine=false", "readout=ridge", *settings)
        dataset = run.settings.data.load()
        protocol.train(run.config, dataset, run.settings.draw.of(dataset), History(), "none")
        assert len(made) == count


@pytest.mark.parametrize("learning", [["refine=false", "readout=kernel"], ["trainer.max_epochs=1"]], ids=str)
def test_a_run_is_loaded_as_it_was(plan, do, learning):
    run = plan(*learning, *WIDE)
    record = do(run)
    model = multistage.load(run.folder)
    dataset = run.settings.data.load()
    split = run.settings.draw.of(dataset)
    said = model(dataset.pixels(split.test)).argmax(1)
    assert float((said == dataset.labels[split.test]).double().mean()) == pytest.approx(
        record["metrics"]["test_accuracy"]
    )


def test_what_maps_alone_can_give_is_refused(plan):
    with pytest.raises(ConfigError, match=r"filters\.banks=2 has no effect .*readout=pyramid_svm"):
        plan("refine=false", "readout=pyramid_svm", "filters.banks=2")
