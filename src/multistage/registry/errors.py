"""What can go wrong through no fault of the code, each with the exit code that `train.py` and `predict.py` end with.

The text of each is one line for the user: what was wrong, what was expected, what to type instead.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from multistage.registry.words import can_be_shown

ALLOCATORS = "can't allocate memory", "out of memory", "Unable to allocate"
"""What those of torch (CPU, CUDA) and NumPy say."""


def one_line(error: Exception) -> str:
    """The message of somebody else's exception, on one line."""
    return " ".join(str(error).split()) or type(error).__name__


class MultistageError(Exception):
    """A run that cannot be done or finished; shown as one line, without a traceback.

    Names of files and values may hold line breaks and what no terminal shows; these appear escaped.
    """

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__("".join(c if can_be_shown(c) else repr(c)[1:-1] for c in message))


@contextmanager
def enough_memory() -> Iterator[None]:
    """What an allocator says, in one line.

    Raises:
        MultistageError: There is not enough memory, or a process was ended for it.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        said = one_line(error)
        if isinstance(error, MemoryError) or any(words in said for words in ALLOCATORS):
            raise MultistageError(
                f"there is not enough memory ({said.partition('. ')[0]}); choose a smaller data.batch_size, "
                "data.image_size or geometry, or fewer images (data.train_per_class)"
            ) from error
        if "DataLoader worker" in said:
            raise MultistageError(
                "a process that reads images was ended, as the system does for want of memory; the same command goes "
                "on from the last finished epoch"
            ) from error
        raise


class ConfigError(MultistageError):
    """A setting that does not exist, is impossible, or makes no sense beside another."""

    exit_code = 2


class UnreadError(ConfigError):
    """A setting that one run does not read, though others may.

    Args:
        key: Of the setting.
        message: One line.
    """

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


class DataError(MultistageError):
    """Images that are missing, changed, unreadable or too few."""

    exit_code = 3


class MissingDataError(DataError):
    """Images that are not there and cannot be fetched now, for any run."""
