"""The classifier of the authors' demo: thirty epochs of online gradient descent."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from multistage.readout import Readout, Task, readouts
from multistage.registry import setting
from multistage.registry.rules import number

if TYPE_CHECKING:
    from torch import nn


@readouts.register("sgd", section="sgd", rank=1)
@dataclass(frozen=True)
class Sgd(Readout):
    """Multinomial logistic regression by online gradient descent, see `multistage.readout.sgd`."""

    logistic = True
    unit = "epoch"

    rate: float = setting(0.01, number(0, exclusive=True))
    start: float = setting(0.015, number(0, 1))

    def memory(self, samples: int, features: int) -> int:
        if samples < features:
            return 24 * samples**2  # inner products, then in the order of the steps, and a sum of these
        return 12 * samples * features  # in the order of the steps, in float32 and float64

    def fit(self, task: Task) -> "nn.Module":
        from multistage.readout.sgd import fit_sgd
        from multistage.readout.span import linear

        return linear(*fit_sgd(task, self.rate, self.start))
