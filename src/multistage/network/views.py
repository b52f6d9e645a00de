"""Test-time augmentation: the network's scores are averaged over several views of an image.

views.mirror=true views.shift=8        ten views: five positions, each as it is and mirrored
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
    """Views of each image for test-time augmentation (Krizhevsky, Sutskever & Hinton, NIPS 2012).

    They are used in the final validation, in tests and for predictions. The validation after each epoch, which chooses
    the best epoch, uses only the image itself.

    Attributes:
        mirror: Whether to add each view mirrored, left to right.
        shift: Pixels; adds the image moved by this much in four directions, with its reflection beyond the border.
            0: none.
    """

    section = "views"

    mirror: bool = False
    shift: int = setting(0, whole(0, 999))

    @property
    def several(self) -> bool:
        """Whether there are views besides the image itself."""
        return self.mirror or self.shift > 0

    def check(self, side: int) -> None:
        """Refuse shifts as large as the image.

        Raises:
            ConfigError: One line with the key.
        """
        if self.shift >= side:
            raise ConfigError(f"views.shift={self.shift} moves images of {side} pixels out of sight; expected less")

    def of(self, x: "Tensor") -> "Iterator[Tensor]":
        """Yield the views of images [n, maps, height, width], each of the same shape, the images themselves first."""
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
        """Compute a network's scores, averaged over views.

        Args:
            net: From images to scores [n, classes].
            x: Images [n, maps, height, width].
            logistic: See `mean_scores`.

        Returns:
            [n, classes].
        """
        return mean_scores([net(view) for view in self.of(x)], logistic) if self.several else net(x)


def mean_scores(said: "Sequence[Tensor]", logistic: bool) -> "Tensor":
    """Average several scores for the same images, from several views or several networks.

    With `logistic`, the result is the logarithm of the mean probability, so that its softmax is that mean and small
    probabilities do not round to 0.

    Args:
        said: Scores [n, classes], at least one.
        logistic: Whether the softmax of scores estimates probabilities; if so, these are averaged, otherwise the
            scores.

    Returns:
        [n, classes].
    """
    import torch

    scores = torch.stack(list(said))
    return scores.log_softmax(2).logsumexp(0) - math.log(len(said)) if logistic else scores.mean(0)
