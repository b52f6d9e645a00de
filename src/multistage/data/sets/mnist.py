"""MNIST (LeCun, Cortes & Burges): 60,000 training and 10,000 test digits, 28x28."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from multistage.data import data_sets
from multistage.data.fetching import Packed
from multistage.data.official import Official

if TYPE_CHECKING:
    from multistage.data.dataset import Dataset

PACKED = ("MNIST/raw/*.gz",)
"""Archives that torchvision leaves next to the files."""


@data_sets.register("mnist", rank=1)
@dataclass(frozen=True)
class Mnist(Official):
    """All digits with the official split, uint8 [70000, 1, 28, 28], verified against the manifest."""

    kind, folder, mark = "MNIST", "MNIST/raw", "*-ubyte*"
    mirrors = ("https://ossci-datasets.s3.amazonaws.com/mnist/",)
    packed = {  # noqa: RUF012
        "train-images-idx3-ubyte.gz": Packed(
            9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
        ),
        "train-labels-idx1-ubyte.gz": Packed(28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        "t10k-images-idx3-ubyte.gz": Packed(
            1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
        ),
        "t10k-labels-idx1-ubyte.gz": Packed(4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    }
    source = "put the four unpacked files of MNIST (55 MB, CC BY-SA 3.0)"

    def read(self) -> "Dataset":
        from multistage.data import manifest
        from multistage.data.download import download_if_missing

        root, expected = Path(self.root), manifest.read("mnist")
        download_if_missing(self)
        manifest.verify(root, expected, ignored=PACKED, below="MNIST")
        return replace(super().read(), class_names=tuple("0123456789"), content_hash=manifest.digest(expected))
