"""A linear softmax layer, trained by backpropagation; the only readout that can fine-tune (refine) filters too."""

from dataclasses import dataclass

from multistage.readout import Readout, readouts


@readouts.register("softmax", rank=0)
@dataclass(frozen=True)
class Softmax(Readout):
    """A linear softmax layer, or with ``hidden`` units a tanh layer before it; `multistage.train` trains it."""

    by_gradient = True
    logistic = True
    unit = "epoch"
