"""Material for measurements: real images, trained networks, learned filters; each is read once, on first use.

Images are test images of draw 0, of each class in proportion to its size. Networks are published runs, with records and
weights in ``results/explorer``; their untrained versions are made from the same records. Filters are from runs of
``results/table1``.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from audit.pages import artifacts
from audit.tables.results import RECORDS
from multistage.data import caltech101
from multistage.data.dataset import Dataset
from multistage.data.images import read_image, to_gray
from multistage.data.resizing import resize
from multistage.data.splits import Split
from multistage.network.net import MultiStageNet
from multistage.records.files import from_file, path
from multistage.records.runs import Record
from multistage.registry.errors import MultistageError
from multistage.settings import composition
from multistage.settings.tree import Config, parse
from multistage.train.restore import make_network

EXPLORER, TABLE1 = "explorer", "table1"

PAPER = "abs_lcn_avgpool"
"""Preset of the paper's network."""

CLASSES = 102
"""Classes of Caltech-101, including the background."""

KEPT = ("config", "dataset", "split", "images", "labels", "photographs", "records", "trained", "untrained", "filters")
"""Values that a material caches."""


class Filters(NamedTuple):
    """First-stage kernels k of a published run, float32 [maps, k, k], before and after training; and its name."""

    before: Tensor
    after: Tensor
    run: str


class Material:
    """Images, networks and filters for sections.

    Args:
        results: Folder of published results.
    """

    def __init__(self, results: Path) -> None:
        self.results = results
        for name in KEPT:
            setattr(self, name, cache(getattr(self, name)))

    def config(self, *typed: str) -> Config:
        """Return the configuration that ``python train.py TYPED...`` runs."""
        return composition.plan(typed).config

    def dataset(self, name: str) -> Dataset:
        """Open a data set and verify it.

        Raises:
            DataError: The data set is missing, changed or unreadable.
        """
        return parse(self.config(f"data={name}")).data.load()

    def split(self, name: str, *typed: str) -> Split:
        """Return a split of a data set; draw 0 by default."""
        return parse(self.config(f"data={name}", *typed)).draw.of(self.dataset(name))

    def images(self, name: str, count: int) -> Tensor:
        """Return preprocessed test images, float32 [count, maps, height, width], of each class in
        proportion to its size.

        Args:
            name: ``caltech101``, ``mnist``, or another data set.
            count: Number of images.
        """
        return self.dataset(name).pixels(self._chosen(name, count))

    def labels(self, name: str, count: int) -> Tensor:
        """Return labels of the same `images`, int64 [count]."""
        return self.dataset(name).labels[self._chosen(name, count)]

    def photographs(self, count: int, side: int = 128) -> Tensor:
        """Return Caltech-101's `images` without preprocessing: gray values 0 to 255, float32 [count, 1, side, side].

        The shorter side is resized to `side`; the longer one is cropped at its centre.
        """
        folder = Path(self.config("data=caltech101")["data.root"]) / caltech101.SOURCE.folder
        names = self.dataset("caltech101").names
        found = [_square(folder / names[i], side) for i in self._chosen("caltech101", count).tolist()]
        return torch.stack(found)[:, None]

    def _chosen(self, name: str, count: int) -> Tensor:
        test = self.split(name).test  # ascending order; data sets have their images class by class or shuffled
        order = test[torch.argsort(self.dataset(name).labels[test], stable=True)]
        return order[torch.arange(count) * len(order) // count]

    def records(self, name: str) -> list[Record]:
        """Read the records of ``results/NAME``; empty if there is no such folder."""
        file = self._file(name)
        return from_file(file) if file.exists() else []

    def _file(self, name: str) -> Path:
        return self.results / name / RECORDS

    def presets(self) -> list[str]:
        """List the presets with a published trained network, sorted; newer presets may be missing.

        Raises:
            MultistageError: There is none; the message says what to run.
        """
        found = sorted({record["config"]["model"] for record in self.records(EXPLORER)})
        if not found:
            raise _missing(EXPLORER, f"{self._file(EXPLORER)} has no trained network; make it")
        return found

    def _record(self, model: str) -> Record:
        for record in self.records(EXPLORER):
            if record["config"]["model"] == model:
                return record
        raise _missing(EXPLORER, f"{self._file(EXPLORER)} has no trained model={model}; make it")

    def trained(self, model: str) -> MultiStageNet:
        """Return the published MNIST network of a preset, trained, in eval mode.

        Raises:
            MultistageError: It is not published, its weights are missing (the message says what to run), or they do
                not match its record.
        """
        folder = self.results / EXPLORER
        net = artifacts.network(folder, self._record(model))
        if net is None:
            raise _missing(EXPLORER, f"{folder} has no weights of model={model}; make it")
        return net.requires_grad_(False)

    def untrained(self, model: str) -> MultiStageNet:
        """Return the same network with its initial random filters and weights, in eval mode."""
        record = self._record(model)
        return make_network(parse(record["config"]), len(record["per_class"])).eval().requires_grad_(False)

    def begun(self, *typed: str) -> MultiStageNet:
        """Return the initial network of ``python train.py data=caltech101 TYPED...``, in eval mode; needs no images."""
        config = self.config("data=caltech101", *typed)
        return make_network(parse(config), CLASSES).eval().requires_grad_(False)

    def filters(self, filters: str, refine: bool) -> Filters:
        """Return first-stage filters of a published run of Table 1, two stages with abs and N.

        Args:
            filters: How they were initialised: ``random``, ``gabor`` or ``psd``.
            refine: Whether they were fine-tuned.

        Raises:
            MultistageError: No such run has published filters.
        """
        folder = self.results / TABLE1
        wanted = {"model": PAPER, "stages": 2, "filters": filters, "refine": refine}
        for record in self.records(TABLE1):
            if wanted.items() <= record["config"].items() and (kernels := artifacts.filters(folder, record)):
                before, after = (torch.from_numpy(k).flatten(0, 1) for k in kernels)
                return Filters(before, after, f"{TABLE1}/{path(record)}")
        settings = f"filters={filters} refine={str(refine).lower()}"
        raise _missing(TABLE1, f"{folder} holds no filters of a run with {settings}; make them")

    def learned(self, every: int = 1) -> Tensor:
        """Return PSD filters before fine-tuning, optionally only every n-th, [maps, k, k]."""
        return self.filters("psd", False).after[::every]


def _missing(experiment: str, what: str) -> MultistageError:
    runs = f"python train.py experiment={experiment} && python scripts/report.py runs/{experiment}"
    return MultistageError(f"{what} with: {runs}")


def _square(file: Path, side: int) -> Tensor:
    image = to_gray(read_image(file))
    scale = side / min(image.shape)
    height, width = (max(side, round(size * scale)) for size in image.shape)
    top, left = (height - side) // 2, (width - side) // 2
    return torch.from_numpy(resize(image, height, width)).float()[top : top + side, left : left + side]
