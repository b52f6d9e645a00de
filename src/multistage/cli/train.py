"""`multistage-train`: train one run, or many, from what was typed."""

import signal
import sys
from collections.abc import Sequence

from multistage.cli import extras, help
from multistage.cli.many import chosen_experiment, many
from multistage.cli.one import one
from multistage.registry.errors import MultistageError
from multistage.settings import launchers


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; returns the exit code.

    Args:
        arguments: What was typed after the command; None: of this process.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    signal.signal(signal.SIGTERM, _terminate)
    try:
        return _run(arguments)
    except (KeyboardInterrupt, Terminated) as stop:
        print("interrupted; the same command goes on from the last finished epoch", file=sys.stderr)
        return 143 if isinstance(stop, Terminated) else 130
    except MultistageError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _run(arguments: Sequence[str]) -> int:
    flags = {word.partition("=")[0] for word in arguments if word.startswith("-")}
    if {"-h", "--help"} & flags:
        print(help.text(), end="")
        return 0
    extras.require()
    if flags - {"-m", "--multirun"}:
        launchers.show(arguments, flags - {"-m", "--multirun"})
        return 0
    if flags or chosen_experiment(arguments) is not None:
        return many(arguments)
    print(one(arguments, "bar" if sys.stderr.isatty() else "lines"))
    return 0


class Terminated(BaseException):
    """SIGTERM arrived."""


def _terminate(*_: object) -> None:
    raise Terminated
