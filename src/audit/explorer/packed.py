"""A trained network as stored in the page: its steps in order, and the bytes with their parameters.

Half precision is the same as in shipped models (`multistage.train.restore.halved`); it halves the size of the page.
"""

from typing import Any

import numpy as np
from torch import Tensor, nn

from multistage.layers import AveragePool, FilterBank, LocalContrastNorm, MaxPool, Rectify
from multistage.network.net import MultiStageNet
from multistage.network.reading import Reading
from multistage.registry.errors import MultistageError
from multistage.train.restore import halved

Step = dict[str, Any]


class Values:
    """Tensors one after the other, little-endian: kernels and matrices in half precision, vectors in float32."""

    def __init__(self) -> None:
        self.content = bytearray()

    def add(self, tensor: Tensor) -> dict[str, Any]:
        """Append a tensor; return its first byte, its number of values, and whether they are in half precision."""
        stored = halved(tensor.detach()).numpy().ravel()
        half = stored.dtype == np.float16
        place = {"at": len(self.content), "length": stored.size, "half": half}
        self.content += stored.astype("<f2" if half else "<f4").tobytes()
        return place


def pack(net: MultiStageNet) -> tuple[dict[str, Any], bytes]:
    """Pack what `network.js` needs for a network's forward pass.

    Args:
        net: A trained network with a linear classifier.

    Returns:
        ``stages`` (the steps of each) and ``classifier``, with byte offsets in place of parameters; and the bytes.

    Raises:
        MultistageError: A layer, or an option of one, that `network.js` does not implement, or images in colour.
    """
    if (maps := net.filter_banks[0].in_maps) != 1:
        raise MultistageError(f"the explorer shows gray images; a network for images of {maps} maps does not fit")
    if net.further or net.reading != Reading():
        raise MultistageError("the explorer shows one filter set, whose last maps are read as they are")
    values = Values()
    stages = [[_step(name, part, values) for name, part in stage.named_children()] for stage in net.stages]
    if not isinstance(net.classifier, nn.Linear):
        raise _refusal("classifier", net.classifier)
    weights = {"weights": values.add(net.classifier.weight), "bias": values.add(net.classifier.bias)}
    return {"stages": stages, "classifier": weights}, bytes(values.content)


def _step(name: str, part: nn.Module, values: Values) -> Step:
    match part:
        case FilterBank(squash="tanh", gain=Tensor() as gain, bias=None, padding=0):
            return {
                "name": name,
                "kernels": values.add(part.kernels),
                "gain": values.add(gain),
                "size": part.kernel_size,
                "maps": part.out_maps,
                "connections": _connections(part),
            }
        case Rectify(kind="abs" | "relu"):
            return {"name": name, "kind": part.kind}
        case LocalContrastNorm(floor="mean", border="zero", across_maps=True, sigma=None) if part.is_usual():
            return {"name": name, "size": part.kernel_size}
        case nn.BatchNorm2d(running_mean=Tensor() as mean, running_var=Tensor() as variance):
            return {
                "name": name,
                "mean": values.add(mean),
                "variance": values.add(variance),
                "scale": values.add(part.weight),
                "shift": values.add(part.bias),
                "epsilon": part.eps,
            }
        case AveragePool():
            return {"name": name, "kind": "average", "window": part.window, "step": part.step}
        case MaxPool():
            return {"name": name, "kind": "max", "window": part.window, "step": part.step}
    raise _refusal(name, part)


def _connections(bank: FilterBank) -> list[list[int]]:
    """List the input maps of each output map."""
    if bank.connections is None:
        return [list(range(bank.in_maps))] * bank.out_maps
    return [[int(index) for index in row] for row in bank.connections.tolist()]


def _refusal(name: str, part: nn.Module) -> MultistageError:
    return MultistageError(f"the explorer cannot show {name}={part}; see network.js for what it can")
