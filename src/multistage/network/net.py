"""The network: stages of filter bank -> rectify -> normalise -> pool, then a classifier on their features."""

import math
from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from multistage.layers import FilterBank
from multistage.network.randomness import generator
from multistage.network.shapes import StageGeometry, trace
from multistage.operations import Operations


class MultiStageNet(nn.Module):
    """Stages and a classifier, with random filters, connections and weights.

    Args:
        image: (maps, height, width) of the input.
        classes: Number of classes.
        stages: Sizes, from the input on.
        operations: What every stage does, or what each does; F-R_abs-N-P_A if None.
        hidden: Units of a tanh layer before the classifier (the paper's MNIST network has 200); 0 for none.
        seed: Decides connections, filters and the classifier's weights.

    Attributes:
        stages: The stages; each has parts by name, such as ``filter_bank``, ``rectify``, ``contrast_norm``, ``pool``,
            as far as its operations have them.
        classifier: From flattened feature maps to one score a class.
        num_features: Length of the flattened maps.
        class_names: One name a class, for those who know them; `multistage.load` does.

    Raises:
        ShapeError: Sizes that do not fit.
        ValueError: Operations for another number of stages.

    Source: paper, section 3 and figure 2. Random connections: section 4; uniform kernels of +-1 / kernel size: the
    authors' demo.
    """

    def __init__(
        self,
        image: tuple[int, int, int],
        classes: int,
        stages: Sequence[StageGeometry],
        operations: Operations | Sequence[Operations] | None = None,
        hidden: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        shapes = trace(image, stages)
        if operations is None or isinstance(operations, Operations):
            operations = [operations or Operations()] * len(shapes)
        self.stages = nn.Sequential()
        for number, (stage, shape, done) in enumerate(zip(stages, shapes, operations, strict=True), 1):
            self.stages.append(_stage(shape.input[0], stage, done, generator(seed, "connections", number)))
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


def _stage(in_maps: int, sizes: StageGeometry, operations: Operations, random: torch.Generator) -> nn.Module:
    connections = None if sizes.fan_in is None else connection_table(in_maps, sizes.maps, sizes.fan_in, random)
    bank = operations.filter_bank
    filters = FilterBank(
        in_maps, sizes.maps, sizes.kernel, connections, bank.squash, bank.gain, bank.bias, padding=sizes.padding
    )
    return nn.Sequential(
        OrderedDict(
            filter_bank=filters,
            **operations.rectify.parts(),
            **operations.normalise.parts(sizes.maps),
            **operations.pool.parts(sizes.window, sizes.step),
        )
    )


def connection_table(in_maps: int, out_maps: int, fan_in: int, random: torch.Generator) -> Tensor:
    """Which input maps each output map sees: `fan_in` different ones at random, ascending; int64 [out_maps, fan_in]."""
    orders = (torch.randperm(in_maps, generator=random, device=random.device) for _ in range(out_maps))
    return torch.stack([order[:fan_in].sort().values for order in orders])
