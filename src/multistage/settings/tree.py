"""The settings of a run as a typed tree: exactly what `parse` reads from a flat configuration.

    settings = parse(config)
    settings.readout.fit(...)          every choice is an object, every setting a typed field
    settings.bearing                   the keys that were read and affect the result: the run's identity

A setting has no effect on a run if nothing here reads it. So identity, caches and error messages cannot miss one.
"""

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields
from functools import cached_property
from typing import Any, TypeVar

from multistage.dashboards import Logger, loggers
from multistage.data import DataSet, Draw, data_sets
from multistage.data.augment import Augmentation
from multistage.data.corruptions import Robustness
from multistage.filters import Method, filter_methods
from multistage.network.reading import FilterSets, Reading
from multistage.network.shapes import Shape, ShapeError, StageGeometry, StageShapes, trace
from multistage.network.views import Views
from multistage.operations import Filtering, Operations, normalisations, poolings, rectifications
from multistage.readout import Readout, readouts
from multistage.registry import Choice, Registry
from multistage.registry.errors import ConfigError
from multistage.registry.rules import Value
from multistage.settings import trainer

Config = Mapping[str, Any]
"""A flat configuration, as typed and recorded: a mapping from key to plain value."""

C = TypeVar("C", bound=Choice)

TRAINED = ("optimizer", "param_groups", "schedule", "trainer", "callbacks")
"""Sections that only runs with gradient descent read."""

DRAWN = [field.name for field in fields(Draw) if field.name != "draw"]
"""Settings of a draw that are typed as ``data.NAME``; its index is ``draw``."""

WATCHES = "pytorch_lightning.callbacks.LearningRateMonitor"
"""The callback that does not affect results."""


def section(config: Config, prefix: str) -> dict[str, Value]:
    """Return the keys below `prefix`, without it: ``section(config, "optimizer")["lr"]``."""
    return {key.removeprefix(prefix + "."): value for key, value in config.items() if key.startswith(prefix + ".")}


class _Reader:
    """Reader of a flat configuration; it records which keys were read and which affect the result."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.read: dict[str, Value] = {}
        self.bearing: dict[str, Value] = {}

    def value(self, key: str, default: Any = MISSING, bears: bool = True) -> Any:
        """Return the value of a key.

        Raises:
            ConfigError: There is no value and no default.
        """
        value = self.config.get(key, default)
        if value is MISSING:
            sizes = ", or geometry=auto" if key.startswith("geometry.") else ""
            raise ConfigError(f"{key} has no value; expected {key}=...{sizes}")
        self.read[key] = value
        if bears:
            self.bearing[key] = value
        return value

    def choice(self, registry: Registry[C], key: str = "", stages: int = 0) -> C:
        """Return the choice from a registry, with its settings."""
        return self.options(registry.choose(self.value(key or registry.key)), stages)

    def options(self, kind: type[C], stages: int = 0) -> C:
        """Return a choice whose fields are the keys of its section."""
        return kind(**{field.name: self._field(field, kind.section, stages) for field in fields(kind)})

    def _field(self, field: Field[Any], section: str, stages: int) -> Any:
        if not field.metadata.get("per_stage"):
            return self.value(f"{section}.{field.name}", field.default, field.metadata.get("bears", True))
        values: list[Any] = []
        for number in range(1, stages + 1):
            defaults: tuple[Any, ...] = field.default  # type: ignore[assignment]
            last = defaults[number - 1] if number <= len(defaults) else values[-1]
            values.append(self.value(f"{section}.stage{number}.{field.name}", last))
        return tuple(values)


@dataclass(frozen=True)
class Settings:
    """All settings that a run reads.

    Attributes:
        model: Name of the preset; only `operations` is used.
        data: The data set.
        draw: The split into training, validation and test images.
        geometry: Sizes of each stage.
        operations: Operations of each stage after its filter bank.
        filters: The method that makes initial filters.
        sets: Number of filter sets.
        reading: Features that the classifier reads.
        refine: Whether to train all layers, or only a classifier on frozen features.
        readout: The classifier.
        hidden: Units of a tanh layer before the softmax; 0 for none.
        seed: Seed of everything random.
        batch_size: Images in each step of the optimiser, and in each batch of a test.
        logger: The dashboard; does not affect results.
        augmentation: Augmentation of training images, if all layers are trained.
        views: Views of images in validation and test.
        robustness: Whether to test corrupted images too.
        read: All keys that were read, with their values.
        bearing: Those of them that affect the result: two runs that differ here are different runs.
    """

    model: str
    data: DataSet
    draw: Draw
    geometry: tuple[StageGeometry, ...]
    operations: tuple[Operations, ...]
    filters: Method
    sets: FilterSets
    reading: Reading
    refine: bool
    readout: Readout
    hidden: int
    seed: int
    batch_size: int
    logger: Logger
    augmentation: Augmentation
    views: Views
    robustness: Robustness
    read: Mapping[str, Value]
    bearing: Mapping[str, Value]

    @property
    def stages(self) -> int:
        """Return the number of stages."""
        return len(self.geometry)

    @property
    def image(self) -> Shape:
        """(maps, height, width) of the input."""
        return self.data.maps, self.data.image_size, self.data.image_size

    @cached_property
    def shapes(self) -> list[StageShapes]:
        """Return the shapes of all stages.

        Raises:
            ConfigError: Sizes that do not fit, with their keys.
        """
        try:
            return trace(self.image, self.geometry)
        except ShapeError as error:
            raise _in_keys(error, self) from None

    def network(self, classes: int) -> tuple[Any, ...]:
        """Return the arguments of `multistage.MultiStageNet`.

        Raises:
            ConfigError: Sizes that do not fit, with their keys.
        """
        assert self.shapes  # checks the sizes
        sizes = self.image, classes, self.geometry, self.operations, self.hidden, self.seed
        return *sizes, self.sets.banks, self.reading

    @property
    def output(self) -> Shape:
        """Return (maps, height, width) of the last stage's maps, for one filter set."""
        return self.shapes[-1].pooled

    @property
    def features(self) -> int:
        """Return the number of features that the classifier reads."""
        return self.sets.banks * self.reading.length(self.shapes)


