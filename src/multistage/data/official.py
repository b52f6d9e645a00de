"""Base of MNIST, Fashion-MNIST and CIFAR-10, whose files torchvision reads."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from multistage.data import Stored
from multistage.data.fetching import Packed

if TYPE_CHECKING:
    from multistage.data.dataset import Dataset


@dataclass(frozen=True)
class Official(Stored):
    """A data set of torchvision, with the official split.

    Attributes:
        kind: The class of `torchvision.datasets`.
        mark: A pattern of names that is typical of this folder.
        mirrors: Addresses, tried in turn.
        packed: Files to download, by name: files of the folder with .gz appended, or the folder as .tar.gz.
        source: What the user has to fetch if the download fails; the target folder is appended.
    """

    kind: ClassVar[str]
    mark: ClassVar[str]
    mirrors: ClassVar[tuple[str, ...]]
    packed: ClassVar[dict[str, Packed]]
    source: ClassVar[str]

    @property
    def advice(self) -> str:
        """Say what the user has to do if the download fails."""
        return f"{self.source} in {self.place}, or set data.root"

    def read(self) -> "Dataset":
        from multistage.data.torchvision_sets import load_official

        return load_official(self)
