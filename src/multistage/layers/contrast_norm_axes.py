"""N along one or three axes, for signals and volumes, as `contrast_norm` is for images.

The window is the outer product of the same taps along each axis, so a blur is one matrix product for each axis. The
gradient is torch's own.
"""

from typing import Any, ClassVar

from torch import Tensor, fx

from multistage.layers.contrast_norm import LocalContrastNorm
from multistage.layers.contrast_norm_definition import axis_blur, definition
from multistage.layers.contrast_norm_groups import in_groups
from multistage.layers.eager import is_ordinary
from multistage.layers.fast import contrast_norm as fast

NOT_OF_DEFINITION = ("across_maps", "groups")


def normalised(x: Tensor, axes: int, options: dict[str, Any], mask: Tensor | None = None) -> Any:
    """Normalise x, [n, maps, ...] or [maps, ...] with `axes` spatial axes; options are those of LocalContrastNorm."""

    def normalise(joined: Tensor, inside: Tensor | None) -> Any:
        blur = fast.axis_blur if is_ordinary(x) else axis_blur
        of_definition = {name: value for name, value in options.items() if name not in NOT_OF_DEFINITION}
        return definition(joined, mask=inside, axis_blur=blur, **of_definition)

    groups = options["groups"] or (1 if options["across_maps"] else None)
    return in_groups(normalise, x, mask, groups, options["return_statistics"], axes)


fx.wrap("normalised")  # a leaf for tracing: control flow depends on shapes


class OverAxes(LocalContrastNorm):
    """Base class of local contrast normalisation over one or three axes."""

    axes: ClassVar[int]

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Any:
        return normalised(x, self.axes, self.options(), mask)


class LocalContrastNorm1d(OverAxes):
    """Local contrast normalisation of signals, [n, maps, length] or [maps, length]; no parameters, any number of maps.

    Arguments are those of `LocalContrastNorm`, with `kernel_size` and `sigma` in samples of the signal. A mask is
    [n or 1, 1, length], without the first axis if x has none. The result has the shape and type of x; with
    `return_statistics` it comes with mean and deviation, [n, groups, length].

    Raises:
        ValueError: As for `LocalContrastNorm`; x with a wrong number of axes.

    Source: the paper's N (section 2), which has a two-dimensional window.
    """

    axes = 1


class LocalContrastNorm3d(OverAxes):
    """Local contrast normalisation of volumes or clips, [n, maps, depth, height, width] or without n.

    Arguments are those of `LocalContrastNorm`, with `kernel_size` and `sigma` in voxels, the same along each axis. A
    mask is [n or 1, 1, depth, height, width], without the first axis if x has none. The result has the shape and
    type of x; with `return_statistics` it comes with mean and deviation, [n, groups, depth, height, width].

    Raises:
        ValueError: As for `LocalContrastNorm`; x with a wrong number of axes.

    Source: the paper's N (section 2), which has a two-dimensional window.
    """

    axes = 3
