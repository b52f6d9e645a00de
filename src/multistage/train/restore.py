"""Networks of settings, and trained ones of finished runs."""

from pathlib import Path
from typing import Any

from safetensors.torch import load as load_tensors
from torch import Tensor

from multistage.network.net import MultiStageNet
from multistage.records.runs import Record
from multistage.registry.errors import MultistageError
from multistage.settings.tree import Settings, parse
from multistage.storage import durable


def make_network(settings: Settings, classes: int) -> MultiStageNet:
    """The network of a run, with random filters.

    Raises:
        ConfigError: Sizes that do not fit, named by their key.
    """
    return MultiStageNet(*arguments(settings, classes))


def arguments(settings: Settings, classes: int) -> tuple[Any, ...]:
    """What `MultiStageNet` is made from.

    Raises:
        ConfigError: Sizes that do not fit, named by their key.
    """
    assert settings.shapes  # refuses by key
    return settings.image, classes, settings.geometry, settings.operations, settings.hidden, settings.seed


def restore(path: Path, record: Record, into: type[MultiStageNet] = MultiStageNet) -> MultiStageNet:
    """The trained network of a record, in eval mode, with its `class_names`.

    Args:
        path: The run's weights, wherever they lie.
        record: The run's record.
        into: What kind of network it becomes.

    Raises:
        MultistageError: Weights that are missing, or not the record's.
    """
    names = tuple(entry["name"] for entry in record["per_class"])
    settings = parse(record["config"])
    net = into(*arguments(settings, len(names)))
    try:
        state = weights(path, record)
        trained = {name.removeprefix("classifier."): value for name, value in state.items() if "classifier." in name}
        net.classifier = settings.readout.restore(net.classifier, trained, settings.output)
        net.load_state_dict(state)
    except OSError as error:
        raise MultistageError(f"{path} is missing ({error.strerror})") from None
    except ValueError as error:
        raise MultistageError(f"{path} is damaged ({error}); run again with overwrite=true") from None
    net.class_names = names
    return net.eval()


def weights(path: Path, record: Record) -> dict[str, Tensor]:
    """The weights of a finished run, by name.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is not the one that the record speaks of.
    """
    content = path.read_bytes()
    if durable.digest(content) != record["weights_sha256"]:
        raise ValueError("its checksum is not the record's")
    return load_tensors(content)
