"""Test-time augmentation: an image is shown in several views, and what the network says of them is averaged.

views.mirror=true views.shift=8        ten views: five places, each as it is and mirrored
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from multistage.registry import Choice, setting
from multistage.registry.errors import ConfigError
from multistage.registry.rules import whole

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Views(Choice):
    """The views of an image that is validated, tested or predicted (Krizhevsky, Sutskever & Hinton, NIPS 2012).

    The validation that ends each epoch, and chooses one, sees the image itself alone.

    Attributes:
        mirror: Whether each view is shown mirrored, left to right, too.
        shift: The image is shown moved by so many pixels in each of the four directions, too; what comes in from
            outside is its reflection. 0: it is not.
    """

    section = "views"

    mirror: bool = False
    shift: int = setting(0, whole(0, 999))

    @property
    def several(self) -> bool:
        """Whether there are other views than the image itself."""
        return self.mirror or self.shift > 0

    def check(self, side: int) -> None:
        """Refuse shifts that leave nothing of an image.

        Raises:
            ConfigError: One line with the key.
        """
        if self.shift >= side:
            raise ConfigError(f"views.shift={self.shift} moves images of {side} pixels out of sight; expected less")

    def of(self, x: "Tensor") -> "Iterator[Tensor]":
        """The views of images [n, maps, height, width], each of the same shape; the images themselves come first."""
        import torch.nn.functional as F

        moves = [(0, 0)]
        if self.shift:
            moves += [(0, self.shift), (0, -self.shift), (self.shift, 0), (-self.shift, 0)]
        height, width = x.shape[2:]
        wide = F.pad(x, [self.shift] * 4, mode="reflect") if self.shift else x
        for down, right in moves:
            top, left = self.shift - down, self.shift - right
            view = wide[:, :, top : top + height, left : left + width]
            yield view
            if self.mirror:
                yield view.flip(-1)

    def scores(self, net: "Callable[[Tensor], Tensor]", x: "Tensor", logistic: bool) -> "Tensor":
        """What a network says of images, averaged over views.

        Args:
            net: From images to scores [n, classes].
            x: Images [n, maps, height, width].
            logistic: As of `mean_scores`.

        Returns:
            [n, classes].
        """
        return mean_scores([net(view) for view in self.of(x)], logistic) if self.several else net(x)


def mean_scores(said: "Sequence[Tensor]", logistic: bool) -> "Tensor":
    """The mean of several answers about the same images, of several views or several networks.

    Probabilities are averaged by their logarithms, so that the softmax of the result is their mean and none is lost to
    rounding.

    Args:
        said: Scores [n, classes], at least one.
        logistic: Whether the softmax of scores estimates probabilities, which are averaged then; else scores are.

    Returns:
        [n, classes].
    """
    import torch

    scores = torch.stack(list(said))
    return scores.log_softmax(2).logsumexp(0) - math.log(len(said)) if logistic else scores.mean(0)
