"""The network: stages of filter bank -> rectify -> normalise -> pool, then a classifier on their features."""

import math
from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from multistage.layers import FilterBank
from multistage.network.randomness import generator, seeded, seeds
from multistage.network.reading import Reading
from multistage.network.shapes import StageGeometry, trace
from multistage.operations import Operations


class MultiStageNet(nn.Module):
    """A network of stages and a classifier, initialised with random filters, connections and weights.

    Args:
        image: (maps, height, width) of the input.
        classes: Number of classes.
        stages: Sizes of each stage, first to last.
        operations: The operations of all stages, or of each; F-R_abs-N-P_A if None.
        hidden: Units of a tanh layer before the classifier (the paper's MNIST network has 200); 0 for none.
        seed: Seed of connections, filters and the classifier's weights.
        banks: Number of filter sets. Each is a stack of such stages; the classifier reads the features of all.
        reading: Which features it reads from the maps.

    Attributes:
        stages: The stages; each has its operations by name, such as ``filter_bank``, ``rectify``, ``contrast_norm``,
            ``pool``.
        further: The stages of the second and all later filter sets.
        classifier: From flattened feature maps to one score for each class.
        num_features: How many features the classifier reads.
        class_names: One name for each class, if known; `multistage.load` sets them.

    Raises:
        ShapeError: Sizes that do not fit.
        ValueError: Operations for a different number of stages.

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
        banks: int = 1,
        reading: Reading | None = None,
    ) -> None:
        super().__init__()
        self.reading = reading or Reading()
        shapes = trace(image, stages)
        if operations is None or isinstance(operations, Operations):
            operations = [operations or Operations()] * len(shapes)
        sets = [_stages(image[0], stages, operations, each) for each in seeds(seed, banks)]
        self.stages, self.further = sets[0], nn.ModuleList(sets[1:])
        self.num_features = banks * self.reading.length(shapes)
        self.classifier = classifier(self.num_features, classes, hidden, seed)
        self.class_names: tuple[str, ...] = ()

    @property
    def filter_sets(self) -> list[nn.Sequential]:
        """Return the stages of each filter set."""
        return [self.stages, *self.further]

    @property
    def filter_banks(self) -> list[FilterBank]:
        """Return the filter bank of each stage, for one filter set after the other."""
        return [module for module in self.modules() if isinstance(module, FilterBank)]

    def features(self, x: Tensor) -> Tensor:
        """Return what the classifier reads, [n, num_features]: `Reading.features` of each filter set."""
        found = [self.reading.features(stages, x) for stages in self.filter_sets]
        return found[0] if len(found) == 1 else torch.cat(found, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return scores (logits) [n, classes] of images [n, maps, height, width]."""
        scores: Tensor = self.classifier(self.features(x))
        return scores


def classifier(features: int, classes: int, hidden: int = 0, seed: int = 0) -> nn.Module:
    """Make a linear layer from features to scores, after a tanh layer of `hidden` units if there are any.

    There is no softmax: the loss has it. Weights are uniform in +-1 / sqrt(inputs), for 4,096 features the +-0.015 of
    the authors' demo; biases are 0.
    """
    layers = [nn.Linear(features, hidden), nn.Tanh()] if hidden else []
    layers.append(nn.Linear(hidden or features, classes))
    for number, layer in enumerate(layers):
        if isinstance(layer, nn.Linear):
            limit = 1 / math.sqrt(layer.in_features)
            nn.init.uniform_(layer.weight, -limit, limit, generator=generator(seed, "classifier", number))
            nn.init.zeros_(layer.bias)
    return layers[0] if len(layers) == 1 else nn.Sequential(*layers)


def _stages(
    in_maps: int, stages: Sequence[StageGeometry], operations: Sequence[Operations], seed: int
) -> nn.Sequential:
    """Make the stages of a filter set, with random connections and filters."""
    made = nn.Sequential()
    for number, (sizes, done) in enumerate(zip(stages, operations, strict=True), 1):
        with seeded(seed, "operations", number):
            stage = _stage(in_maps, sizes, done, generator(seed, "connections", number))
        filters: FilterBank = stage.filter_bank  # type: ignore[assignment]
        filters.reset_parameters(sizes.filter_range, generator(seed, "filters", number))
        made.append(stage)
        in_maps = sizes.maps
    return made


def _stage(in_maps: int, sizes: StageGeometry, operations: Operations, random: torch.Generator) -> nn.Module:
    connections = None if sizes.fan_in is None else connection_table(in_maps, sizes.maps, sizes.fan_in, random)
    bank = operations.filter_bank
    filters = FilterBank(
        in_maps, sizes.maps, sizes.kernel, connections, bank.squash, bank.gain, bank.bias, padding=sizes.padding
    )
    return nn.Sequential(
        OrderedDict(
            filter_bank=filters,
            **operations.rectify.parts(sizes.maps),
            **operations.normalise.parts(sizes.maps),
            **operations.pool.parts(sizes.window, sizes.step),
        )
    )


def connection_table(in_maps: int, out_maps: int, fan_in: int, random: torch.Generator) -> Tensor:
    """Draw `fan_in` different input maps for each output map at random, ascending; int64 [out_maps, fan_in]."""
    orders = (torch.randperm(in_maps, generator=random, device=random.device) for _ in range(out_maps))
    return torch.stack([order[:fan_in].sort().values for order in orders])
