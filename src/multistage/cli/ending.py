"""Exit codes of commands, with one line for errors."""

import sys
from collections.abc import Callable

from multistage.registry.errors import MultistageError


def exit_code(work: Callable[[], int]) -> int:
    """Do some work and return the exit code; an error prints its line to stderr and has its own code."""
    try:
        return work()
    except (MultistageError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code if isinstance(error, MultistageError) else 1
