"""The network: stages of filter bank -> rectify -> normalise -> pool, then a classifier on the flattened maps."""

import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from multistage.layers import AveragePool, FilterBank, LocalContrastNorm, MaxPool, Rectify
from multistage.network.randomness import generator
from multistage.network.shapes import StageGeometry, stage_geometries, trace
from multistage.settings.config import NORMALISATIONS, RECTIFICATIONS, Config, section
from multistage.settings.errors import ConfigError

OPERATIONS = {"rectify": RECTIFICATIONS, "normalise": NORMALISATIONS, "pool": ("average", "max")}


@dataclass(frozen=True)
class Operations:
    """What every stage does: a column of the paper's Table 1, and the options of its parts.

    Attributes:
        rectify: ``none``, ``abs`` or ``relu``.
        normalise: ``none``, ``lcn`` (N), ``batchnorm``, or ``lcn_batchnorm`` (one after the other).
        pool: ``average`` or ``max``.
        filter_bank: Further arguments of `FilterBank`: squash, gain, bias.
        contrast_norm: Arguments of `LocalContrastNorm`.
    """

    rectify: str = "abs"
    normalise: str = "lcn"
    pool: str = "average"
    filter_bank: Mapping[str, Any] = field(default_factory=dict)
    contrast_norm: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, allowed in OPERATIONS.items():
            if getattr(self, name) not in allowed:
                raise ConfigError(f"{name} must be one of {', '.join(allowed)}, not {getattr(self, name)!r}")


class MultiStageNet(nn.Module):
    """One or two stages and a classifier, with random filters, connections and weights.

    Args:
        image: (maps, height, width) of the input.
        classes: Number of classes.
        stages: Sizes, from the input on.
        operations: What each stage does; F-R_abs-N-P_A if None.
        hidden: Units of a tanh layer before the classifier (the paper's MNIST network has 200); 0 for none.
        seed: Decides connections, filters and the classifier's weights.

    Attributes:
        stages: The stages; each has parts named ``filter_bank``, ``rectify``, ``contrast_norm``, ``batch_norm`` and
            ``pool``, as far as the operations have them.
        classifier: From flattened maps to one score a class.
        num_features: Length of the flattened maps.
        class_names: One name a class, for those who know them; `multistage.load` does.

    Raises:
        ConfigError: Sizes that do not fit, named by their key.

    Source: paper, section 3 and figure 2. Random connections: section 4; uniform kernels of +-1 / kernel size: the
    authors' demo.
    """

    def __init__(
        self,
        image: tuple[int, int, int],
        classes: int,
        stages: Sequence[StageGeometry],
        operations: Operations | None = None,
        hidden: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        operations = Operations() if operations is None else operations
        shapes = trace(image, stages)
        self.stages = nn.Sequential()
        for number, (stage, shape) in enumerate(zip(stages, shapes, strict=True), 1):
            self.stages.append(_stage(shape.input[0], stage, operations, generator(seed, "connections", number)))
            filters = self.filter_banks[-1]
            filters.reset_parameters(stage.filter_range, generator(seed, "filters", number))
        self.num_features = math.prod(shapes[-1].pooled)
        self.classifier = classifier(self.num_features, classes, hidden, seed)
        self.class_names: tuple[str, ...] = ()

    @property
    def filter_banks(self) -> list[FilterBank]:
        """The filter bank of each stage."""
        return [module for module in self.stages.modules() if isinstance(module, FilterBank)]

    def features(self, x: Tensor) -> Tensor:
        """Flattened maps of the last stage, [n, num_features], in the order map, row, column."""
        pooled: Tensor = self.stages(x)
        return pooled.flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        """Scores (logits) [n, classes] of images [n, maps, height, width]."""
        scores: Tensor = self.classifier(self.features(x))
        return scores


def classifier(features: int, classes: int, hidden: int = 0, seed: int = 0) -> nn.Module:
    """A linear layer from features to scores, or with `hidden` units a tanh layer before it; softmax is the loss's.

    Weights are uniform in +-1 / sqrt(inputs), for 4,096 features the +-0.015 of the authors' demo; biases are 0.
    """
    layers = [nn.Linear(features, hidden), nn.Tanh()] if hidden else []
    layers.append(nn.Linear(hidden or features, classes))
    for number, layer in enumerate(layers):
        if isinstance(layer, nn.Linear):
            limit = 1 / math.sqrt(layer.in_features)
            nn.init.uniform_(layer.weight, -limit, limit, generator=generator(seed, "classifier", number))
            nn.init.zeros_(layer.bias)
    return layers[0] if len(layers) == 1 else nn.Sequential(*layers)


def from_config(config: Config, classes: int) -> MultiStageNet:
    """The network that a run's configuration describes, with random filters.

    Raises:
        ConfigError: Sizes that do not fit, named by their key.
    """
    filter_bank = section(config, "filter_bank")
    filter_bank.pop("padding")
    operations = Operations(
        rectify=config["model.rectify"],
        normalise=config["model.normalise"],
        pool="average" if config["model.pool"] == "average" else "max",
        filter_bank=filter_bank,
        contrast_norm=section(config, "contrast_norm"),
    )
    side = config["data.image_size"]
    image = (config["data.maps"], side, side)
    return MultiStageNet(image, classes, stage_geometries(config), operations, config["hidden"], config["seed"])


def _stage(in_maps: int, sizes: StageGeometry, operations: Operations, random: torch.Generator) -> nn.Module:
    connections = None if sizes.fan_in is None else connection_table(in_maps, sizes.maps, sizes.fan_in, random)
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    parts["filter_bank"] = FilterBank(
        in_maps, sizes.maps, sizes.kernel, connections, padding=sizes.padding, **operations.filter_bank
    )
    if operations.rectify != "none":
        parts["rectify"] = Rectify("abs" if operations.rectify == "abs" else "relu")
    if operations.normalise in ("lcn", "lcn_batchnorm"):
        parts["contrast_norm"] = LocalContrastNorm(**operations.contrast_norm)
    if operations.normalise in ("batchnorm", "lcn_batchnorm"):
        parts["batch_norm"] = nn.BatchNorm2d(sizes.maps)
    pool = AveragePool if operations.pool == "average" else MaxPool
    if sizes.window > 1 or sizes.step > 1:
        parts["pool"] = pool(sizes.window, sizes.step)
    return nn.Sequential(parts)


def connection_table(in_maps: int, out_maps: int, fan_in: int, random: torch.Generator) -> Tensor:
    """Which input maps each output map sees: `fan_in` different ones at random, ascending; int64 [out_maps, fan_in]."""
    choices = [torch.randperm(in_maps, generator=random)[:fan_in].sort().values for _ in range(out_maps)]
    return torch.stack(choices)
