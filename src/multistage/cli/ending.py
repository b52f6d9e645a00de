"""How a command ends: with its exit code, and with one line about what went wrong."""

import sys
from collections.abc import Callable

from multistage.registry.errors import MultistageError


def exit_code(work: Callable[[], int]) -> int:
    """The exit code of some work; if it cannot be done, that of the error, whose line goes to stderr."""
    try:
        return work()
    except (MultistageError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code if isinstance(error, MultistageError) else 1
