"""Runs that are tested on corrupted images, too."""

import pytest

from multistage.data import corruptions
from multistage.data.corruptions import CORRUPTIONS, STRENGTHS
from multistage.train import corruptions as tested

FROZEN = ("refine=false", "readout=lbfgs")


@pytest.fixture
def harmless(monkeypatch):
    """Every strength counts as none."""
    corrupt = corruptions.corrupted
    monkeypatch.setattr(corruptions, "corrupted", lambda pixels, name, _, random: corrupt(pixels, name, 0, random))


@pytest.mark.parametrize("learning", [FROZEN, (*FROZEN, "views.mirror=true"), ("trainer.max_epochs=1",)], ids=str)
def test_without_strength_every_figure_is_the_clean_one(plan, do, harmless, learning):
    record = do(plan(*learning, "test.corrupted=true"))
    clean = record["metrics"]["test_mean_class_accuracy"]
    assert record["corruptions"] == {name: [clean] * 5 for name in CORRUPTIONS}


def test_a_run_that_is_tested_so_is_another_run_of_the_same_figures(plan, do):
    plain, more = do(plan(*FROZEN)), do(plan(*FROZEN, "test.corrupted=true"))
    assert "corruptions" not in plain
    assert plain["metrics"] == more["metrics"]
    assert plain["settings_sha256"] != more["settings_sha256"]
    assert more["run"] == f"{plain['run']}-corrupted-true"
    assert more["seconds"]["corruptions"] > 0
    for name, found in more["corruptions"].items():
        assert len(found) == len(STRENGTHS), name
        assert all(0 <= value <= 1 for value in found)
    assert min(min(found) for found in more["corruptions"].values()) < more["metrics"]["test_mean_class_accuracy"]


def test_networks_of_a_draw_see_the_same_images(plan, do, monkeypatch):
    seen = []
    found = tested.Corrupted.__getitem__

    def watched(self, indices):
        seen[-1].append((self.name, self.strength, round(float(found(self, indices).abs().double().sum()), 3)))
        return found(self, indices)

    monkeypatch.setattr(tested.Corrupted, "__getitem__", watched)
    for changed in (["seed=0"], ["seed=1", "model=avgpool"], ["draw=1"]):
        seen.append([])
        do(plan(*FROZEN, "test.corrupted=true", *changed))
    assert seen[0] == seen[1]
    assert seen[0] != seen[2]
