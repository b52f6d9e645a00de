"""What MNIST, Fashion-MNIST and CIFAR-10 have in common: torchvision reads their files."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from multistage.data import Stored
from multistage.data.fetching import Packed

if TYPE_CHECKING:
    from multistage.data.dataset import Dataset


@dataclass(frozen=True)
class Official(Stored):
    """A data set of torchvision's, with the official split.

    Attributes:
        kind: The class of `torchvision.datasets`.
        folder: Where its files lie, below the data root.
        mark: A pattern of names that stand in such a folder and hardly in another.
        mirrors: Addresses, one of which has what is to be fetched.
        packed: What is to be fetched, by name: files of the folder with .gz behind their names, or the folder in a
            .tar.gz.
        source: What a person has to fetch where the download fails, up to where it belongs.
    """

    kind: ClassVar[str]
    folder: ClassVar[str]
    mark: ClassVar[str]
    mirrors: ClassVar[tuple[str, ...]]
    packed: ClassVar[dict[str, Packed]]
    source: ClassVar[str]

    @property
    def advice(self) -> str:
        """What a person has to do where the download fails."""
        return f"{self.source} into {Path(self.root) / self.folder}, or set data.root"

    def read(self) -> "Dataset":
        from multistage.data.torchvision_sets import load_official

        return load_official(self)
