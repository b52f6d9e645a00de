"""Features of frozen filters: computed once for each filter set, cached on disk, shared by readouts and their settings.

The cache holds all images of a run (training, validation, test), so runs with and without validation images share it.
Features depend only on network, images and preprocessing, not on ``data.batch_size`` or on the cache. Quantities that
readouts derive from training features alone are cached too.
"""

import copy
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from multistage.data import Stored
from multistage.data.dataset import Dataset, hash_tensors, positions
from multistage.data.decoder import decoder
from multistage.data.splits import Split
from multistage.network.net import MultiStageNet
from multistage.network.reading import Reading
from multistage.readout import Keep
from multistage.records.runs import RESULTS_VERSION
from multistage.registry import digest
from multistage.registry.errors import ConfigError, MultistageError
from multistage.settings.tree import Settings
from multistage.storage import durable
from multistage.storage.cache import Build, cached
from multistage.storage.code import code_digest
from multistage.train import hardware

BATCH = 32
"""Batch size. Fixed, because features must not depend on it; 16 to 32 are fastest on two cores (measured)."""

RUNNING = "running_mean", "running_var"
"""Buffers that are computed from training images where filters are frozen, by torch's names."""

CODE = "data", "layers", "operations", "network", "filters", "train/features.py", "train/filters.py"
"""Code that makes images, filters and features; any change computes them again."""


@dataclass(frozen=True)
class Features:
    """Features of some images of a data set.

    Attributes:
        values: float32 [m, features], memory-mapped if they come from disk.
        indices: Numbers of the images, int64 [m], ascending.
        digest: Hash of everything that the values depend on.
    """

    values: Tensor
    indices: Tensor
    digest: str

    def of(self, indices: Tensor) -> Tensor:
        """Return features of images that are among these, float32 [len(indices), features].

        Raises:
            MultistageError: Some are infinite or NaN.
        """
        found = self.values[positions(self.indices, indices)]
        if len(found) and not torch.stack(found.aminmax()).isfinite().all():  # which copies nothing
            raise MultistageError("features are not finite numbers")
        return found

    def keep(self, indices: Tensor) -> Keep:
        """Return a cache for what readouts compute from the features of these images alone.

        The number of threads is part of the key, because it affects the rounding of sums.
        """
        source = json.dumps([self.digest, hash_tensors(indices), torch.get_num_threads(), code_digest("readout")])

        def keep(name: str, build: Build) -> dict[str, Tensor]:
            return cached(name, source, build, limited=True)

        return keep


def frozen(settings: Settings, net: MultiStageNet, dataset: Dataset, split: Split, device: torch.device) -> Features:
    """Return features of all images of a run, after computing running statistics of `net` on its training images.

    Args:
        settings: The run's settings.
        net: Its network; on the CPU, before and afterwards.
        dataset: The data set.
        split: The images of the run.
        device: Device to compute on.

    Raises:
        MultistageError: They do not fit in memory.
    """
    _refuse_if_too_many(settings, split)
    found = [_of_set(settings, stages, dataset, split, device) for stages in net.filter_sets]
    if len(found) == 1:
        return found[0]
    together = torch.cat([each.values for each in found], 1)
    return Features(together, split.used, digest(*(each.digest for each in found)))


def _of_set(
    settings: Settings, stages: nn.Sequential, dataset: Dataset, split: Split, device: torch.device
) -> Features:
    """Return features of one filter set, cached; sets its running statistics."""
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
    """Module from images to the features of a filter set, [n, f].

    Args:
        stages: The stages of the filter set.
        reading: Features to read from their maps.
    """

    def __init__(self, stages: nn.Module, reading: Reading) -> None:
        super().__init__()
        self.stages, self.reading = stages, reading

    def forward(self, x: Tensor) -> Tensor:
        return self.reading.features(self.stages, x)  # type: ignore[arg-type]


def _refuse_if_too_many(settings: Settings, split: Split) -> None:
    images, length = len(split.used), settings.features
    features = 4 * length * (images + len(split.train))  # a readout needs the training features as one tensor
    wanted = features + settings.readout.memory(len(split.train), length)
    if (free := hardware.free_memory()) is not None and wanted > free:
        raise MultistageError(
            f"frozen features of {images:,} images, {length:,} numbers each, and readout={settings.readout.name} take "
            f"{wanted / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free; choose fewer images (as in "
            "data.train_per_class=100), fewer features (as in geometry.stage1.maps), or refine=true, which keeps none"
        )


