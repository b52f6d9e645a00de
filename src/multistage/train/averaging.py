"""Weight averaging: Lightning's callbacks, adapted. Averaged weights are validated and kept, not the last ones.

Lightning's own versions also average integers, which would change connection tables; they validate and keep initial
weights until the average starts; and a run that resumes after its last epoch keeps its last weights.
"""

from itertools import chain
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EMAWeightAveraging, WeightAveraging
from torch import Tensor, nn


class Averaging(WeightAveraging):
    """The mean of the weights, and of statistics, after every step (Polyak & Juditsky 1992)."""

    begun = False

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        self._device = trainer.strategy.root_device  # the weights are moved there later
        super().setup(trainer, pl_module, stage)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *step: Any) -> None:
        super().on_train_batch_end(trainer, pl_module, *step)
        self._follow(pl_module)

    def weights(self) -> dict[str, Tensor]:
        """Return the average of the trained parameters, by name."""
        assert self._average_model is not None
        learner = self._average_model.module.module
        assert isinstance(learner, nn.Module)
        return learner.state_dict()

    def _follow(self, current: pl.LightningModule) -> None:
        """Copy from the module what is not averaged: integers, and everything before the average starts."""
        assert self._average_model is not None
        self.begun = self.begun or bool(self._average_model.n_averaged)
        average = self._average_model.module
        copies = chain(average.parameters(), average.buffers())
        for mine, its in zip(copies, chain(current.parameters(), current.buffers()), strict=True):
            if not self.begun or not mine.is_floating_point():
                mine.data.copy_(its.data)


class MovingAverage(Averaging, EMAWeightAveraging):
    """The exponential moving average of weights and statistics."""


OURS: dict[type, type] = {WeightAveraging: Averaging, EMAWeightAveraging: MovingAverage}
"""Replacements for Lightning's classes."""
