"""Classifiers on frozen features, one file of `methods` each; settings are fields, data are given to `fit`.

readouts["lbfgs"](penalty=1e-3).fit(Task(features, labels, classes=10))    a module from features to scores

May import `network` and the rooms below it, not `data` or `dashboards` beside it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from multistage.registry import Choice, Registry, setting
from multistage.registry.rules import either, number, one_of

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["Keep", "Penalised", "Readout", "Report", "Task", "keep_nothing", "readouts"]

Keep = Callable[[str, Callable[[], "dict[str, Tensor]"]], "dict[str, Tensor]"]
"""Gives what a function makes under a name, from disk if it was made before."""


def keep_nothing(name: str, build: "Callable[[], dict[str, Tensor]]") -> "dict[str, Tensor]":
    """Makes it each time."""
    return build()


Report = Callable[[int, float], None]
"""Told how many epochs or iterations were done, and the training loss."""


@dataclass(frozen=True)
class Task:
    """What a readout learns from.

    Attributes:
        features: Of the training images, [n, f].
        labels: [n], from 0; each class has images.
        classes: Number of classes.
        shape: (maps, height, width) of the maps that features are, flattened.
        seed: Decides what is random.
        held_out: Features and labels of validation images, None if there are none.
        report: See `Report`.
        note: Told (name, value) of what was chosen meanwhile, for the run's record.
        keep: Keeps what depends on the training features alone, for other readouts.
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


@dataclass(frozen=True)
class Readout(Choice):
    """A classifier on frozen features; its fields are its settings.

    Attributes:
        by_gradient: Trained by Lightning, which can refine filters too; `fit` is not called then.
        logistic: Whether its scores are those of a logistic regression, as the paper's: softmax gives probabilities.
        unit: What `Task.report` counts.
        resizes: Whether `restore` makes a module whose size comes from training.
        reads_maps: Whether features must be the last stage's maps as they are, of one filter set.
    """

    by_gradient: ClassVar[bool] = False
    logistic: ClassVar[bool] = False
    unit: ClassVar[str] = "iteration"
    resizes: ClassVar[bool] = False
    reads_maps: ClassVar[bool] = False

    def pools_last(self, stages: int) -> bool:
        """Whether it reads the last of that many stages after its pooling."""
        return True

    def check(self, shape: tuple[int, int, int]) -> None:
        """Refuse features that it cannot read: maps of a shape (maps, height, width).

        Raises:
            ConfigError: One line with the key.
        """

    @property
    def drops(self) -> float:
        """Probability that a feature is left out, where it is trained by gradient."""
        return 0.0

    def weights(self, labels: "Tensor", classes: int) -> "Tensor | None":
        """Of each class in the loss of a readout that is trained by gradient, float32 [classes]; None: all alike.

        Args:
            labels: Of the training images.
            classes: Number of classes.
        """
        return None

    def loss(self, scores: "Tensor", labels: "Tensor", weights: "Tensor | None" = None) -> "Tensor":
        """What a readout that is trained by gradient minimises: a mean over samples, whatever their weights.

        Batches and devices so add up to the whole.

        Args:
            scores: [n, classes].
            labels: [n], or of mixed images probabilities, [n, classes].
            weights: Of each class.
        """
        raise NotImplementedError

    def memory(self, samples: int, features: int) -> int:
        """Bytes that `fit` takes, beside the features of so many training images, so many each."""
        return 0

    def fit(self, task: Task) -> "nn.Module":
        """The trained module, from features [n, f] to scores [n, classes].

        Raises:
            MultistageError: It did not converge, or features are no finite numbers.
        """
        raise NotImplementedError

    def restore(
        self, classifier: "nn.Module", state: "Mapping[str, Tensor]", shape: tuple[int, int, int]
    ) -> "nn.Module":
        """The module that a trained state fits: the network's classifier, or another whose size comes from training.

        Args:
            classifier: Of the network as it is made.
            state: Of the trained classifier, by name.
            shape: Of the maps that features are, flattened.
        """
        return classifier


PENALTIES = tuple(10 ** (exponent / 2) for exponent in range(-12, 5))
"""What a penalty is chosen from where there are validation images: 1e-6 to 100."""


@dataclass(frozen=True)
class Penalised(Readout):
    """A readout with a quadratic penalty that validation images may choose.

    Attributes:
        penalty: A number, or ``auto``: the one of `PENALTIES` with the most validation images right (the largest of
            equals).
        otherwise: What ``auto`` is without validation images.
    """

    otherwise: ClassVar[float]

    penalty: float | Literal["auto"] = setting("auto", either(one_of("auto"), number(0, exclusive=True)))

    def choose(self, task: Task, scores: "Callable[[float], Tensor]") -> float:
        """The penalty, of which the task is told.

        Args:
            task: What it learns from.
            scores: Of the validation images by a penalty, [m, classes].
        """
        chosen = self.otherwise if self.penalty == "auto" else self.penalty
        if self.penalty == "auto" and task.held_out is not None:
            labels = task.held_out[1]
            right = {value: int((scores(value).argmax(1) == labels).sum()) for value in reversed(PENALTIES)}
            chosen = max(right, key=lambda value: right[value])
        task.note("penalty", chosen)
        return chosen


readouts: Registry[Readout] = Registry("readout", "multistage.readout.methods")
