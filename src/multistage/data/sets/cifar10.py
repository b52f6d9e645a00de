"""CIFAR-10 (Krizhevsky): 50,000 training and 10,000 test colour images of 10 classes, 32x32."""

from dataclasses import dataclass

from multistage.data import data_sets
from multistage.data.official import Official


@data_sets.register("cifar10", rank=3)
@dataclass(frozen=True)
class Cifar10(Official):
    """All images with the official split, uint8 [60000, 3, 32, 32]."""

    kind, folder, mark = "CIFAR10", "cifar-10-batches-py", "data_batch_*"
    source = "fetch https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz (170 MB, free with citation), unpack it"
