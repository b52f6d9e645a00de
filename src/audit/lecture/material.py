"""What sections measure on: real images, trained networks, learned filters; each read when it is first asked for, once.

Images are test images of draw 0, spread evenly over the classes. Networks are published runs: their records and weights
lie in ``results/explorer``; the same networks as they were before training are made from the same records. Filters are
those of runs of ``results/table1``.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from audit.pages import artifacts
from multistage.data import caltech101
from multistage.data.dataset import Dataset
from multistage.data.images import read_image, resize, to_gray
from multistage.data.splits import Split
from multistage.network.net import MultiStageNet
from multistage.records.files import from_file, path
from multistage.records.runs import Record
from multistage.registry.errors import MultistageError
from multistage.settings import composition
from multistage.settings.tree import Config, parse
from multistage.train.restore import make_network

TABLE1 = "table1"


class Filters(NamedTuple):
    """First-stage kernels k of a published run, float32 [maps, k, k], before and after training; and its name."""

    before: Tensor
    after: Tensor
    run: str


class Material:
    """Everything that sections are given.

    Args:
        results: Folder of published results.
        explorer: Folder below it that holds a trained network of every preset.
    """

    def __init__(self, results: Path, explorer: str = "explorer") -> None:
        self.results, self.explorer = results, results / explorer
        self.config = cache(self._config)
        self.dataset = cache(self._dataset)
        self.split = cache(self._split)
        self.images = cache(self._images)
        self.labels = cache(self._labels)
        self.photographs = cache(self._photographs)
        self.trained = cache(self._trained)
        self.untrained = cache(self._untrained)
        self.filters = cache(self._filters)

    def _config(self, *typed: str) -> Config:
        """The configuration that ``python train.py TYPED...`` runs."""
        return composition.plan(typed).config

    def _dataset(self, name: str) -> Dataset:
        """A data set, verified.

        Raises:
            DataError: It is missing, changed or unreadable.
        """
        return parse(self.config(f"data={name}")).data.load()

    def _split(self, name: str) -> Split:
        """Draw 0 of a data set."""
        return parse(self.config(f"data={name}")).draw.of(self.dataset(name))

    def _images(self, name: str, count: int) -> Tensor:
        """Test images as networks take them, float32 [count, maps, height, width], evenly over the classes.

        Args:
            name: ``caltech101``, ``mnist``, or another data set.
            count: How many.
        """
        return self.dataset(name).pixels(self._chosen(name, count))

    def _labels(self, name: str, count: int) -> Tensor:
        """Labels of the same `images`, int64 [count]."""
        return self.dataset(name).labels[self._chosen(name, count)]

    def _photographs(self, count: int, side: int = 128) -> Tensor:
        """Caltech-101's `images` before any preprocessing: gray values from 0 to 255, float32 [count, 1, side, side].

        The shorter side is resized to `side`, and the middle of the longer one is cut out.
        """
        folder = Path(self.config("data=caltech101")["data.root"]) / caltech101.SOURCE.folder
        names = self.dataset("caltech101").names
        found = [_square(folder / names[i], side) for i in self._chosen("caltech101", count).tolist()]
        return torch.stack(found)[:, None]

    def _chosen(self, name: str, count: int) -> Tensor:
        test = self.split(name).test  # ascending, and data sets hold their images class by class or shuffled
        order = test[torch.argsort(self.dataset(name).labels[test], stable=True)]
        return order[torch.arange(count) * len(order) // count]

    def _record(self, model: str) -> Record:
        file = self.explorer / "records.jsonl"
        records = from_file(file) if file.exists() else []
        found = [record for record in records if record["config"]["model"] == model]
        if not found:
            raise MultistageError(f"{file} has no trained model={model}; {self._advice()}")
        return found[0]

    def _advice(self) -> str:
        name = self.explorer.name
        return f"make it with: python train.py experiment={name} && python scripts/report.py runs/{name}"

    def _trained(self, model: str) -> MultiStageNet:
        """The published MNIST network of a preset, trained, in eval mode.

        Raises:
            MultistageError: It is not published, or its weights are missing (says what to run), or not its own.
        """
        record = self._record(model)
        net = artifacts.network(self.explorer, record)
        if net is None:
            raise MultistageError(f"{self.explorer} has no weights of model={model}; {self._advice()}")
        return net.requires_grad_(False)

    def _untrained(self, model: str) -> MultiStageNet:
        """The same network with the random filters and weights that its training began with, in eval mode."""
        record = self._record(model)
        return make_network(parse(record["config"]), len(record["per_class"])).eval().requires_grad_(False)

    def _filters(self, filters: str, refine: bool) -> Filters:
        """First-stage filters of a published run of Table 1, two stages with abs and N.

        Args:
            filters: How they were initialised: ``random``, ``gabor`` or ``psd``.
            refine: Whether they were trained afterwards.

        Raises:
            MultistageError: There is no such run with published filters.
        """
        folder = self.results / TABLE1
        file = folder / "records.jsonl"
        for record in from_file(file) if file.exists() else []:
            wanted = {"model": "abs_lcn_avgpool", "stages": 2, "filters": filters, "refine": refine}
            if wanted.items() <= record["config"].items() and (kernels := artifacts.filters(folder, record)):
                before, after = (torch.from_numpy(k).flatten(0, 1) for k in kernels)
                return Filters(before, after, f"{folder.name}/{path(record)}")
        raise MultistageError(
            f"{folder} holds no filters of a run with filters={filters} refine={str(refine).lower()}; make them with: "
            f"python train.py experiment={TABLE1} && python scripts/report.py runs/{TABLE1}"
        )


def _square(file: Path, side: int) -> Tensor:
    image = to_gray(read_image(file))
    scale = side / min(image.shape)
    height, width = (max(side, round(size * scale)) for size in image.shape)
    top, left = (height - side) // 2, (width - side) // 2
    return torch.from_numpy(resize(image, height, width)).float()[top : top + side, left : left + side]
