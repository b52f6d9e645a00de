"""Shape arithmetic: the output of each stage; sizes that do not fit are refused before any network is built.

stage 1 on Caltech-101:  143 -> convolve 9 -> 135 -> pool 10, stride 5 -> 26
stage 2:                  26 -> convolve 9 ->  18 -> pool  6, stride 4 ->  4   256 maps: 4,096 features
"""

from collections.abc import Sequence
from dataclasses import dataclass

Shape = tuple[int, int, int]
"""(maps, height, width)."""


@dataclass(frozen=True)
class StageGeometry:
    """Sizes of one stage: filter bank, then pooling (rectification and normalisation keep sizes).

    Attributes:
        maps: Output channels of the filter bank: its feature maps.
        kernel: Kernel size: side of its kernels, pixels.
        window: Kernel size of the pooling: side of its window, pixels.
        step: Stride of the pooling: distance between windows, pixels.
        fan_in: Input maps that each output map sees, chosen at random; None: all of them.
        padding: Zero padding of the filter bank's input, pixels; 0 is the paper's "valid" convolution.
        filter_range: Random kernels are uniform in +- this.

    Raises:
        ValueError: A size below 1, or a negative padding.
    """

    maps: int
    kernel: int
    window: int
    step: int
    fan_in: int | None = None
    padding: int = 0
    filter_range: float = 0.11

    def __post_init__(self) -> None:
        fan_in = 1 if self.fan_in is None else self.fan_in
        if min(self.maps, self.kernel, self.window, self.step, fan_in) < 1 or self.padding < 0:
            raise ValueError(f"sizes of a stage must be at least 1 (padding 0), not {self}")


@dataclass(frozen=True)
class StageShapes:
    """Shapes inside one stage."""

    input: Shape
    filtered: Shape
    pooled: Shape


class ShapeError(ValueError):
    """A size does not fit its input.

    Attributes:
        stage: Number of the stage, from 1.
        field: The field of `StageGeometry`: ``kernel``, ``window`` or ``fan_in``.
        value: The field's value.
        met: Why it does not fit, for the message.
        most: The largest value that fits.
    """

    def __init__(self, stage: int, field: str, value: int, met: str, most: int) -> None:
        super().__init__(f"{field}={value} of stage {stage} {met}; expected at most {most}")
        self.stage, self.field, self.value, self.met, self.most = stage, field, value, met, most


def trace(image: Shape, stages: Sequence[StageGeometry]) -> list[StageShapes]:
    """Compute the shapes of an image on its way through the stages.

    Args:
        image: (maps, height, width) of the input.
        stages: Sizes of each stage, first to last.

    Returns:
        One entry for each stage; the classifier reads the last one's `pooled`, flattened.

    Raises:
        ShapeError: A kernel or pooling window larger than its map, or more connections than maps.
    """
    shapes: list[StageShapes] = []
    maps, height, width = image
    for number, stage in enumerate(stages, 1):
        if stage.fan_in is not None and stage.fan_in > maps:
            met = f"asks for more connections than the {maps} maps it can choose from"
            raise ShapeError(number, "fan_in", stage.fan_in, met, maps)
        rows, columns = (side + 2 * stage.padding - stage.kernel + 1 for side in (height, width))
        if min(rows, columns) < 1:
            most = min(height, width) + 2 * stage.padding
            raise ShapeError(number, "kernel", stage.kernel, f"exceeds its {height}x{width} map", most)
        if stage.window > min(rows, columns):
            met = f"exceeds its {rows}x{columns} map"
            raise ShapeError(number, "window", stage.window, met, min(rows, columns))
        pooled = (stage.maps, (rows - stage.window) // stage.step + 1, (columns - stage.window) // stage.step + 1)
        shapes.append(StageShapes((maps, height, width), (stage.maps, rows, columns), pooled))
        maps, height, width = pooled
    return shapes
