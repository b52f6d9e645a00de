"""torch's `LocalResponseNorm`, faster where no gradient is needed.

torch adds the squares of neighbouring channels by a three-dimensional average pooling, which takes most of its time.
The same sums in the same order give the same values; only the power rounds differently in the last few numbers of an
image, as the processor computes several at a time.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multistage.layers.eager import is_constant_on_cpu


class LocalResponseNorm(nn.LocalResponseNorm):
    """`torch.nn.LocalResponseNorm`; constant images [n, channels, height, width] on the CPU are taken one by one."""

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 4 or not is_constant_on_cpu(x):
            return super().forward(x)
        y = torch.empty_like(x)
        before, after = self.size // 2, (self.size - 1) // 2
        for image, result in zip(x, y, strict=True):
            squares = F.pad(image.square(), (0, 0, 0, 0, before, after))
            near = squares[: len(image)].clone()
            for shift in range(1, self.size):  # in torch's order
                near += squares[shift : shift + len(image)]
            torch.div(image, near.div_(self.size).mul_(self.alpha).add_(self.k).pow_(self.beta), out=result)
        return y
