"""A linear softmax layer, trained by backpropagation; the only readout that can fine-tune (refine) filters too."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from multistage.readout import Readout, readouts
from multistage.registry import setting
from multistage.registry.rules import number

if TYPE_CHECKING:
    from torch import Tensor


@readouts.register("softmax", section="softmax", rank=0)
@dataclass(frozen=True)
class Softmax(Readout):
    """A linear softmax layer, or with ``hidden`` units a tanh layer before it; `multistage.train` trains it.

    Attributes:
        class_weights: Class weights of the training loss; balanced: the inverse of the number of training images, so
            that all classes count equally. A mixed image has the mean weight of its labels.
        label_smoothing: Fraction of each label that is spread over all classes (Szegedy et al., CVPR 2016), also for
            mixed images. It affects only the training loss, and so ``train_loss``; ``validation_loss`` is plain
            cross-entropy.
        dropout: Probability of dropping a pooled feature in training; the others are scaled up (Srivastava et al., JMLR
            2014). Units of ``hidden`` are not dropped.
    """

    by_gradient = True
    logistic = True
    unit = "epoch"

    class_weights: Literal["none", "balanced"] = "none"
    label_smoothing: float = setting(0.0, number(0, 1))
    dropout: float = setting(0.0, number(0, 0.999))

    @property
    def drops(self) -> float:
        return self.dropout

    def weights(self, labels: "Tensor", classes: int) -> "Tensor | None":
        if self.class_weights == "none":
            return None
        counts = labels.bincount(minlength=classes)
        return len(labels) / (classes * counts.clamp_min(1)).float()  # scikit-learn's "balanced"

    def loss(self, scores: "Tensor", labels: "Tensor", weights: "Tensor | None" = None) -> "Tensor":
        import torch.nn.functional as F

        if weights is None:
            return F.cross_entropy(scores, labels, label_smoothing=self.label_smoothing)
        losses = F.cross_entropy(scores, labels, reduction="none", label_smoothing=self.label_smoothing)
        # torch's own weights would also weigh the smoothed or mixed-in part of a label, and so prefer rare classes
        return (losses * (weights[labels] if labels.ndim == 1 else labels @ weights)).mean()
