"""Build networks from settings, and restore trained ones from finished runs."""

import math
from pathlib import Path

import torch
from safetensors.torch import load as load_tensors
from torch import Tensor, nn

from multistage.layers.filter_bank import check_connections
from multistage.network.net import MultiStageNet
from multistage.network.shapes import Shape
from multistage.readout import Readout
from multistage.records.runs import RESULTS_VERSION, Record
from multistage.records.schema import SETTINGS, SHIPPED, parsed, settings_digest
from multistage.registry.errors import ConfigError, MultistageError, one_line
from multistage.settings.config import check
from multistage.settings.tree import Settings
from multistage.storage import durable
from multistage.train import hardware

CLASSIFIER = "classifier."
"""Prefix of the classifier's tensors."""

HEADER = 2**20
"""Maximum size of a file's header, bytes; ours have a hundred for each tensor."""

COPIES = 3
"""Copies in memory of a stage's maps (filtered, rectified, normalised) and of weights (file, tensors, network)."""

TYPES = {torch.float32: "F32", torch.float16: "F16", torch.int64: "I64"}
"""Types of tensors, in safetensors' names."""

HALF = "float16"
"""The value in a shipped record for weights stored in half precision."""


def make_network(settings: Settings, classes: int) -> MultiStageNet:
    """Build the network of a run, with random filters.

    Raises:
        ConfigError: Sizes that do not fit, with their key; operations whose maps have other sizes than planned.
    """
    net = MultiStageNet(*settings.network(classes)).eval()
    maps = torch.zeros(1, *settings.image)
    for number, (stage, done, shapes) in enumerate(
        zip(net.stages, settings.operations, settings.shapes, strict=True), 1
    ):
        with torch.no_grad():
            maps = stage(maps)
        if maps.shape[1:] != shapes.pooled:
            found, expected = _sizes(maps[0]), "x".join(map(str, shapes.pooled))
            chosen = ", ".join(f"model.{slot}={getattr(done, slot).name}" for slot in ("rectify", "normalise", "pool"))
            raise ConfigError(f"stage {number} with {chosen} makes maps {found}; expected {expected}")
    return net.train()


def check_restorable(readout: Readout, classifier: nn.Module, trained: nn.Module, shape: Shape) -> None:
    """Refuse a trained classifier that `restore` would not make again from its weights.

    Args:
        readout: What trained it.
        classifier: The classifier of the new network.
        trained: The trained classifier.
        shape: (maps, height, width) of the maps before flattening.

    Raises:
        MultistageError: One line with both classifiers.
    """
    restored = readout.restore(classifier, trained.state_dict(), shape) if readout.resizes else classifier
    made, expected = map(_described, (trained, restored))
    if made != expected:
        raise MultistageError(
            f"readout={readout.name} trained {made}, but its weights would be restored as {expected}; expected "
            "the same, or resizes = True and a method restore that makes it"
        )


def _described(module: nn.Module) -> str:
    """Describe a module: its class, and the sizes of its tensors."""
    tensors = ", ".join(f"{name} {_sizes(value)}" for name, value in module.state_dict().items())
    return f"{type(module).__name__} ({tensors})"


def _sizes(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape))


def restore(path: Path, record: Record, into: type[MultiStageNet] = MultiStageNet) -> MultiStageNet:
    """Restore the trained network of a record, in eval mode, with its `class_names`.

    The header of the file (names, sizes, types) is compared with the record before anything large is allocated.

    Args:
        path: The file of weights.
        record: The run's record.
        into: Class of the network.

    Raises:
        ConfigError: Sizes that do not fit, with their key.
        MultistageError: Weights that are missing, do not match the record, or have another results version.
    """
    if record["results_version"] != RESULTS_VERSION:
        found = f"results_version={record['results_version']}"
        raise MultistageError(f"{path} has {found}, whose results this version does not repeat: {RESULTS_VERSION}")
    names = tuple(entry["name"] for entry in record["per_class"])
    if not names:
        raise MultistageError(f"{path} cannot be used: its record names no classes")
    try:
        settings = check(record["config"])
    except ConfigError as error:
        raise ConfigError(f"{path} fits no network: {error}") from None
    maps = 4 * max(math.prod(shape) for stage in settings.shapes for shape in (stage.input, stage.filtered))
    if COPIES * maps > hardware.memory():
        size = f"data.image_size={settings.data.image_size} with these sizes of stages"
        raise MultistageError(f"{path}: one image takes {COPIES * maps / 1e9:,.0f} GB, by {size}; more than there is")
    with torch.device("meta"):
        planned = into(*settings.network(len(names)))
    try:
        state = weights(path, record, planned, settings)
        trained = {name.removeprefix(CLASSIFIER): value for name, value in state.items() if name.startswith(CLASSIFIER)}
        resizes = settings.readout.resizes
        net = into(*settings.network(1 if resizes else len(names)))
        net.classifier = settings.readout.restore(net.classifier, trained, settings.output)
        if resizes:
            _try(net.classifier, net.num_features, len(names))
        net.load_state_dict(state)
        for bank in net.filter_banks:
            if bank.connections is not None:
                check_connections(bank.connections, bank.in_channels, bank.out_channels)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        raise MultistageError(f"{path} {'is missing' if missing else 'cannot be read'} ({error.strerror})") from None
    except (ValueError, TypeError, RuntimeError) as error:
        advice = "run again with overwrite=true" if SHIPPED not in record else "install multistage again"
        raise MultistageError(f"{path} is damaged ({one_line(error)}); {advice}") from None
    net.class_names = names
    return net.eval()


