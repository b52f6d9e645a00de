"""Where what is committed lies, and where data may."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results"
REAL_DATA = Path(os.environ.get("MULTISTAGE_DATA") or ROOT.parent / "shared" / "data")
REAL_CACHE = os.environ.get("MULTISTAGE_CACHE")
