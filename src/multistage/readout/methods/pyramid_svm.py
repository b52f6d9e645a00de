"""The paper's PMK-SVM: support vector machines on spatial pyramids of visual words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from multistage.readout import Readout, Task, readouts
from multistage.registry import setting
from multistage.registry.errors import ConfigError
from multistage.registry.rules import number, whole

if TYPE_CHECKING:
    from torch import Tensor, nn


@readouts.register("pyramid_svm", section="pyramid_svm", rank=3)
@dataclass(frozen=True)
class PyramidSvm(Readout):
    """The pyramid match kernel with SVMs, see `multistage.readout.pyramid_svm`.

    With two stages it reads the second before pooling, as in the paper.
    """

    resizes = True
    reads_maps = True

    words: int = setting(200, whole(1, 2**15))
    levels: int = setting(3, whole(1, 5))
    C: float = setting(3.0, number(0, exclusive=True))

    def pools_last(self, stages: int) -> bool:
        return stages < 2

    def check(self, shape: tuple[int, int, int]) -> None:
        _, height, width = shape
        if 2 ** (self.levels - 1) > min(height, width):
            raise ConfigError(
                f"pyramid_svm.levels={self.levels} cuts maps of {height}x{width} into more cells than they have "
                f"positions; expected at most {min(height, width).bit_length()}"
            )

    def memory(self, samples: int, features: int) -> int:
        bins = self.words * (4**self.levels - 1) // 3
        return 12 * samples**2 + 8 * samples * bins  # kernel in float32 and float64; pyramids, twice

    def fit(self, task: Task) -> "nn.Module":
        from multistage.readout.pyramid_svm import fit_pyramid_svm

        return fit_pyramid_svm(task, self.words, self.levels, self.C)

    def restore(
        self, classifier: "nn.Module", state: "Mapping[str, Tensor]", shape: tuple[int, int, int]
    ) -> "nn.Module":
        from multistage.readout.pyramid_svm import PyramidSVM

        return PyramidSVM(shape, self.levels, **state)
