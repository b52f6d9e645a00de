"""Converged multinomial logistic regression."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from multistage.readout import Readout, Task, readouts
from multistage.registry import setting
from multistage.registry.rules import number, whole

if TYPE_CHECKING:
    from torch import nn


@readouts.register("lbfgs", section="lbfgs", rank=2)
@dataclass(frozen=True)
class Lbfgs(Readout):
    """Multinomial logistic regression with a quadratic penalty, to convergence, see `multistage.readout.lbfgs`."""

    logistic = True

    penalty: float = setting(1e-3, number(0, exclusive=True))
    max_iter: int = setting(2000, whole(1))

    def memory(self, samples: int, features: int) -> int:
        from multistage.readout.span import memory

        return memory(samples, features)

    def fit(self, task: Task) -> "nn.Module":
        from multistage.readout.lbfgs import fit_lbfgs
        from multistage.readout.span import linear

        return linear(*fit_lbfgs(task, self.penalty, self.max_iter))
