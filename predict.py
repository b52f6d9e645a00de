"""Classify image files with a trained run: `multistage-predict`, typed in a checkout."""

import sys

from multistage.cli.predict import main

if __name__ == "__main__":
    sys.exit(main())
