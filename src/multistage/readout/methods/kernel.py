"""Ridge regression with a Gaussian kernel, in closed form."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from multistage.readout import Penalised, Task, readouts
from multistage.registry import setting
from multistage.registry.rules import number

if TYPE_CHECKING:
    from torch import Tensor, nn


@readouts.register("kernel", section="kernel")
@dataclass(frozen=True)
class Kernel(Penalised):
    """Kernel ridge regression to one-hot targets, see `multistage.readout.kernel_ridge`.

    Attributes:
        width: Width of the Gaussian, in median distances of training samples.
        penalty: As in ``ridge``, for a kernel that is 1 for equal samples.
    """

    resizes = True
    otherwise = 1e-4  # chosen on validation images of Caltech-101, two stages, draw 0

    width: float = setting(1.0, number(0, 1000, exclusive=True))

    def memory(self, samples: int, features: int) -> int:
        kernel = 4 * samples**2  # distances, the kernel, its eigenvectors, workspace
        product = 3 * samples * features  # both factors of the distances' product, one of them doubled
        return 8 * (kernel + product)

    def fit(self, task: Task) -> "nn.Module":
        from multistage.readout.kernel_ridge import fit_kernel_ridge

        return fit_kernel_ridge(task, self.width, partial(self.choose, task))

    def restore(
        self, classifier: "nn.Module", state: "Mapping[str, Tensor]", shape: tuple[int, int, int]
    ) -> "nn.Module":
        from multistage.readout.kernel_ridge import KernelRidge

        return KernelRidge(**state)
