"""Local connectivity against weight sharing: the same fields, with separate or shared weights at each position.

One layer of fields, tanh, average pooling and a linear classifier; only sharing differs. Images are registered (as they
are) or not (training and test images are shifted at random).
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multistage.layers import AveragePool, FilterBank
from multistage.network.randomness import generator
from multistage.train.batches import Samples, epoch_order


class LocallyConnected(nn.Module):
    """F_CSG without weight sharing: separate weights at each position of each map, then tanh and a gain for each map.

    Args:
        side: Side of the square image (one map), pixels.
        maps: Number of output maps.
        kernel_size: Side of a field, pixels.
        random: Source of the weights, uniform in +-1 / kernel_size.

    Attributes:
        weights: k at each position, [positions, kernel_size^2, maps]: a convolution's k, not the flipped W.
        gain: [maps].
    """

    def __init__(self, side: int, maps: int, kernel_size: int, random: torch.Generator | None = None) -> None:
        super().__init__()
        self.kernel_size, self.out = kernel_size, side - kernel_size + 1
        weights = torch.empty(self.out**2, kernel_size**2, maps)
        self.weights = nn.Parameter(nn.init.uniform_(weights, -1 / kernel_size, 1 / kernel_size, generator=random))
        self.gain = nn.Parameter(torch.ones(maps))

    def forward(self, x: Tensor) -> Tensor:
        """Compute maps [n, maps, out, out] of images [n, 1, side, side]."""
        fields = F.unfold(x, self.kernel_size).flip(1)  # the convolution's k against the correlation's W
        sums = (fields.permute(2, 0, 1) @ self.weights).permute(1, 2, 0)
        return self.gain[:, None, None] * torch.tanh(sums).reshape(*sums.shape[:2], self.out, self.out)


@dataclass(frozen=True)
class Setting:
    """Settings of a trial.

    Attributes:
        maps: Maps of the first layer.
        kernel_size: Side of its fields, pixels.
        pool: Window and stride of the average pooling, pixels.
        epochs: Number of training epochs.
        batch_size: Images in each step.
        lr: Learning rate of SGD with momentum 0.9, with cosine decay to 0.
    """

    maps: int = 8
    kernel_size: int = 5
    pool: int = 2
    epochs: int = 10
    batch_size: int = 32
    lr: float = 0.05


def make(side: int, classes: int, sharing: bool, setting: Setting, seed: int) -> nn.Sequential:
    """Make a network of fields, pooling and classifier.

    With and without sharing it has the same number of units, the same initial classifier and the same distribution of
    weights.

    Args:
        side: Side of the image, pixels.
        classes: Number of classes.
        sharing: Whether each map has one filter, or one at each position.
        setting: Sizes.
        seed: Seed of all weights.
    """
    random = generator(seed, "filters", 1)
    fields: nn.Module
    if sharing:
        fields = FilterBank(1, setting.maps, setting.kernel_size)
        fields.reset_parameters(1 / setting.kernel_size, random)
    else:
        fields = LocallyConnected(side, setting.maps, setting.kernel_size, random)
    pooled = (side - setting.kernel_size + 1) // setting.pool
    linear = nn.Linear(setting.maps * pooled**2, classes)
    limit = 1 / math.sqrt(linear.in_features)
    nn.init.uniform_(linear.weight, -limit, limit, generator=generator(seed, "classifier", 0))
    nn.init.zeros_(linear.bias)
    return nn.Sequential(fields, AveragePool(setting.pool, setting.pool), nn.Flatten(), linear)


def shifted(images: Tensor, most: int, random: torch.Generator) -> Tensor:
    """Shift each image by up to `most` pixels along each axis, uniformly; the border pixels are repeated.

    Args:
        images: [n, maps, height, width].
        most: Pixels; 0 returns the images unchanged.
        random: Source of the shifts.
    """
    n, _, height, width = images.shape
    shifts = torch.randint(-most, most + 1, (n, 2), generator=random)
    rows = (torch.arange(height) - shifts[:, :1]).clamp(0, height - 1)
    columns = (torch.arange(width) - shifts[:, 1:]).clamp(0, width - 1)
    picture = torch.arange(n)[:, None, None]
    return images.permute(0, 2, 3, 1)[picture, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def trial(net: nn.Module, training: Samples, test: Samples, setting: Setting, seed: int) -> float:
    """Train a network.

    Args:
        net: From images to scores; trained in place.
        training: Training images and labels.
        test: Test images and labels.
        setting: Epochs, batches and rate.
        seed: Seed of the order of samples.

    Returns:
        Accuracy on test images, a fraction.
    """
    x, y = training
    steps = setting.epochs * -(-len(y) // setting.batch_size)
    made = torch.optim.SGD(net.parameters(), lr=setting.lr, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(made, steps)
    net.train()
    for epoch in range(setting.epochs):
        for batch in torch.split(epoch_order(len(y), seed, epoch), setting.batch_size):
            made.zero_grad()
            torch.autograd.backward(F.cross_entropy(net(x[batch]), y[batch]))
            made.step()
            schedule.step()
    net.eval()
    images, labels = test
    with torch.inference_mode():
        return float((net(images).argmax(1) == labels).double().mean())
