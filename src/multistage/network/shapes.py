"""Sizes: what comes out of each stage, and whether it can. Plain arithmetic, so that a bad size is refused at once.

stage 1 on Caltech-101:  143 -> convolve 9 -> 135 -> pool 10, step 5 -> 26
stage 2:                  26 -> convolve 9 ->  18 -> pool  6, step 4 ->  4     256 maps: 4,096 features
"""

from collections.abc import Sequence
from dataclasses import dataclass

from multistage.settings.config import Config, leaves_out_pooling, section
from multistage.settings.errors import ConfigError


@dataclass(frozen=True)
class StageGeometry:
    """Sizes of one stage: filter bank, then pooling (rectification and normalisation keep sizes).

    Attributes:
        maps: Output maps of the filter bank.
        kernel: Side of its kernels, pixels.
        window: Side of the pooling window, pixels.
        step: Distance between pooling windows, pixels.
        fan_in: Input maps that each output map sees, chosen at random; None: all of them.
        padding: Zeros around the input of the filter bank, pixels; 0 is the paper's "valid".
        filter_range: Random kernels are uniform in +- this.
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
            raise ConfigError(f"sizes of a stage must be at least 1 (padding 0), not {self}")


@dataclass(frozen=True)
class StageShapes:
    """Shapes of one stage on the way: each (maps, height, width)."""

    input: tuple[int, int, int]
    filtered: tuple[int, int, int]
    pooled: tuple[int, int, int]


def trace(image: tuple[int, int, int], stages: Sequence[StageGeometry]) -> list[StageShapes]:
    """Follow an image's shape through the stages.

    Args:
        image: (maps, height, width) of the input.
        stages: From the input on.

    Returns:
        One entry a stage; the last one's `pooled` is what the classifier sees, flattened.

    Raises:
        ConfigError: A kernel or pooling window larger than its map, or more connections than maps; names the key.
    """
    shapes: list[StageShapes] = []
    maps, height, width = image
    for number, stage in enumerate(stages, 1):
        key = f"geometry.stage{number}"
        if stage.fan_in is not None and stage.fan_in > maps:
            source = f"geometry.stage{number - 1}.maps={maps}" if shapes else f"data.maps={maps}"
            raise ConfigError(
                f"{key}.fan_in={stage.fan_in} asks for more connections than the {maps} maps it can choose from; "
                f"expected at most {maps}, or null, or another {source}"
            )
        rows, columns = (side + 2 * stage.padding - stage.kernel + 1 for side in (height, width))
        before = _sizes_before(image, stages[: number - 1], stage.padding)
        if min(rows, columns) < 1:
            raise ConfigError(
                f"{key}.kernel={stage.kernel} exceeds its {height}x{width} map; expected at most "
                f"{min(height, width) + 2 * stage.padding}, or other sizes before it: {before}"
            )
        if stage.window > min(rows, columns):
            raise ConfigError(
                f"{key}.window={stage.window} exceeds its {rows}x{columns} map; expected at most {min(rows, columns)}, "
                f"or other sizes before it: {before}, {key}.kernel={stage.kernel}"
                f"{f'; with max pooling the window is {key}.step={stage.step}' if stage.window == stage.step else ''}"
            )
        pooled = (stage.maps, (rows - stage.window) // stage.step + 1, (columns - stage.window) // stage.step + 1)
        shapes.append(StageShapes((maps, height, width), (stage.maps, rows, columns), pooled))
        maps, height, width = pooled
    return shapes


def _sizes_before(image: tuple[int, int, int], stages: Sequence[StageGeometry], padding: int) -> str:
    """The settings that the size of a map comes from, as they are typed."""
    sizes = [f"data.image_size={image[1]}", f"filter_bank.padding={padding}"]
    for number, stage in enumerate(stages, 1):
        sizes += [f"geometry.stage{number}.{name}={getattr(stage, name)}" for name in ("kernel", "window", "step")]
    return ", ".join(sizes)


def stage_geometries(config: Config) -> list[StageGeometry]:
    """The stages of a configuration. Max pooling takes windows as wide as their step, as in the paper.

    A stage that is not pooled has windows of one position.
    """
    stages = []
    for number in range(1, config["stages"] + 1):
        sizes = section(config, f"geometry.stage{number}")
        if config["model.pool"] == "max":
            sizes["window"] = sizes["step"]
        if number == config["stages"] and leaves_out_pooling(config):
            sizes["window"] = sizes["step"] = 1
        stages.append(StageGeometry(padding=config["filter_bank.padding"], **sizes))
    return stages


def gabor_counts(maps: int, kernel: int) -> tuple[int, int]:
    """How many orientations and wavelengths a bank of Gabor filters of two phases has.

    As many wavelengths as leave at least twice as many orientations: 64 maps are 8 x 4 x 2, 32 are 8 x 2 x 2, 8 are
    4 x 1 x 2.

    Args:
        maps: Filters in all.
        kernel: Side of the filters, pixels.

    Raises:
        ConfigError: A number that is odd or below 4, or a side below 5; names the key.
    """
    if maps < 4 or maps % 2:
        raise ConfigError(
            f"geometry.stage1.maps={maps} is no number of Gabor filters; expected an even number from 4 on "
            "(orientations x wavelengths x two phases), or filters=random or psd"
        )
    if kernel < 5:
        raise ConfigError(
            f"geometry.stage1.kernel={kernel} is too small for Gabor filters; expected at least 5, "
            "or filters=random or psd"
        )
    pairs = maps // 2
    wavelengths = max(count for count in range(1, pairs + 1) if pairs % count == 0 and 2 * count**2 <= pairs)
    return pairs // wavelengths, wavelengths


def stage_shapes(config: Config) -> list[StageShapes]:
    """Shapes of a configuration's stages, from the input on."""
    side = config["data.image_size"]
    return trace((config["data.maps"], side, side), stage_geometries(config))


def output_shape(config: Config) -> tuple[int, int, int]:
    """(maps, height, width) of what the classifier of a configuration sees, flattened."""
    return stage_shapes(config)[-1].pooled
