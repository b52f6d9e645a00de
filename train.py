"""Train one run, or many: `multistage-train`, typed in a checkout."""

import sys

from multistage.cli.train import main

if __name__ == "__main__":
    sys.exit(main())
