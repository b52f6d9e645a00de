"""Rebuild the feature explorer from published records, weights and digits.

python scripts/explorer.py              writes results/explorer.html, from results/explorer
python scripts/explorer.py --digits     first extracts its digits from MNIST: results/explorer/digits.png
"""

import argparse
import sys
from pathlib import Path

from audit.explorer import assemble, digits
from multistage.registry.errors import MultistageError
from multistage.settings import composition
from multistage.settings.tree import parse
from multistage.storage import durable

ROOT = Path(__file__).parent.parent


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Read the command line and write; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--digits", action="store_true", help="extract the digits from MNIST's test set first")
    options = parser.parse_args(arguments)
    try:
        if options.digits:
            file = root / "results" / assemble.NAME / assemble.DIGITS
            mnist = parse(composition.plan(["data=mnist"]).config).data.load()
            file.parent.mkdir(parents=True, exist_ok=True)
            durable.write(file, digits.to_png(digits.choose(mnist)))
            print(file)
        if (written := assemble.write(root / "results")) is not None:
            print(written)
    except (MultistageError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
