"""An ensemble of trained runs: one model with the mean of their probabilities.

model = multistage.load(["runs/...", "caltech101/abs_lcn_avgpool"])
model.predict("photos/").labels
"""

from collections.abc import Iterable, Mapping, Sequence

from torch import Tensor

from multistage.data import DataSet
from multistage.registry.errors import ConfigError
from multistage.train.evaluation import Predictions, averaged
from multistage.train.model import Model, Picture, classified

Prepared = tuple[Tensor, ...]
"""An image, prepared for each model."""


class Ensemble:
    """An ensemble of models with the same classes, each with its own preparation of images.

    Probabilities are averaged. If all runs use the same readout and it has none (``ridge``, ``kernel``,
    ``pyramid_svm``), margins are averaged instead.

    Args:
        models: Models by their names in messages, at least one.

    Attributes:
        models: The same, in that order.
        class_names: One name for each class.

    Raises:
        ConfigError: Different classes, or margins together with probabilities or with those of another readout.
    """

    def __init__(self, models: Mapping[str, Model]) -> None:
        if not models:
            raise ConfigError("there is no run to average; expected at least one")
        (first, model), *others = models.items()
        for name, other in others:
            _check_classes((first, model.class_names), (name, other.class_names))
            _check_readouts((first, model), (name, other))
        self.models = list(models.values())
        self.class_names = model.class_names

    def prepare(self, picture: Picture) -> Prepared:
        """Prepare an image for each model; models with the same preparation share it.

        Raises:
            DataError: Not a readable image.
        """
        done: dict[DataSet, Tensor] = {}
        for model in self.models:
            data = model.settings.data
            if data not in done:
                done[data] = model.prepare(picture)
        return tuple(done[model.settings.data] for model in self.models)

    def scores(self, prepared: Sequence[Prepared]) -> Predictions:
        """Compute the mean scores of prepared images.

        Raises:
            MultistageError: Scores are not finite.
        """
        each = zip(self.models, zip(*prepared, strict=True), strict=True)
        return averaged([model.scores(images) for model, images in each])

    def predict(self, pictures: Picture | Iterable[Picture], batch_size: int = 32) -> Predictions:
        """Classify images, like `Model.predict`."""
        return classified(pictures, batch_size, self.prepare, self.scores)


def _check_classes(these: tuple[str, Sequence[str]], those: tuple[str, Sequence[str]]) -> None:
    (first, names), (second, others) = these, those
    if names == others:
        return
    pairs = enumerate(zip(names, others, strict=False), 1)
    differing = (f"class {n} is {a} in the first, {b} in the second" for n, (a, b) in pairs if a != b)
    what = next(differing, f"{len(names)} classes and {len(others)}")
    raise ConfigError(f"{first} and {second} have different classes ({what}); expected runs with the same classes")


def _check_readouts(these: tuple[str, Model], those: tuple[str, Model]) -> None:
    (first, a), (second, b) = [(name, model.settings.readout) for name, model in (these, those)]
    if a.name == b.name or (a.logistic and b.logistic):
        return
    said = " and ".join(
        f"{name} has {'probabilities' if readout.logistic else 'margins'} (readout={readout.name})"
        for name, readout in ((first, a), (second, b))
    )
    raise ConfigError(f"{said}; expected runs that all have probabilities, or all have the same readout")