def data_of(config: Config) -> DataSet:
    """Return the data set of a flat configuration, which may lack all other settings."""
    return _Reader(config).choice(data_sets)


def parse(config: Config) -> Settings:
    """Parse a flat configuration whose values were checked (see `multistage.settings.config.check`).

    Raises:
        ConfigError: Unknown choice, or a key without a value.
    """
    reader = _Reader(config)
    stages = reader.value("stages")
    readout = reader.choice(readouts)
    filters = reader.choice(filter_methods, stages=stages)
    data = reader.choice(data_sets)
    filter_bank = reader.options(Filtering)
    padding = reader.value("filter_bank.padding")
    operations, geometry = [], []
    for number in range(1, stages + 1):
        pooled = number < stages or readout.pools_last(stages)
        done = Operations(
            _own(reader, rectifications, number),
            _own(reader, normalisations, number),
            _own(reader, poolings, number) if pooled else reader.choice(poolings),
            filter_bank,
        )
        operations.append(done)
        geometry.append(_sizes(reader, number, padding, filters.keeps_range, pooled, done.pool.overlaps))
    split = {name: reader.value(f"data.{name}") for name in DRAWN}
    reader.value("geometry")
    if readout.by_gradient:
        _read_training(reader)
    return Settings(
        model=reader.value("model"),
        data=data,
        draw=Draw(reader.value("draw", 0), **split),
        geometry=tuple(geometry),
        operations=tuple(operations),
        filters=filters,
        sets=FilterSets() if readout.reads_maps else reader.options(FilterSets),
        reading=Reading() if readout.reads_maps else reader.options(Reading),
        refine=reader.value("refine"),
        readout=readout,
        hidden=reader.value("hidden"),
        seed=reader.value("seed", 0),
        batch_size=reader.value("data.batch_size"),
        logger=reader.options(loggers.choose(reader.value("logger", "csv", bears=False))),
        augmentation=reader.options(Augmentation) if reader.value("refine") else Augmentation(),
        views=reader.options(Views),
        robustness=reader.options(Robustness),
        read=reader.read,
        bearing=reader.bearing,
    )


def _read_training(reader: _Reader) -> None:
    """Read what only gradient descent uses; arguments of Trainer without effect are not read."""
    for key in reader.config:
        section, _, name = key.partition(".")
        if section == "trainer" and not trainer.idle(name, reader.config):
            reader.value(key, bears=trainer.bears_on_result(name))
        elif section == "callbacks":
            reader.value(key, bears=reader.config.get(f"callbacks.{name.partition('.')[0]}._target_") != WATCHES)
        elif section in ("optimizer", "param_groups", "schedule"):
            reader.value(key)


def _own(reader: _Reader, registry: Registry[C], number: int) -> C:
    """Return the operation of a stage: its own, or that of all stages."""
    own = registry.key.replace("model.", f"model.stage{number}.")
    key = own if own in reader.config else registry.key
    return reader.choice(registry, key)


def _sizes(
    reader: _Reader, number: int, padding: int, keeps_range: bool, pooled: bool, overlaps: bool
) -> StageGeometry:
    """Return the sizes of a stage; without pooling, windows have one position."""
    key = f"geometry.stage{number}."
    maps, kernel, fan_in = (reader.value(key + name) for name in ("maps", "kernel", "fan_in"))
    step = reader.value(key + "step") if pooled else 1
    window = reader.value(key + "window") if pooled and overlaps else step
    # filters that are replaced later are drawn anyway, from any range
    filter_range = reader.value(key + "filter_range") if keeps_range else 1 / kernel
    return StageGeometry(maps, kernel, window, step, fan_in, padding, filter_range)


def _in_keys(error: ShapeError, settings: Settings) -> ConfigError:
    """Return the error for sizes that do not fit, with their keys and the keys that decide the map's size."""
    key = f"geometry.stage{error.stage}"
    refusal = f"{key}.{error.field}={error.value} {error.met}; expected at most {error.most}"
    stage = settings.geometry[error.stage - 1]
    if error.field == "fan_in":
        source = f"geometry.stage{error.stage - 1}" if error.stage > 1 else "data"
        return ConfigError(f"{refusal}, or null, or another {source}.maps={error.most}")
    before = [f"data.image_size={settings.data.image_size}", f"filter_bank.padding={stage.padding}"]
    for number, sizes in enumerate(settings.geometry[: error.stage - 1], 1):
        before += [f"geometry.stage{number}.{name}={getattr(sizes, name)}" for name in ("kernel", "window", "step")]
    if error.field == "kernel":
        return ConfigError(f"{refusal}, or other sizes before it: {', '.join(before)}")
    before.append(f"{key}.kernel={stage.kernel}")
    tiled = f"; with max pooling the window is {key}.step={stage.step}" if stage.window == stage.step else ""
    return ConfigError(f"{refusal}, or other sizes before it: {', '.join(before)}{tiled}")
