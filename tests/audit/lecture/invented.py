"""Material without files: blurred noise for images, a few of them; networks and filters as they are before training."""

import importlib
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from report import invented
from torch import Tensor

from audit.lecture.material import Filters, Material
from audit.lecture.stage import random_kernels
from multistage.data.dataset import Dataset
from multistage.records.files import to_lines
from multistage.settings.tree import parse
from multistage.train.restore import make_network

MOST = 4
"""Images that a section gets, however many it asks for."""

MODELS = ("abs_lcn_avgpool", "avgpool", "batchnorm_avgpool", "relu_lcn_avgpool")
"""Presets of which networks are published."""

COMPARED = ("abs_lcn_avgpool", "abs_avgpool", "lcn_avgpool", "avgpool", "abs_batchnorm_avgpool")
"""Presets of which accuracies are compared."""

QUICK = {
    "audit.lecture.trials": {"STEPS": 12, "SEEDS": 2, "RATES": (0.005, 0.02)},
    "audit.lecture.sections.lecture_02_local_connectivity": {"DRAWS": 2},
    "audit.lecture.sections.lecture_11_contrast_normalisation": {"WITH_MAPS": 2, "WITH_UNITS": 1, "CROP": 36},
    "audit.lecture.sections.lecture_14_probabilities": {"EPOCHS": 2, "DRAWS": 2, "LEAST": 1},
    "audit.lecture.sections.paper_19_optimal_stimuli": {"ASCENT": 4, "SPECTRUM": 9},
}
"""Smaller numbers for sections that train or search; by module."""


def noise(n, side, seed=0):
    """Gray values from 0 to 255 with structure over a few pixels."""
    white = torch.rand(n, 1, side + 4, side + 4, generator=torch.Generator().manual_seed(seed))
    blurred = torch.nn.functional.avg_pool2d(white, 5, 1)
    low, high = blurred.amin((1, 2, 3), keepdim=True), blurred.amax((1, 2, 3), keepdim=True)
    return 255 * (blurred - low) / (high - low)


class Invented(Material):
    """The same interface, made of nothing."""

    def __init__(self, results=Path("nowhere")):
        super().__init__(results)

    def config(self, *typed):
        if any(setting.startswith("data=") and setting != "data=digits" for setting in typed):
            return super().config(*typed)
        return super().config(*typed, "data.train_per_class=10")

    def dataset(self, name):
        side, classes, each = {"caltech101": (143, 3, 32), "digits": (28, 10, 14)}.get(name, (28, 10, 4))
        images, labels = noise(classes * each, side), torch.arange(classes).repeat_interleave(each)
        names = [f"{label}/{i}" for i, label in enumerate(labels.tolist())]
        official = None if name != "mnist" else torch.arange(len(labels)) % 2 == 0
        if name == "digits":  # to be learned: a class is where a bar is
            images[torch.arange(len(labels)), :, 2 * labels + 4] = 255
        images = (images - 127) / 64 if name == "caltech101" else images.to(torch.uint8)
        return Dataset(images, labels, tuple(map(str, range(classes))), names, official, "invented")

    def images(self, name: str, count: int) -> Tensor:
        return super().images(name, min(count, MOST))

    def labels(self, name: str, count: int) -> Tensor:
        return super().labels(name, min(count, MOST))

    def photographs(self, count: int, side: int = 128) -> Tensor:
        return noise(min(count, MOST), side, seed=1)

    def presets(self):
        return list(MODELS)

    def trained(self, model):
        return self._network(f"model={model}", "seed=1")

    def untrained(self, model):
        return self._network(f"model={model}")

    def _network(self, *typed):
        return make_network(parse(self.config("data=mnist", *typed)), 10).eval().requires_grad_(False)

    def filters(self, filters, refine):
        return Filters(random_kernels(8, 9, 1), random_kernels(8, 9, 2), "invented")


@contextmanager
def quick(results):
    """Invented material with published records below a folder, and small numbers for as long as it is used."""
    ablation = [record for record in invented.records() if record["config"]["model"] in COMPARED]
    table1 = [record for record in ablation if record["config"]["data"] == "caltech101"]
    for name, records in {"ablation": ablation, "table1": table1}.items():
        (results / name).mkdir()
        (results / name / "records.jsonl").write_text(to_lines(records), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        for module, values in QUICK.items():
            for name, value in values.items():
                patch.setattr(importlib.import_module(module), name, value)
        yield Invented(results)
