"""Filters without labels, one file of `methods` each: random, Gabor with templates, unsupervised learning by PSD.

filter_methods["psd"](length="random").find(site)    values for the bank of a site

May import `data`, `network` and the rooms below them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from multistage.network.shapes import StageGeometry, StageShapes
from multistage.operations import Filtering
from multistage.registry import Choice, Registry

if TYPE_CHECKING:
    from multistage.filters.values import Filters, Site

__all__ = ["Method", "filter_methods"]


@dataclass(frozen=True)
class Method(Choice):
    """A method for initial filters, without labels; its fields are its settings.

    Attributes:
        looks: Whether it uses images; random filters are drawn with the network.
        letter: The paper's letter for a stage with such filters.
    """

    looks: ClassVar[bool] = True
    letter: ClassVar[str] = ""

    @property
    def keeps_range(self) -> bool:
        """Whether filters are as long as random ones and so depend on ``geometry.stage<n>.filter_range``."""
        return True

    def varies(self, stages: int) -> bool:
        """Whether several filter sets of so many stages differ."""
        return True

    def check(self, stages: Sequence[StageGeometry], shapes: Sequence[StageShapes], bank: Filtering) -> None:
        """Refuse networks that cannot have such filters.

        Raises:
            ConfigError: One line with the key.
        """

    def steps_in(self, number: int) -> int | None:
        """Return the number of learning steps in a stage (from 1); None if there are none."""
        return None

    def find(self, site: "Site") -> "Filters":
        """Find the values of one filter bank.

        Raises:
            MultistageError: Images without any structure.
        """
        raise NotImplementedError


filter_methods: Registry[Method] = Registry("filters", "multistage.filters.methods")
