"""Importing large packages in less time.

hidden         without what they find but do not need: Lightning imports all of torchmetrics, which imports what it
               finds for metrics of sound, pictures and plots; where Lightning alone is installed there is none of it
uncollected    without garbage collection: the million objects that they make all stay
"""

import gc
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
    """Who looks for these packages meanwhile, and has not imported them before, finds none, by Python's own protocol.

    Args:
        names: Of packages whose distribution has the same name.
    """
    finder = _Hiding(names)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


@contextmanager
def uncollected() -> Iterator[None]:
    """Nobody looks for garbage meanwhile, which else takes a quarter of the time of importing torch and Lightning."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
