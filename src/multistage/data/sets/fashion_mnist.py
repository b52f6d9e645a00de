"""Fashion-MNIST (Zalando): 60,000 training and 10,000 test images of clothes, 28x28."""

from dataclasses import dataclass

from multistage.data import data_sets
from multistage.data.official import Official


@data_sets.register("fashion_mnist", rank=2)
@dataclass(frozen=True)
class FashionMnist(Official):
    """All images with the official split, uint8 [70000, 1, 28, 28]."""

    kind, folder, mark = "FashionMNIST", "FashionMNIST/raw", "*-ubyte*"
    source = "fetch the four files of https://github.com/zalandoresearch/fashion-mnist (30 MB, MIT)"
