"""What is printed reaches whoever reads it, in any encoding; once nobody does, work goes on all the same."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO


class Lasting:
    """A stream that takes every character, and every word after its reader has gone.

    What an encoding lacks is written as Python escapes it (``\\xe9``). When nothing can be written any more (a closed
    pipe, a lost terminal, a full disk), the rest goes nowhere.

    Args:
        stream: What is written to; whatever else is asked of it is its own.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, or lose, a text; its length."""
        try:
            self._stream.write(text)
        except OSError:
            self._lose()
        return len(text)

    def flush(self) -> None:
        """Let what was written be read."""
        try:
            self._stream.flush()
        except OSError:
            self._lose()

    def _lose(self) -> None:
        """From now on, also for other processes and at the interpreter's end, all goes nowhere."""
        with suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


@contextmanager
def lasting() -> Iterator[None]:
    """stdout and stderr as `Lasting` streams; one that was closed before the start is nowhere."""
    streams = sys.stdout, sys.stderr
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123
        sys.stdout, sys.stderr = (Lasting(stream or nowhere) for stream in streams)
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            sys.stdout, sys.stderr = streams
