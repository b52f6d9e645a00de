"""Features of frozen filters: computed once per filter set, kept on disk, shared by classifiers and regularisers.

They are those of all images of a run (training, validation, test), so that a run that holds out validation images and
one that does not share them, and a function of nothing but network, images and preprocessing: not of
``data.batch_size``, nor of whether they were kept. What readouts derive from training features alone is kept beside.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn

from multistage.data import Stored
from multistage.data.dataset import Dataset, hash_tensors
from multistage.data.decoder import decoder
from multistage.data.splits import Split
from multistage.network.net import MultiStageNet
from multistage.network.reading import Reading
from multistage.readout import Keep
from multistage.records.runs import RESULTS_VERSION
from multistage.registry import digest
from multistage.registry.errors import MultistageError
from multistage.settings.tree import Settings
from multistage.storage import durable
from multistage.storage.cache import Build, cached
from multistage.train import hardware

BATCH = 32
"""Images at a time. Fixed, as features must not depend on it; 16 to 32 are the fastest on two cores (measured)."""


@dataclass(frozen=True)
class Features:
    """Features of some images of a data set.

    Attributes:
        values: float32 [m, features], memory-mapped if they come from disk.
        indices: Which images, int64 [m], ascending.
        digest: Names all that the values are a function of.
    """

    values: Tensor
    indices: Tensor
    digest: str

    def of(self, indices: Tensor) -> Tensor:
        """Features of images that are among `indices`, float32 [len(indices), features]."""
        return self.values[torch.searchsorted(self.indices, indices)]

    def keep(self, indices: Tensor) -> Keep:
        """Keeps on disk what is computed from the features of these images alone.

        Threads are part of the name: how sums are split among them decides their last digits.
        """
        source = json.dumps([self.digest, hash_tensors(indices), torch.get_num_threads()])

        def keep(name: str, build: Build) -> dict[str, Tensor]:
            return cached(name, source, build, limited=True)

        return keep


def frozen(settings: Settings, net: MultiStageNet, dataset: Dataset, split: Split, device: torch.device) -> Features:
    """Features of all images of a run; normalisations of `net` with statistics get them from its training images.

    Args:
        settings: Of the run.
        net: Made from it; on the CPU, before and afterwards.
        dataset: Where the images are.
        split: Which of them.
        device: Where to compute.

    Raises:
        MultistageError: They do not fit in memory.
    """
    _refuse_if_too_many(settings, split)
    found = [_of_set(settings, stages, dataset, split, device) for stages in net.filter_sets]
    if len(found) == 1:
        return found[0]
    together = torch.cat([each.values for each in found], 1)
    return Features(together, split.used, digest(*(each.digest for each in found)))


def _of_set(settings: Settings, stages: nn.Module, dataset: Dataset, split: Split, device: torch.device) -> Features:
    """Features of one filter set, kept on disk; its statistics are filled in."""
    indices = split.used
    calibrated_on = hash_tensors(split.train) if statistics(stages) else None
    source = digest(
        *(net_digest(stages), settings.geometry, settings.operations, settings.reading),
        *(images_of(settings, dataset), hash_tensors(indices), calibrated_on, computed_by(device)),
    )

    def build() -> dict[str, Tensor]:
        calibrate(stages, dataset, split.train, device)
        reader = Reader(stages, settings.reading)
        return {"features": outputs(reader, dataset, indices, device), **statistics(stages)}

    tensors = dict(cached("features", source, build, limited=True))
    values = tensors.pop("features")
    stages.load_state_dict(tensors, strict=False)
    return Features(values, indices, source)


class Reader(nn.Module):
    """From images to the features of a filter set, [n, f].

    Args:
        stages: Of the filter set.
        reading: What of their maps is read.
    """

    def __init__(self, stages: nn.Module, reading: Reading) -> None:
        super().__init__()
        self.stages, self.reading = stages, reading

    def forward(self, x: Tensor) -> Tensor:
        return self.reading.features(self.stages, x)  # type: ignore[arg-type]


def _refuse_if_too_many(settings: Settings, split: Split) -> None:
    images, length = len(split.used), settings.features
    features = 4 * length * (images + len(split.train))  # a readout reads those of training images in one piece
    wanted = features + settings.readout.memory(len(split.train), length)
    if (free := hardware.free_memory()) is not None and wanted > free:
        raise MultistageError(
            f"frozen features of {images:,} images, {length:,} numbers each, and readout={settings.readout.name} take "
            f"{wanted / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free; choose fewer images (as in "
            "data.train_per_class=100), fewer features (as in geometry.stage1.maps), or refine=true, which keeps none"
        )


def images_of(settings: Settings, dataset: Dataset) -> tuple[object, ...]:
    """What the images that a network sees are a function of: the data set, wherever it lies, and its content."""
    data = replace(settings.data, root="") if isinstance(settings.data, Stored) else settings.data
    return data, dataset.content_hash


def computed_by(device: torch.device) -> tuple[object, ...]:
    """What decides the last digits of whatever is computed, or, if it changes, all of them."""
    return device.type, torch.__version__, torch.get_num_threads(), code_digest(), decoder(), RESULTS_VERSION


@lru_cache
def code_digest() -> str:
    """SHA-256 of the files that make images, filters and features: who changes them must not meet what they gave."""
    package = Path(__file__).parents[1]
    rooms = ("data", "layers", "operations", "network", "filters")
    files = [package / "train/features.py", package / "train/filters.py", package / "readout/span.py"]
    files += [file for room in rooms for file in sorted((package / room).rglob("*.py"))]
    return durable.digest(b"".join(path.read_bytes() for path in files))


def net_digest(stages: nn.Module) -> str:
    """SHA-256 of weights, connections and statistics."""
    state = stages.state_dict()
    return durable.digest(json.dumps({name: hash_tensors(value) for name, value in state.items()}).encode())


def statistics(stages: nn.Module) -> dict[str, Tensor]:
    """Running means and variances of normalisations, by their names in the state."""
    ends = ("running_mean", "running_var")
    return {name: buffer for name, buffer in stages.named_buffers() if name.rpartition(".")[2] in ends}


def outputs(stages: nn.Module, dataset: Dataset, indices: Tensor, device: torch.device) -> Tensor:
    """What stages make of some images in batches of `BATCH`, float32 [len(indices), ...] on the CPU."""
    values = torch.empty(0)
    for start, maps in batches(stages, dataset, indices, device):
        if start == 0:
            values = torch.empty(len(indices), *maps.shape[1:])
        values[start : start + BATCH].copy_(maps)
    return values


@torch.no_grad()
def batches(stages: nn.Module, dataset: Dataset, indices: Tensor, device: torch.device) -> Iterator[tuple[int, Tensor]]:
    """Of each batch where it begins, and what stages make of it; they are on the CPU again afterwards."""
    stages.to(device).eval()
    for start in range(0, len(indices), BATCH):
        yield start, stages(dataset.pixels(indices[start : start + BATCH]).to(device))
    stages.cpu()


@torch.no_grad()
def calibrate(stages: nn.Module, dataset: Dataset, indices: Tensor, device: torch.device) -> None:
    """Give frozen normalisations with running statistics the exact mean and variance of their inputs over some images.

    One pass for each, in order, since what the second sees depends on the statistics of the first. Exact means that the
    result does not depend on how images fall into batches.
    """
    for norm in (module for module in stages.modules() if "running_mean" in dict(module.named_buffers(recurse=False))):
        buffers = dict(norm.named_buffers(recurse=False))
        moments = torch.zeros(3, len(buffers["running_mean"]), dtype=torch.float64)  # count, sum, squares

        def add(module: nn.Module, inputs: tuple[Tensor], moments: Tensor = moments) -> None:
            values = inputs[0].double()
            sums, squares = values.sum((0, 2, 3)), values.square().sum((0, 2, 3))
            moments += torch.stack([torch.full_like(sums, values[:, 0].numel()), sums, squares]).cpu()

        hook = norm.register_forward_pre_hook(add)
        for _ in batches(stages, dataset, indices, device):  # what comes out is not kept: it may be more than memory
            pass
        hook.remove()
        mean, square = moments[1:] / moments[0]
        buffers["running_mean"].copy_(mean)
        buffers["running_var"].copy_((square - mean.square()).clamp_min(0))
