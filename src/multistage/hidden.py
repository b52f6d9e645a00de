"""Packages that seem not to be installed while another is imported, by Python's own import protocol.

Lightning imports all of torchmetrics, which imports what it finds for metrics of sound, pictures and plots. Where
Lightning alone is installed there is none of it.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import Distribution, DistributionFinder, PackageNotFoundError


class _Hiding(DistributionFinder):
    """The first finder asked; it refuses some names and leaves all others to those after it."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        if fullname.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"{fullname} is hidden", name=fullname)

    def find_distributions(self, context: DistributionFinder.Context | None = None) -> Iterable[Distribution]:
        if context is not None and context.name in self.names:
            raise PackageNotFoundError(context.name)
        return ()


@contextmanager
def hidden(*names: str) -> Iterator[None]:
    """Who looks for these packages meanwhile, and has not imported them before, finds none.

    Args:
        names: Of packages whose distribution has the same name.
    """
    finder = _Hiding(names)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