def images_of(settings: Settings, dataset: Dataset) -> tuple[object, ...]:
    """Return what a network's images depend on: the data set (without its location) and its content."""
    data = replace(settings.data, root="") if isinstance(settings.data, Stored) else settings.data
    return data, dataset.content_hash


def computed_by(device: torch.device) -> tuple[object, ...]:
    """Return what affects computed values: device, threads and versions (their rounding), and the code."""
    return device.type, torch.__version__, torch.get_num_threads(), code_digest(*CODE), decoder(), RESULTS_VERSION


def net_digest(stages: nn.Module) -> str:
    """Return the SHA-256 of weights, connections and statistics."""
    state = stages.state_dict()
    return durable.digest(json.dumps({name: hash_tensors(value) for name, value in state.items()}).encode())


def statistics(stages: nn.Module) -> dict[str, Tensor]:
    """Return running means and variances of normalisations, by their names in the state dict."""
    return {name: buffer for name, buffer in stages.named_buffers() if name.rpartition(".")[2] in RUNNING}


def outputs(stages: nn.Module, dataset: Dataset, indices: Tensor, device: torch.device) -> Tensor:
    """Compute the outputs of stages for some images in batches of `BATCH`, float32 [len(indices), ...] on the CPU."""
    values = torch.empty(0)
    for start, maps in batches(stages, dataset, indices, device):
        if start == 0:
            values = torch.empty(len(indices), *maps.shape[1:])
        values[start : start + BATCH].copy_(maps)
    return values


@torch.no_grad()
def batches(stages: nn.Module, dataset: Dataset, indices: Tensor, device: torch.device) -> Iterator[tuple[int, Tensor]]:
    """Yield start and output of each batch; stages are on the CPU again afterwards."""
    stages.to(device).eval()
    for start in range(0, len(indices), BATCH):
        yield start, stages(dataset.pixels(indices[start : start + BATCH]).to(device))
    stages.cpu()


@torch.no_grad()
def calibrate(stages: nn.Sequential, dataset: Dataset, indices: Tensor, device: torch.device) -> None:
    """Set running statistics of frozen normalisations to the exact mean and variance of their inputs over some images.

    Each needs its own pass up to its stage, in order, because its input depends on the statistics before it. Exact
    means that the result does not depend on the batches.
    """
    modules = [(count, module) for count, stage in enumerate(stages, 1) for module in stage.modules()]
    for count, norm in modules:
        buffers = dict(norm.named_buffers(recurse=False))
        if not buffers.keys() >= {*RUNNING}:
            continue
        moments = torch.zeros(3, len(buffers["running_mean"]), dtype=torch.float64)  # count, sum, squares

        def add(module: nn.Module, inputs: tuple[Tensor], moments: Tensor = moments) -> None:
            for maps in inputs[0].flatten(2):  # of one image: all in float64 would be twice as large as the batch
                values = maps.double()
                sums, size = values.sum(1), maps.shape[1]
                moments += torch.stack([torch.full_like(sums, size), sums, values.square_().sum(1)]).cpu()

        hook = norm.register_forward_pre_hook(add)
        for _ in batches(stages[:count], dataset, indices, device):  # outputs are not kept: they may exceed memory
            pass
        hook.remove()
        mean, square = moments[1:] / moments[0]
        buffers["running_mean"].copy_(mean)
        buffers["running_var"].copy_((square - mean.square()).clamp_min(0))


def refuse_other_statistics(stages: nn.Sequential, x: Tensor) -> None:
    """Refuse to freeze stages with statistics that only training would compute.

    Args:
        stages: The stages of a filter set; they stay as they are.
        x: Some images to train on, float32 [n, maps, height, width].

    Raises:
        ConfigError: Training changes a buffer that `calibrate` does not compute.
    """
    trained = copy.deepcopy(stages).train()
    with torch.random.fork_rng(devices=[]), suppress(ValueError):  # torch's, for what cannot be trained on such maps
        trained(x)
    for path, module in trained.named_modules():
        own = dict(module.named_buffers(recurse=False))
        computed = (*RUNNING, "num_batches_tracked") if own.keys() >= {*RUNNING} else ()
        for name, buffer in own.items():
            if name not in computed and hash_tensors(buffer) != hash_tensors(stages.get_buffer(f"{path}.{name}")):
                raise ConfigError(
                    f"refine=false computes {' and '.join(RUNNING)} of a layer that has both, and {path}.{name} would "
                    "keep its first value; use these names, or refine=true"
                )
