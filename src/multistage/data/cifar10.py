"""CIFAR-10 (Krizhevsky): 50,000 training and 10,000 test colour images of 10 classes, 32x32."""

from pathlib import Path

from torchvision.datasets import CIFAR10

from multistage.data.dataset import Dataset
from multistage.data.torchvision_sets import load_official
from multistage.settings.config import Config


def load(config: Config) -> Dataset:
    """All images, uint8 [60000, 3, 32, 32].

    Raises:
        DataError: Missing and not to be downloaded, or unreadable.
    """
    root = Path(config["data.root"])
    advice = (
        "fetch https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz (170 MB, free with citation), unpack it into "
        f"{root / 'cifar-10-batches-py'}, or set data.root"
    )
    return load_official(CIFAR10, root, advice)
