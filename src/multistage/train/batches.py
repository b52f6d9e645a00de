"""Samples as Lightning takes them: in an order that seed and epoch decide, augmented, shared among devices."""

import os
import signal
from collections.abc import Iterator
from typing import Any, Protocol

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, SequentialSampler

from multistage.data.augment import Augmentation
from multistage.data.dataset import Picked
from multistage.network.randomness import generator
from multistage.registry.errors import DataError

UNCHANGED = Augmentation()

WORKERS = 8
"""Processes that read images, at most; half as many as there are cores."""


class Inputs(Protocol):
    """Inputs by their numbers; a tensor is such, and so are images that are read when they are asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, numbers: Tensor, /) -> Tensor: ...


Samples = tuple[Inputs, Tensor]
"""Inputs [n, ...] and labels [n]."""

Tensors = tuple[Tensor, Tensor]
"""Samples in memory."""

Batch = tuple[Tensor, Tensor, float]
"""A device's inputs and labels of a batch (of mixed images, probabilities of all classes), and the weight of their mean
loss: the mean over devices is the batch's."""


def epoch_order(samples: int, seed: int, epoch: int) -> Tensor:
    """The order in which an epoch takes its samples, int64 [samples]."""
    return torch.randperm(samples, generator=generator(seed, "order", epoch))


class EpochOrder(Sampler[int]):
    """The order of an epoch; Lightning calls `set_epoch`, which takes effect until the first index is asked for."""

    def __init__(self, samples: int, seed: int) -> None:
        self.samples, self.seed, self.epoch = samples, seed, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        yield from epoch_order(self.samples, self.seed, self.epoch).tolist()

    def __len__(self) -> int:
        return self.samples


class Shares(Dataset[Batch]):
    """Samples taken a batch at a time; of each batch the share of one of several devices.

    Args:
        samples: On any device.
        rank: Whose share, from 0.
        devices: How many there are.
    """

    def __init__(self, samples: Samples, rank: int = 0, devices: int = 1) -> None:
        self.samples, self.rank, self.devices = samples, rank, devices

    def __len__(self) -> int:
        return len(self.samples[1])

    def __getitems__(self, indices: list[int]) -> Batch:
        share = indices[self.rank :: self.devices]
        chosen = torch.tensor(
            share or indices[:1], device=self.samples[1].device
        )  # each device takes a step, if with weight 0
        return *self.take(chosen), len(share) * self.devices / len(indices)

    def take(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs and labels of some samples."""
        x, y = self.samples
        return x[chosen], y[chosen]


class Augmented(Shares):
    """Images that are changed as their number and the epoch say.

    Args:
        augmentation: How much.
        order: Says which epoch it is.
        samples: See `Shares`, as are the others.
    """

    def __init__(self, augmentation: Augmentation, order: EpochOrder, *shares: Any) -> None:
        super().__init__(*shares)
        self.augmentation, self.order = augmentation, order
        self.classes = int(self.samples[1].max()) + 1
        self.drawn = -1

    def take(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        if self.drawn != self.order.epoch:
            self._draw()
        x, y = self._changed(chosen)
        if not self.augmentation.mixup:
            return x, y
        partner, weight = (values[chosen] for values in self.mixed)
        other_x, other_y = self._changed(partner)
        own = weight[:, None]
        labels = own * F.one_hot(y, self.classes) + (1 - own) * F.one_hot(other_y, self.classes)
        return torch.lerp(other_x, x, own[..., None, None]), labels

    def _draw(self) -> None:
        """The random numbers of an epoch."""
        device = self.samples[1].device
        random = self.augmentation.epoch(len(self), self.order.seed, self.order.epoch)
        if self.augmentation.mixup:
            self.mixed = [values.to(device) for values in self.augmentation.mixed(random)]
        self.random, self.drawn = random.to(device), self.order.epoch

    def _changed(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        x, y = super().take(chosen)
        return self.augmentation.apply(x, self.random[chosen]), y


class Loader(DataLoader[Any]):
    """A DataLoader whose processes send arrays through pipes: tensors take shared memory, scarce in containers.

    It asks for no index before the first batch is wanted; Lightning wants an iterator before it says which epoch it is.
    """

    def __iter__(self) -> Any:
        for batch in super().__iter__():
            yield _arrived(batch) if self.num_workers else batch


def _sent(batch: Batch) -> Any:
    x, y, weight = batch
    return x.numpy(), y.numpy(), weight


def _arrived(batch: Any) -> Batch:
    if isinstance(batch, DataError):
        raise batch
    x, y, weight = batch
    return torch.from_numpy(x), torch.from_numpy(y), weight


class Sent(Dataset[Any]):
    """Shares as processes send them; a refusal is sent as well, since torch would wrap it in a traceback.

    Args:
        shares: What is sent.
    """

    def __init__(self, shares: Shares) -> None:
        self.shares = shares

    def __len__(self) -> int:
        return len(self.shares)

    def __getitems__(self, indices: list[int]) -> Any:
        try:
            return _sent(self.shares.__getitems__(indices))
        except DataError as refusal:
            return refusal


def _ignore_interrupts(worker: int) -> None:
    """Ctrl-C is for the process that trains, which ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class DataModule(pl.LightningDataModule):
    """Training and validation samples of a run.

    Args:
        training: To learn from.
        validation: May be empty.
        batch_size: Of all devices together.
        seed: Decides the order, and how images are changed.
        augmentation: How much training images are changed.
    """

    def __init__(
        self,
        training: Samples,
        validation: Samples,
        batch_size: int,
        seed: int,
        augmentation: Augmentation = UNCHANGED,
    ) -> None:
        super().__init__()
        self.training, self.validation, self.batch_size, self.seed = training, validation, batch_size, seed
        self.augmentation = augmentation

    def train_dataloader(self) -> Any:
        order = EpochOrder(len(self.training[1]), self.seed)
        return self._loader(self.training, order, augmented=self.augmentation.changes)

    def val_dataloader(self) -> Any:
        return self._loader(self.validation, SequentialSampler(range(len(self.validation[1]))))

    def _loader(self, samples: Samples, order: Any, augmented: bool = False) -> Any:
        assert self.trainer is not None
        device, devices = self.trainer.strategy.root_device, self.trainer.world_size
        (inputs, labels), workers = samples, 0
        if isinstance(inputs, Picked) and inputs.in_memory and device.type == "cuda":
            inputs = inputs[torch.arange(len(inputs))]
        if isinstance(inputs, Tensor):
            samples = resident(inputs, labels, device)
        elif isinstance(inputs, Picked) and not inputs.in_memory:
            workers = max(1, min(WORKERS, cores() // 2) // devices)
        shares = samples, self.trainer.global_rank, devices
        mine = Augmented(self.augmentation, order, *shares) if augmented else Shares(*shares)
        return Loader(
            Sent(mine) if workers else mine,
            self.batch_size,
            sampler=order,
            collate_fn=as_it_is,
            num_workers=workers,
            worker_init_fn=_ignore_interrupts,
        )


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def as_it_is(batch: Any) -> Any:
    """What `Shares` gives is a batch already."""
    return batch


def in_memory(samples: Samples) -> Tensors:
    """Samples that are known to be tensors, as features of frozen filters are."""
    inputs, labels = samples
    assert isinstance(inputs, Tensor)
    return inputs, labels


def resident(x: Tensor, y: Tensor, target: torch.device) -> Samples:
    """Samples on the device that uses them; or where they are, if they would take over half of its free memory."""
    if target.type == "cuda" and 2 * x.nbytes > torch.cuda.mem_get_info(target)[0]:
        return x, y
    return x.to(target), y.to(target)
