"""`multistage-train`: do one run, or many, from a command line."""

import argparse
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from multistage.cli import configuration, extras, help, streams
from multistage.cli.ending import exit_code
from multistage.cli.many import chosen_experiment, many
from multistage.cli.one import one
from multistage.data import look_again
from multistage.registry.errors import ConfigError
from multistage.settings import advice, launchers

HANGUP: signal.Signals | None = getattr(signal, "SIGHUP", None)
"""The signal of a closed terminal; Windows has none."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for; returns the exit code.

    Args:
        arguments: Words of the command line after the command; None: those of this process.
    """
    before = {signal.SIGTERM: signal.signal(signal.SIGTERM, _terminate)}
    if HANGUP is not None and signal.getsignal(HANGUP) is signal.SIG_DFL:  # unless nohup ignores it
        before[HANGUP] = signal.signal(HANGUP, _terminate)
    try:
        with streams.lasting():
            return _ended(sys.argv[1:] if arguments is None else arguments)
    finally:  # for what a notebook does afterwards
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


def _ended(arguments: Sequence[str]) -> int:
    look_again()
    try:
        return exit_code(lambda: _run(arguments))
    except (KeyboardInterrupt, Terminated) as stop:
        print("interrupted; repeat the command to resume after the last finished epoch", file=sys.stderr)
        return 128 + (stop.number if isinstance(stop, Terminated) else signal.SIGINT)


def _run(arguments: Sequence[str]) -> int:
    options, words = _options(arguments)
    if options.help:
        print(help.text(), end="")
        return 0
    extras.require()
    several = options.multirun or chosen_experiment(words) is not None
    if options.cfg == "job" and not options.of_hydra:
        print(configuration.shown(words, several), end="")
    elif options.cfg or options.of_hydra:
        launchers.show(arguments)
    elif several:
        return many(words, arguments)
    else:
        print(one(words, "bar" if sys.stderr.isatty() else "lines"))
    return 0


def _options(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Split the command line into options and everything else.

    Raises:
        ConfigError: Unknown option; the message says what to type if it is a setting.
    """
    parser = _Parser(add_help=False, allow_abbrev=False, usage=argparse.SUPPRESS)
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("-m", "--multirun", action="store_true")
    parser.add_argument("-c", "--cfg", choices=("job", "hydra", "all"))
    parser.add_argument("--resolve", action="store_true")  # a configuration is always resolved
    options, words = parser.parse_known_args(arguments)
    options.of_hydra = [word for word in words if word.partition("=")[0] in launchers.SHOWING]
    for at, word in enumerate(words):
        if word.startswith("-") and word not in options.of_hydra and not options.help:
            known = ", ".join(("-m", "--cfg job", "--help", *launchers.SHOWING))
            raise ConfigError(advice.option(words, at) or f"{word} is not an option; expected one of {known}")
    return options, [word for word in words if not word.startswith("-")]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}; {help.TRAIN} --help shows what can be typed")


class Terminated(BaseException):
    """A signal that asks the process to end.

    Args:
        number: Number of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _terminate(number: int, _: object) -> None:
    raise Terminated(number)
