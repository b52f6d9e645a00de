"""A linear softmax layer, trained by backpropagation; the only readout that can fine-tune (refine) filters too."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from multistage.readout import Readout, readouts

if TYPE_CHECKING:
    from torch import Tensor


@readouts.register("softmax", section="softmax", rank=0)
@dataclass(frozen=True)
class Softmax(Readout):
    """A linear softmax layer, or with ``hidden`` units a tanh layer before it; `multistage.train` trains it.

    Attributes:
        class_weights: Of the training loss; balanced: inverse to how many training images a class has, so that each
            class counts as much as any other.
    """

    by_gradient = True
    logistic = True
    unit = "epoch"

    class_weights: Literal["none", "balanced"] = "none"

    def weights(self, labels: "Tensor", classes: int) -> "Tensor | None":
        if self.class_weights == "none":
            return None
        counts = labels.bincount(minlength=classes)
        return len(labels) / (classes * counts.clamp_min(1)).float()  # scikit-learn's "balanced"
