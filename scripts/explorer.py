"""Rebuild the feature explorer from published records, weights and images.

python scripts/explorer.py              writes results/explorer.html, from results/explorer and results/models
python scripts/explorer.py --images     first extracts its images: results/explorer/digits.png from MNIST,
                                        results/explorer/photographs from Caltech-101
"""

import argparse
import sys
from pathlib import Path

from audit.explorer import assemble, digits, photographs, sets
from multistage.cli.ending import exit_code
from multistage.data import Stored
from multistage.settings import composition
from multistage.settings.tree import parse
from multistage.storage import durable

ROOT = Path(__file__).parent.parent


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Read the command line and write; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", action="store_true", help="extract the images from the data sets first")
    options = parser.parse_args(arguments)
    return exit_code(lambda: _write(root / "results", options.images))


def _write(results: Path, images: bool) -> int:
    if images:
        _images(results)
    if (written := assemble.write(results)) is not None:
        print(written)
    return 0


def _images(results: Path) -> None:
    """Take the images again, and name where they are.

    Raises:
        DataError: They are not here.
    """
    mnist = parse(composition.plan(["data=mnist"]).config).data.load()
    (results / sets.NAME).mkdir(parents=True, exist_ok=True)
    durable.write(results / sets.DIGITS, digits.to_png(digits.choose(mnist)))
    caltech101 = parse(composition.plan(["data=caltech101"]).config).data
    assert isinstance(caltech101, Stored)
    photographs.write(results / sets.PHOTOGRAPHS, photographs.choose(Path(caltech101.root), sets.shipped(results)))
    print(results / sets.DIGITS, results / sets.PHOTOGRAPHS, sep="\n")


if __name__ == "__main__":
    sys.exit(main())
