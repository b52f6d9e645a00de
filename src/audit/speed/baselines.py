"""Baselines for the benchmarks: the same mathematics in plain torch, and Torch7's different formula.

Plain means a direct translation of the paper's formulas to torch, without optimising memory access: dense convolutions
over all maps, gradients by autograd, a `DataLoader`, a bare loop.
"""

from collections import OrderedDict
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from multistage.layers import AveragePool, FilterBank, LocalContrastNorm, Rectify
from multistage.layers.contrast_norm import definition, gaussian_window, local_contrast_norm
from multistage.layers.convolution import spread
from multistage.network.net import MultiStageNet


class DenseContrastNorm(nn.Module):
    """N by two dense convolutions from all maps to one, as in section 2 of the paper.

    Args:
        maps: Number of input maps.
        kernel_size: Side of the window, pixels.
        sigma: Standard deviation of the window, pixels; None: kernel_size / (4 sqrt 2).
    """

    def __init__(self, maps: int, kernel_size: int = 9, sigma: float | None = None) -> None:
        super().__init__()
        window = gaussian_window(kernel_size, sigma)
        weights = torch.outer(window, window).expand(1, maps, -1, -1) / maps
        self.weights: Tensor
        self.register_buffer("weights", weights.to(torch.get_default_dtype()).contiguous())
        self.padding = kernel_size // 2

    def forward(self, x: Tensor) -> Tensor:
        v = x - F.conv2d(x, self.weights, padding=self.padding)
        variance = F.conv2d(v**2, self.weights, padding=self.padding)
        sigma = variance.clamp_min(1e-12).sqrt()  # the square root has no gradient at 0, and images have flat borders
        return v / torch.maximum(sigma, sigma.mean((2, 3), keepdim=True))


class Torch7ContrastNorm(nn.Module):
    """``nn.SpatialContrastiveNormalization`` of Torch7 with a 1-D kernel; another formula than the paper's.

    Each map is blurred separately, along one axis, then the other, and the blurred maps are added. Sums near the
    border are divided by those of an image of ones. So is the local root mean square, after taking the root. Deviations
    up to 1e-4 count as 1e-4, independent of the rest of the image.

    Args:
        maps: Number of input maps.
        kernel_size: Side of the window, pixels.
        sigma: Standard deviation of the window, pixels; None: kernel_size / (4 sqrt 2).
        threshold: Smallest deviation that is used as divisor.
    """

    def __init__(self, maps: int, kernel_size: int = 9, sigma: float | None = None, threshold: float = 1e-4) -> None:
        super().__init__()
        window = gaussian_window(kernel_size, sigma).to(torch.get_default_dtype())
        self.along: Tensor
        self.register_buffer("along", window.expand(maps, 1, 1, -1).contiguous())
        self.threshold = threshold
        self._coefficient: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self._coefficient is None or self._coefficient.shape[2:] != x.shape[2:]:
            self._coefficient = self._local_mean(torch.ones_like(x[:1])).detach()
        v = x - self._local_mean(x) / self._coefficient
        deviation = self._local_mean(v**2).sqrt() / self._coefficient
        return v / F.threshold(deviation, self.threshold, self.threshold)

    def _local_mean(self, x: Tensor) -> Tensor:
        maps, radius = x.shape[1], self.along.shape[-1] // 2
        x = F.conv2d(x, self.along, padding=(0, radius), groups=maps)
        x = F.conv2d(x, self.along.mT, padding=(radius, 0), groups=maps)
        return x.sum(1, keepdim=True) / maps


