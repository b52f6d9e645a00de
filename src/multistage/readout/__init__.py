"""Classifiers on frozen features, one file of `methods` for each; settings are fields, `fit` takes the data.

readouts["lbfgs"](penalty=1e-3).fit(Task(features, labels, classes=10))    a module from features to scores

May import `network` and the rooms below it, not `data` or `dashboards` beside it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from multistage.registry import Choice, Registry, setting
from multistage.registry.errors import MultistageError
from multistage.registry.rules import either, number, one_of

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["Keep", "Penalised", "Readout", "Report", "Task", "keep_nothing", "readouts"]

Keep = Callable[[str, Callable[[], "dict[str, Tensor]"]], "dict[str, Tensor]"]
"""Returns a function's result under a name, from disk if it is cached."""


def keep_nothing(name: str, build: "Callable[[], dict[str, Tensor]]") -> "dict[str, Tensor]":
    """Compute each time, without a cache."""
    return build()


Report = Callable[[int, float], None]
"""Called with the number of epochs or iterations, and the training loss."""


@dataclass(frozen=True)
class Task:
    """Training data and helpers of a readout.

    Attributes:
        features: Features of the training images, [n, f].
        labels: [n], from 0; each class has images.
        classes: Number of classes.
        shape: (maps, height, width) of the maps before flattening.
        seed: Seed of everything random.
        held_out: Features and labels of validation images; None if there are none.
        report: See `Report`.
        note: Called with (name, value) of a choice, for the run's record.
        keep: Cache for what depends only on the training features, shared by readouts.

    Raises:
        MultistageError: Some features are infinite or NaN.
    """

    features: "Tensor"
    labels: "Tensor"
    classes: int
    shape: tuple[int, int, int] = (1, 1, 1)
    seed: int = 0
    held_out: "tuple[Tensor, Tensor] | None" = None
    report: Report = field(default=lambda step, loss: None)
    note: Callable[[str, float], None] = field(default=lambda name, value: None)
    keep: Keep = keep_nothing

    def __post_init__(self) -> None:
        if not all(bound.isfinite() for bound in self.features.aminmax()):
            raise MultistageError("features are not finite numbers; no classifier can learn from them")


@dataclass(frozen=True)
class Readout(Choice):
    """A classifier on frozen features; its fields are its settings.

    Attributes:
        by_gradient: Whether Lightning trains it (and can refine filters too); if so, `fit` is not called.
        logistic: Whether it is a logistic regression, like the paper's: softmax of its scores gives probabilities.
        unit: What `Task.report` counts, epochs or iterations.
        resizes: Whether `restore` makes a module whose size depends on training.
        reads_maps: Whether features must be the unchanged maps of the last stage, of one filter set.
    """

    by_gradient: ClassVar[bool] = False
    logistic: ClassVar[bool] = False
    unit: ClassVar[str] = "iteration"
    resizes: ClassVar[bool] = False
    reads_maps: ClassVar[bool] = False

    def pools_last(self, stages: int) -> bool:
        """Whether it reads the last of this many stages after pooling."""
        return True

    def check(self, shape: tuple[int, int, int]) -> None:
        """Refuse features that it cannot read; `shape` is (maps, height, width) of the maps.

        Raises:
            ConfigError: One line with the key.
        """

    @property
    def drops(self) -> float:
        """Return the dropout probability of features, if it is trained by gradient."""
        return 0.0

    def weights(self, labels: "Tensor", classes: int) -> "Tensor | None":
        """Return class weights in the loss if it is trained by gradient, float32 [classes]; None: equal.

        Args:
            labels: Labels of the training images.
            classes: Number of classes.
        """
        return None

    def loss(self, scores: "Tensor", labels: "Tensor", weights: "Tensor | None" = None) -> "Tensor":
        """Compute the loss if it is trained by gradient: a mean over samples, even with class weights.

        So the losses of batches and devices add up to that of the whole set.

        Args:
            scores: [n, classes].
            labels: [n], or for mixed images class probabilities, [n, classes].
            weights: Class weights.
        """
        raise NotImplementedError

    def memory(self, samples: int, features: int) -> int:
        """Estimate the bytes that `fit` needs besides the features of the training images."""
        return 0

    def fit(self, task: Task) -> "nn.Module":
        """Train and return the module, from features [n, f] to scores [n, classes].

        Raises:
            MultistageError: It did not converge.
        """
        raise NotImplementedError

    def restore(
        self, classifier: "nn.Module", state: "Mapping[str, Tensor]", shape: tuple[int, int, int]
    ) -> "nn.Module":
        """Return the module for a trained state: the network's classifier, or one whose size depends on training.

        Args:
            classifier: The classifier of the new network.
            state: The state dict of the trained classifier.
            shape: (maps, height, width) of the maps before flattening.
        """
        return classifier


PENALTIES = tuple(10 ** (exponent / 2) for exponent in range(-12, 5))
"""Candidates for a penalty that is chosen on validation images: 1e-6 to 100."""


@dataclass(frozen=True)
class Penalised(Readout):
    """A readout with a quadratic penalty, which can be chosen on validation images.

    Attributes:
        penalty: A number, or ``auto``: the one of `PENALTIES` with the most correct validation images (the largest of
            equals).
        otherwise: The value of ``auto`` without validation images.
    """

    otherwise: ClassVar[float]

    penalty: float | Literal["auto"] = setting("auto", either(one_of("auto"), number(0, exclusive=True)))

    def choose(self, task: Task, scores: "Callable[[float], Tensor]") -> float:
        """Choose the penalty, and note it in the task.

        Args:
            task: The training data.
            scores: From a penalty to scores of the validation images, [m, classes].
        """
        chosen = self.otherwise if self.penalty == "auto" else self.penalty
        if self.penalty == "auto" and task.held_out is not None:
            labels = task.held_out[1]
            right = {value: int((scores(value).argmax(1) == labels).sum()) for value in reversed(PENALTIES)}
            chosen = max(right, key=lambda value: right[value])
        task.note("penalty", chosen)
        return chosen


readouts: Registry[Readout] = Registry("readout", "multistage.readout.methods")
