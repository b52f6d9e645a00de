"""Samples for Lightning: order from seed and epoch, augmentation, shares of devices."""

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
"""Maximum number of processes that read images; otherwise half the number of cores."""


class Inputs(Protocol):
    """Inputs that can be indexed by number: a tensor, or images that are read on access."""

    def __len__(self) -> int: ...

    def __getitem__(self, numbers: Tensor, /) -> Tensor: ...


Samples = tuple[Inputs, Tensor]
"""Inputs [n, ...] and labels [n]."""

Tensors = tuple[Tensor, Tensor]
"""Samples in memory."""

Batch = tuple[Tensor, Tensor, float]
"""A device's inputs and labels of a batch (class probabilities for mixed images), and the weight of their mean
loss: the mean over devices is that of the batch."""


def epoch_order(samples: int, seed: int, epoch: int) -> Tensor:
    """Draw the order of samples in an epoch, int64 [samples]."""
    return torch.randperm(samples, generator=generator(seed, "order", epoch))


class EpochOrder(Sampler[int]):
    """Sampler of an epoch's order; Lightning calls `set_epoch`, which works until the first index is requested."""

    def __init__(self, samples: int, seed: int) -> None:
        self.samples, self.seed, self.epoch = samples, seed, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        yield from epoch_order(self.samples, self.seed, self.epoch).tolist()

    def __len__(self) -> int:
        return self.samples


class FixedOrder(EpochOrder, SequentialSampler):
    """Sampler of the first epoch's order in every epoch, so that a part of the samples is random and stays the same.

    Lightning accepts it with ``trainer.overfit_batches``, because it is a kind of `SequentialSampler`.
    """

    def __iter__(self) -> Iterator[int]:
        yield from epoch_order(self.samples, self.seed, epoch=0).tolist()


class Shares(Dataset[Batch]):
    """Batches of samples, each with only the share of one of several devices.

    Args:
        samples: Samples on any device.
        rank: Index of the device, from 0.
        devices: Number of devices.
    """

    def __init__(self, samples: Samples, rank: int = 0, devices: int = 1) -> None:
        self.samples, self.rank, self.devices = samples, rank, devices

    def __len__(self) -> int:
        return len(self.samples[1])

    def __getitems__(self, indices: list[int]) -> Batch:
        share = indices[self.rank :: self.devices]
        chosen = torch.tensor(
            share or indices[:1], device=self.samples[1].device
        )  # each device takes a step, even with weight 0
        return *self.take(chosen), len(share) * self.devices / len(indices)

    def take(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Return inputs and labels of some samples."""
        x, y = self.samples
        return x[chosen], y[chosen]


class Augmented(Shares):
    """Augmented images; each change depends on the image's number and the epoch.

    Args:
        augmentation: Strength of each augmentation.
        order: Knows the current epoch.
        samples: As in `Shares`, like the other arguments.
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
        """Draw the random numbers of an epoch."""
        device = self.samples[1].device
        random = self.augmentation.epoch(len(self), self.order.seed, self.order.epoch)
        if self.augmentation.mixup:
            self.mixed = [values.to(device) for values in self.augmentation.mixed(random)]
        self.random, self.drawn = random.to(device), self.order.epoch

    def _changed(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        x, y = super().take(chosen)
        return self.augmentation.apply(x, self.random[chosen]), y


class Loader(DataLoader[Any]):
    """A DataLoader whose processes send arrays through pipes, because tensors need shared memory, scarce in containers.

    It requests no index before the first batch: Lightning makes the iterator before it sets the epoch.
    """

    def __iter__(self) -> Any:
        for batch in super().__iter__():
            if isinstance(batch, DataError):
                raise batch
            inputs, labels, weight = batch
            yield torch.as_tensor(inputs), torch.as_tensor(labels), weight


class Sent(Dataset[Any]):
    """Shares in the form that processes send; errors are sent too, because torch would wrap them in a traceback.

    Args:
        shares: The shares to send.
    """

    def __init__(self, shares: Shares) -> None:
        self.shares = shares

    def __len__(self) -> int:
        return len(self.shares)

    def __getitems__(self, indices: list[int]) -> Any:
        try:
            inputs, labels, weight = self.shares.__getitems__(indices)
        except DataError as refusal:
            return refusal
        return inputs.numpy(), labels.numpy(), weight


def _ignore_interrupts(worker: int) -> None:
    """Ignore Ctrl-C in a reading process; the training process ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class DataModule(pl.LightningDataModule):
    """Training and validation samples of a run.

    Args:
        training: Training samples.
        validation: Validation samples; may be empty.
        batch_size: Total over all devices.
        seed: Seed of order and augmentation.
        augmentation: Augmentation of training images.
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
        assert self.trainer is not None
        overfits = self.trainer.overfit_batches  # type: ignore[attr-defined]  # Lightning sets it outside of its class
        kind = FixedOrder if overfits else EpochOrder
        order = kind(len(self.training[1]), self.seed)
        return self._loader(self.training, order, augmented=self.augmentation.changes)

    def val_dataloader(self) -> Any:
        return self._loader(self.validation, FixedOrder(len(self.validation[1]), self.seed))

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
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def as_it_is(batch: Any) -> Any:
    """Return a batch unchanged: `Shares` makes whole batches."""
    return batch


def in_memory(samples: Samples) -> Tensors:
    """Narrow the type of samples that are tensors, such as features of frozen filters."""
    inputs, labels = samples
    assert isinstance(inputs, Tensor)
    return inputs, labels


def resident(x: Tensor, y: Tensor, target: torch.device) -> Samples:
    """Move samples to the device, unless they need over half of its free memory."""
    if target.type == "cuda" and 2 * x.nbytes > torch.cuda.mem_get_info(target)[0]:
        return x, y
    return x.to(target), y.to(target)