class UnfoldedContrastNorm(nn.Module):
    """Contrast normalisation of one channel as in active stereo code: unfold every window, then reduce it.

    Args:
        kernel_size: Side of the box, pixels.
        eps: Added to the deviation.
    """

    def __init__(self, kernel_size: int = 9, eps: float = 1e-5) -> None:
        super().__init__()
        self.windows, self.eps = nn.Unfold(kernel_size, padding=kernel_size // 2), eps

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        values = self.windows(x)
        mean = values.mean(1).view_as(x)
        deviation = values.std(1, unbiased=False).view_as(x)
        return (x - mean) / (deviation + self.eps), deviation


class LoopedContrastNorm(nn.Module):
    """N within each map, in a loop over maps, each by two dense convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.of_one = DenseContrastNorm(1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.of_one(map_) for map_ in torch.split(x, 1, 1)], 1)


class DenseFilterBank(nn.Module):
    """F_CSG as a dense convolution, with zeros where the connection table has no connection.

    Args:
        bank: Bank to copy kernels, gain and connections from; with tanh and gain, without bias and padding.
    """

    def __init__(self, bank: FilterBank) -> None:
        super().__init__()
        assert bank.gain is not None
        weights = bank.kernels.detach().flip(-2, -1)  # conv2d is a correlation
        connected = torch.ones_like(weights[..., :1, :1])
        if bank.connections is not None:
            weights, connected = (spread(part, bank.connections, bank.in_maps) for part in (weights, connected))
        self.weights, self.gain = nn.Parameter(weights), nn.Parameter(bank.gain.detach().clone())
        self.connected: Tensor
        self.register_buffer("connected", connected)

    def forward(self, x: Tensor) -> Tensor:
        return self.gain[:, None, None] * torch.tanh(F.conv2d(x, self.weights * self.connected))


class Absolute(nn.Module):
    """R_abs."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.abs(x)


def plain_stage(stage: nn.Module) -> nn.Sequential:
    """A stage F-R_abs-N-P_A in plain torch, with copies of the weights and the same names of its parts.

    Raises:
        ValueError: A part has no plain form.
    """
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    maps = 0
    for name, part in stage.named_children():
        match part:
            case FilterBank(squash="tanh", bias=None, padding=0):
                maps = part.out_maps
                parts[name] = DenseFilterBank(part)
            case Rectify(kind="abs"):
                parts[name] = Absolute()
            case LocalContrastNorm(floor="mean", border="zero", across_maps=True) if (
                part.floor_gradient and part.is_usual()
            ):
                parts[name] = DenseContrastNorm(maps, part.kernel_size, part.sigma)
            case AveragePool():
                parts[name] = nn.AvgPool2d(part.window, part.step)
            case _:
                raise ValueError(f"{name} has no plain form: {part}; expected parts of model=abs_lcn_avgpool")
    return nn.Sequential(parts)


def plain_network(net: MultiStageNet) -> nn.Sequential:
    """A network of such stages and its linear classifier in plain torch, with copies of the weights."""
    assert isinstance(net.classifier, nn.Linear)
    linear = nn.Linear(net.classifier.in_features, net.classifier.out_features)
    linear.load_state_dict(net.classifier.state_dict())
    return nn.Sequential(*map(plain_stage, net.stages), nn.Flatten(), linear)


def plain_training(
    net: nn.Module,
    samples: tuple[Tensor, Tensor],
    batch_size: int,
    lr: float,
    momentum: float = 0.9,
    device: str = "cpu",
) -> list[float]:
    """Train one epoch as in tutorials: shuffling DataLoader, SGD, a bare loop.

    Args:
        net: Trained in place.
        samples: Images [n, ...] and labels [n].
        batch_size: Images per step.
        lr: Learning rate.
        momentum: Momentum of SGD.
        device: Device to train on.

    Returns:
        The loss of each step.
    """
    net.train().to(device)
    optimizer = torch.optim.SGD(net.parameters(), lr=lr, momentum=momentum)
    losses = []
    for images, labels in DataLoader(TensorDataset(*samples), batch_size=batch_size, shuffle=True):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(images.to(device)), labels.to(device))
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(loss.item())
    return losses


def contrast_norms(
    maps: int, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> dict[str, Callable[[Tensor], Tensor]]:
    """Return the implementations of N with window 9 to compare, by name; ``ours`` is first."""
    return {
        "ours": local_contrast_norm,
        "definition": definition,
        "dense": DenseContrastNorm(maps).to(device, dtype),
        "torch7": Torch7ContrastNorm(maps).to(device, dtype),
    }
