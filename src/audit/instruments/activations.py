"""Activations during training: mean and deviation of units in every mini-batch, and the loss of the step."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, count, islice

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multistage.data.dataset import Dataset
from multistage.network.net import MultiStageNet
from multistage.settings import optimizer
from multistage.settings.tree import Config, parse
from multistage.train.batches import epoch_order
from multistage.train.restore import make_network

LATE = 10
"""Number of last training steps over which the loss is averaged."""


@dataclass(frozen=True)
class Course:
    """A training, step by step.

    Attributes:
        losses: Cross-entropy of each mini-batch before its step, nats, [steps].
        means: Mean of each map of the observed part, over mini-batch and positions, [steps, maps].
        deviations: Standard deviations, over the same, [steps, maps].
        shifts: Learned shifts if the part is a batch normalisation, else 0, [steps, maps].
        scales: Learned scales if it is one, else 1, [steps, maps].
    """

    losses: Tensor
    means: Tensor
    deviations: Tensor
    shifts: Tensor
    scales: Tensor

    @property
    def late_loss(self) -> float:
        """Return the mean loss of the last `LATE` steps, nats; infinite if it is not finite."""
        loss = float(self.losses[-LATE:].mean())
        return loss if math.isfinite(loss) else math.inf

    @property
    def standardised(self) -> tuple[Tensor, Tensor]:
        """Return means and deviations before the learned shift and scale, [steps, maps] each."""
        return (self.means - self.shifts) / self.scales, self.deviations / self.scales.abs()


def before_pooling(net: MultiStageNet) -> nn.Module:
    """Return the part of the first stage whose output is pooled."""
    return [part for name, part in net.stages[0].named_children() if name != "pool"][-1]


def follow(
    net: nn.Module, part: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], made: torch.optim.Optimizer
) -> Course:
    """Train on batches, one step each, and observe one part.

    Args:
        net: From images to scores; trained in place.
        part: A part of `net`, with output [n, maps, height, width].
        batches: Images and labels.
        made: The optimiser of the network's parameters.
    """
    rows: list[tuple[Tensor, ...]] = []
    losses = []

    def watch(module: nn.Module, inputs: object, output: Tensor) -> None:
        values = output.detach().double()
        shift, scale = torch.zeros(values.shape[1]).double(), torch.ones(values.shape[1]).double()
        if isinstance(module, nn.BatchNorm2d):
            shift, scale = (parameter.detach().double().clone() for parameter in (module.bias, module.weight))
        rows.append((values.mean((0, 2, 3)), values.std((0, 2, 3), correction=0), shift, scale))

    net.train()
    with part.register_forward_hook(watch):
        for x, y in batches:
            made.zero_grad()
            loss = F.cross_entropy(net(x), y)
            torch.autograd.backward(loss)
            made.step()
            losses.append(loss.detach().double())
    net.eval()
    means, deviations, shifts, scales = (torch.stack(column) for column in zip(*rows, strict=True))
    return Course(torch.stack(losses), means, deviations, shifts, scales)


def train_and_follow(config: Config, dataset: Dataset, steps: int) -> Course:
    """Do the first steps of a run at its full rate, without a schedule, on the run's own mini-batches.

    The observed part is the output of the first stage before pooling.

    Args:
        config: The run's configuration.
        dataset: Its images.
        steps: Number of mini-batches, over as many epochs as needed.

    Raises:
        DataError: A class with too few images.
    """
    chosen = parse(config).draw.of(dataset).train
    x, y = dataset.pixels(chosen), dataset.labels[chosen]
    net = make_network(parse(config), len(dataset.class_names))
    steady = {key: value for key, value in config.items() if not key.startswith("schedule")}
    made, _ = optimizer.make(steady, net.parameters(), steps)
    orders = (epoch_order(len(chosen), config["seed"], epoch) for epoch in count())
    batches = chain.from_iterable(torch.split(order, config["data.batch_size"]) for order in orders)
    return follow(net, before_pooling(net), ((x[i], y[i]) for i in islice(batches, steps)), made)
