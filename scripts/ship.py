"""Turn a finished run into a shipped model, which `multistage.load("DATA/NAME")` loads.

python scripts/ship.py RUN caltech101/best    tests RUN, writes results/models/caltech101/best: weights of at most 5 MB
                                              (in half precision if no prediction on test images changes), record, card
python scripts/ship.py                        rewrites all cards from their records
python scripts/ship.py --check [NAME...]      tests shipped models and compares with their cards, to the last digit

Reads images from $MULTISTAGE_DATA; a test of Caltech-101 takes minutes.
"""

import argparse
import sys
from pathlib import Path

from audit.models import check, ship
from multistage.cli import streams
from multistage.cli.ending import exit_code
from multistage.records import shipped
from multistage.registry.errors import ConfigError
from multistage.train import hardware

ROOT = Path(__file__).parent.parent


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Read the command line, ship or check; returns the exit code: 0 done, 1 a model is not what its card says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="RUN NAME", help="a run's folder and the name of the model")
    parser.add_argument("--check", action="store_true", help="test shipped models: those named, or all")
    options = parser.parse_args(arguments)
    models = root / "results" / "models"
    hardware.prepare()
    with streams.lasting():
        return exit_code(lambda: (_check if options.check else _ship)(options.words, models))


def _ship(words: list[str], models: Path) -> int:
    if not words:
        for file in check.write_cards(models):
            print(file)
    elif len(words) == 2:
        print(ship.ship(Path(words[0]), words[1], models))
    else:
        raise ConfigError(f"{len(words)} words; expected RUN NAME, such as runs/... caltech101/best")
    return 0


def _check(named: list[str], models: Path) -> int:
    known = shipped.names(models)
    if unknown := [name for name in named if name not in known]:
        raise ConfigError(f"{unknown[0]} is not a shipped model; expected one of {', '.join(known) or 'none'}")
    exit_code = 0
    for name in named or known:
        differences = check.check(name, models)
        print(f"{name}: {'; '.join(differences) or 'as its card says'}")
        exit_code = max(exit_code, int(bool(differences)))
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
