"""Samples as Lightning takes them: in an order that seed and epoch decide, augmented, shared among devices."""

import os
from collections.abc import Iterator
from typing import Any, Protocol

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, SequentialSampler

from multistage.data.augment import Augmentation
from multistage.network.randomness import generator

UNCHANGED = Augmentation()


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
        self.drawn: tuple[int, Tensor] = -1, torch.empty(0)

    def take(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        if self.drawn[0] != self.order.epoch:
            random = self.augmentation.epoch(len(self), self.order.seed, self.order.epoch)
            self.drawn = self.order.epoch, random.to(self.samples[1].device)
        _, random = self.drawn
        x, y = self._changed(chosen, random)
        if not self.augmentation.mixup:
            return x, y
        partner, weight = (values.to(y.device)[chosen] for values in self.augmentation.mixed(random.cpu()))
        other_x, other_y = self._changed(partner, random)
        own = weight[:, None]
        labels = own * F.one_hot(y, self.classes) + (1 - own) * F.one_hot(other_y, self.classes)
        return torch.lerp(other_x, x, own[..., None, None]), labels

    def _changed(self, chosen: Tensor, random: Tensor) -> tuple[Tensor, Tensor]:
        x, y = super().take(chosen)
        return self.augmentation.apply(x, random[chosen]), y


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
        inputs, labels = samples
        if isinstance(inputs, Tensor):
            samples, workers = resident(inputs, labels, self.trainer.strategy.root_device), 0
        else:
            workers = max(1, (os.cpu_count() or 1) // 2)
        shares = samples, self.trainer.global_rank, self.trainer.world_size
        mine = Augmented(self.augmentation, order, *shares) if augmented else Shares(*shares)
        return DataLoader(mine, self.batch_size, sampler=order, collate_fn=as_it_is, num_workers=workers)


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
