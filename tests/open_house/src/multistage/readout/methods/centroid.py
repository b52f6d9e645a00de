"""The nearest mean of a class: an example of a readout."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from multistage.readout import Readout, Task, readouts
from multistage.registry import setting
from multistage.registry.rules import number

if TYPE_CHECKING:
    from torch import nn


@readouts.register("centroid", section="centroid")
@dataclass(frozen=True)
class Centroid(Readout):
    """The nearest mean of a class; `shrink` moves all of them towards their common mean."""

    shrink: float = setting(0.0, number(0, 1))

    def fit(self, task: Task) -> "nn.Module":
        import torch

        from multistage.readout.span import linear

        means = torch.stack([task.features[task.labels == label].mean(0) for label in range(task.classes)])
        means = (1 - self.shrink) * means + self.shrink * means.mean(0)
        return linear(means, -means.square().sum(1) / 2)
