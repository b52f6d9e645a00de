"""Fashion-MNIST (Zalando): 60,000 training and 10,000 test images of clothes, 28x28."""

from pathlib import Path

from torchvision.datasets import FashionMNIST

from multistage.data.dataset import Dataset
from multistage.data.torchvision_sets import load_official
from multistage.settings.config import Config


def load(config: Config) -> Dataset:
    """All images, uint8 [70000, 1, 28, 28].

    Raises:
        DataError: Missing and not to be downloaded, or unreadable.
    """
    root = Path(config["data.root"])
    advice = (
        "fetch the four files of https://github.com/zalandoresearch/fashion-mnist (30 MB, MIT) into "
        f"{root / 'FashionMNIST/raw'}, or set data.root"
    )
    return load_official(FashionMNIST, root, advice)