def weights(path: Path, record: Record, planned: MultiStageNet, settings: Settings) -> dict[str, Tensor]:
    """Read the weights of a finished run, by name; half precision of shipped models becomes float32.

    Args:
        path: The file of weights.
        record: The run's record.
        planned: The network that they fit; its tensors may be on the meta device.
        settings: The run's settings.

    Raises:
        OSError: The file cannot be read.
        ValueError: It does not match the record, the network, or the settings (older files do not have their digest).
    """
    found, size, settings_sha256 = described(path)
    if settings_sha256 not in (None, settings_digest(record["config"])):
        raise ValueError("it was trained with other settings than its record has")
    shipped = record.get(SHIPPED)
    half = shipped is not None and shipped["precision"] == HALF
    wanted = {
        name: (TYPES[halved(value).dtype if half else value.dtype], list(value.shape))
        for name, value in planned.state_dict().items()
    }
    if settings.readout.resizes:
        found = {name: each for name, each in found.items() if not name.startswith(CLASSIFIER)}
        wanted = {name: each for name, each in wanted.items() if not name.startswith(CLASSIFIER)}
    for name in sorted({**found, **wanted}):
        if found.get(name) != wanted.get(name):
            said, expected = (" ".join(map(str, each.get(name, ["nothing"]))) for each in (found, wanted))
            raise ValueError(f"{name[:60]} is {said[:60]}, expected {expected}")
    if COPIES * size * (1 + half) > hardware.memory():
        raise ValueError(f"it has {size / 1e9:,.0f} GB, more than fits in memory")
    content = durable.read(path, size)
    if durable.digest(content) != (shipped or record).get("weights_sha256"):
        raise ValueError("its checksum is not the record's")
    state = load_tensors(content)
    if half:
        state = {name: value.float() if value.dtype == torch.float16 else value for name, value in state.items()}
    for name, value in state.items():
        if not value.isfinite().all():
            raise ValueError(f"{name} holds values that are not finite numbers")
    return state


def halved(value: Tensor) -> Tensor:
    """Convert a tensor for half precision: kernels and matrices to float16; vectors and integers do not change."""
    return value.half() if value.ndim > 1 and value.dtype == torch.float32 else value


def described(path: Path) -> tuple[dict[str, tuple[str, list[int]]], int, str | None]:
    """Read the header of a safetensors file: type and shape of each tensor, size of the file, and its settings.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is not a safetensors file, or its size does not match its header.
    """
    with durable.opened(path) as file:
        length = int.from_bytes(file.read(8), "little")
        if length > HEADER:
            raise ValueError(f"it begins with a header of {length:,} bytes; expected at most {HEADER:,}")
        header = file.read(length)
        size = file.seek(0, 2)
    try:
        entries = parsed(header)
        settings_sha256 = entries.pop("__metadata__", {}).get(SETTINGS)
        found = {name: (str(each["dtype"]), list(each["shape"])) for name, each in entries.items()}
        end = max((each["data_offsets"][1] for each in entries.values()), default=0)
    except (KeyError, TypeError, IndexError, AttributeError):
        raise ValueError("its header is not that of a safetensors file") from None
    if size != 8 + length + end:
        raise ValueError(f"it has {size:,} bytes, expected {str(8 + length + end)[:30]}")
    return found, size, settings_sha256


def _try(classifier: nn.Module, features: int, classes: int) -> None:
    """Refuse a classifier that does not give a finite score for each class.

    Raises:
        ValueError: It does not.
    """
    with torch.inference_mode():
        said = classifier(torch.zeros(1, features))
    if list(said.shape) != [1, classes] or not said.isfinite().all():
        raise ValueError("its classifier does not give a finite score of each class")
