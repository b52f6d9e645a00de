"""Errors that are not the code's fault, each with the exit code of `train.py` and `predict.py`.

Each message is one line for the user: what is wrong, what was expected, what to type instead.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from multistage.registry.words import can_be_shown

ALLOCATORS = "can't allocate memory", "out of memory", "Unable to allocate"
"""Parts of the out-of-memory messages of torch (CPU, CUDA) and NumPy."""


def one_line(error: BaseException) -> str:
    """Return the message of another library's exception, on one line, with unprintable characters escaped."""
    return _escaped(" ".join(str(error).split())) or type(error).__name__


def _escaped(text: str) -> str:
    return "".join(c if can_be_shown(c) else repr(c)[1:-1] for c in text)


class MultistageError(Exception):
    """A run cannot be done or finished; shown as one line, without a traceback.

    Line breaks and unprintable characters in names of files and values are escaped.
    """

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(_escaped(message))


@contextmanager
def enough_memory(advice: str) -> Iterator[None]:
    """Turn out-of-memory errors into one line (context manager).

    Args:
        advice: What the user can do.

    Raises:
        MultistageError: There is not enough memory, or the system killed a process because of it.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        said = one_line(error)
        if isinstance(error, MemoryError) or any(words in said for words in ALLOCATORS):
            raise MultistageError(f"there is not enough memory ({said.partition('. ')[0]}); {advice}") from error
        if "DataLoader worker" in said:
            raise MultistageError(
                "a process that reads images was killed, as the system does when memory runs out; repeat the command "
                "to resume after the last finished epoch"
            ) from error
        raise


class ConfigError(MultistageError):
    """A setting that does not exist, has an impossible value, or does not fit another setting."""

    exit_code = 2


class UnreadError(ConfigError):
    """A setting without effect on this run, though other runs of a sweep may read it.

    Args:
        key: The setting's key.
        message: One line.
    """

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


class DataError(MultistageError):
    """Images that are missing, changed, unreadable or too few."""

    exit_code = 3


class MissingDataError(DataError):
    """Images that are missing and cannot be downloaded now, for any run."""
