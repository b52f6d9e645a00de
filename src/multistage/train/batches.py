"""Samples that lie in memory, as Lightning takes them: in an order that seed and epoch decide, shared among devices."""

from collections.abc import Iterator
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, SequentialSampler

from multistage.network.randomness import generator

Samples = tuple[Tensor, Tensor]
"""Inputs [n, ...] and labels [n]."""

Batch = tuple[Tensor, Tensor, float]
"""A device's inputs and labels of a batch, and the weight of their mean loss: the mean over devices is the batch's."""


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


class InMemory(Dataset[Batch]):
    """Samples taken a batch at a time, where they lie; of each batch the share of one of several devices.

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
        x, y = self.samples
        share = indices[self.rank :: self.devices]
        chosen = torch.tensor(share or indices[:1], device=y.device)  # each device takes a step, if with weight 0
        return x[chosen], y[chosen], len(share) * self.devices / len(indices)


class DataModule(pl.LightningDataModule):
    """Training and validation samples of a run.

    Args:
        training: To learn from.
        validation: May be empty.
        batch_size: Of all devices together.
        seed: Decides the order.
    """

    def __init__(self, training: Samples, validation: Samples, batch_size: int, seed: int) -> None:
        super().__init__()
        self.training, self.validation, self.batch_size, self.seed = training, validation, batch_size, seed

    def train_dataloader(self) -> Any:
        return self._loader(self.training, EpochOrder(len(self.training[1]), self.seed))

    def val_dataloader(self) -> Any:
        return self._loader(self.validation, SequentialSampler(range(len(self.validation[1]))))

    def _loader(self, samples: Samples, order: Sampler[int]) -> Any:
        assert self.trainer is not None
        samples = resident(samples, self.trainer.strategy.root_device)
        mine = InMemory(samples, self.trainer.global_rank, self.trainer.world_size)
        return DataLoader(mine, self.batch_size, sampler=order, collate_fn=as_it_is)


def as_it_is(batch: Any) -> Any:
    """What `InMemory` gives is a batch already."""
    return batch


def resident(samples: Samples, target: torch.device) -> Samples:
    """Samples on the device that uses them; or where they are, if they would take over half of its free memory."""
    x, y = samples
    if target.type == "cuda" and 2 * x.nbytes > torch.cuda.mem_get_info(target)[0]:
        return samples
    return x.to(target), y.to(target)
