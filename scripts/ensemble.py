"""Test the average of several finished runs on their common test images, and print its accuracy as JSON.

python scripts/ensemble.py RUN RUN...              folders of runs of one data set and draw, or names of shipped models
python scripts/ensemble.py RUN RUN... --json FILE  also write it to a file

Probabilities are averaged; if all runs use the same readout and it has none, margins are. `multistage.load([RUN, RUN])`
and `predict.py RUN IMAGE... --with RUN` classify with the same average.
"""

import argparse
import json
import sys
from pathlib import Path

from audit.models.ensemble import ensemble
from multistage.cli import streams
from multistage.cli.ending import exit_code
from multistage.records.cells import METRIC
from multistage.registry.errors import MultistageError
from multistage.storage import durable
from multistage.train import hardware


def main(arguments: list[str] | None = None) -> int:
    """Read the command line, test, print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="folder of a finished run, or name of a shipped model")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the output to this file")
    options = parser.parse_args(arguments)
    hardware.prepare()
    with streams.lasting():
        return exit_code(lambda: _test(options.runs, options.json))


def _test(given: list[str], file: Path | None) -> int:
    if file and not file.resolve().parent.is_dir():
        raise MultistageError(f"{file} cannot be written: {file.parent} is not a folder")
    found = ensemble(given, lambda line: print(line, file=sys.stderr))
    text = json.dumps(found, indent=1, allow_nan=False) + "\n"
    if file:
        durable.write(file.resolve(), text.encode())
    print(text, end="")
    accuracy, images = (found["metrics"][name] for name in (METRIC, "images"))
    print(f"{100 * accuracy:.2f} %, mean over classes, of {images:,} test images", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
