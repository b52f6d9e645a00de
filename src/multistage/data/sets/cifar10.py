"""CIFAR-10 (Krizhevsky): 50,000 training and 10,000 test colour images of 10 classes, 32x32."""

from dataclasses import dataclass

from multistage.data import data_sets
from multistage.data.fetching import Packed
from multistage.data.official import Official


@data_sets.register("cifar10", rank=3)
@dataclass(frozen=True)
class Cifar10(Official):
    """All images with the official split, uint8 [60000, 3, 32, 32]."""

    kind, folder, mark = "CIFAR10", "cifar-10-batches-py", "data_batch_*"
    mirrors = ("https://www.cs.toronto.edu/~kriz/",)
    packed = {  # noqa: RUF012
        "cifar-10-python.tar.gz": Packed(170498071, "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce")
    }
    source = (
        "fetch https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz (170 MB, free with citation), "
        "unpack it so that its files lie"
    )
