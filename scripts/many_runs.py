"""Measure how long a sweep of many runs takes to plan, to check when finished, and to publish. Nothing is trained.

python scripts/many_runs.py --runs 1000 10000      one line each: seconds and peak memory of each step, sizes of files

Records are made up, in a temporary folder, with the configurations that the command line gives.
"""

import argparse
import contextlib
import json
import os
import random
import resource
import runpy
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from audit.tables.results import RECORDS
from multistage.cli.many import checked
from multistage.cli.sweep import sweep
from multistage.records import runs
from multistage.records.files import collect, to_lines
from multistage.settings import naming
from multistage.settings.naming import Run
from multistage.storage import durable

ROOT = Path(__file__).parents[1]
NAME, MODELS = "many", ("abs_lcn_avgpool", "abs_avgpool", "lcn_maxpool", "lcn_avgpool", "avgpool")
COPIED = ("README.md", "DEVIATIONS.md", "docs/layer.md", "results/paper.yaml")
"""What a publication fills in or reads."""

Result = TypeVar("Result")


def main() -> int:
    """Plan, look through, publish and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, nargs="+", default=[1000], help="how many")
    parser.add_argument("--draws", type=int, default=5, help="runs of each cell")
    parser.add_argument("--folder", type=Path, help="parent of the temporary folder")
    options = parser.parse_args()
    for count in options.runs:
        with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
            measure(count, options.draws, Path(temporary))
    return 0


def measure(count: int, draws: int, root: Path) -> None:
    """Measure a sweep of about `count` runs below an empty folder."""
    rates = [str(number / 10_000) for number in range(1, max(1, count // (draws * len(MODELS))) + 1)]
    grid = [f"model={','.join(MODELS)}", f"optimizer.lr={','.join(rates)}", f"draw=range({draws})", "seed=${draw}"]
    (planned, *_), planning = timed(lambda: checked([*grid, f"output={root / 'runs'}", f"name={NAME}"]))
    chance = random.Random(0)
    for run in planned:
        run.folder.mkdir(parents=True)
        record = durable.stamp(invented(run, chance))
        (run.folder / runs.RESULT).write_text(json.dumps(record), encoding="utf-8")
    looked, looking = timed(lambda: sweep(planned, lambda todo: [None] * len(todo), "again"))
    for name in COPIED:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    published, publishing = timed(lambda: publish(root))
    if looked or published:
        raise SystemExit("the sweep is not whole, or cannot be published")
    files = {file.name: file.stat().st_size for file in (root / "results").rglob("*.*")}
    sizes = "  ".join(f"{name} {files[name] / 1e6:.1f} MB" for name in ("table.md", "table.csv", "index.html"))
    print(f"{len(planned):>7,} runs  planned {planning}  looked through {looking}  published {publishing}  {sizes}")


def publish(root: Path) -> int:
    """Collect all records and make everything of them that `scripts/report.py` makes; the filters are not there."""
    target = root / "results" / NAME / RECORDS
    target.parent.mkdir()
    target.write_text(to_lines(collect(root / "runs" / NAME)), encoding="utf-8")
    made: int = runpy.run_path(str(ROOT / "scripts" / "report.py"))["main"]([], root)
    return made


def timed(work: Callable[[], Result]) -> tuple[Result, str]:
    """What some work returns; and the seconds that it took, those of processors, and the most memory until now."""
    started, processor = time.perf_counter(), time.process_time()
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
        result = work()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    seconds = time.perf_counter() - started
    return result, f"{seconds:.1f} s ({time.process_time() - processor:.1f} s on the processor, {most:.2f} GB)"


def invented(run: Run, chance: random.Random) -> dict[str, Any]:
    """The record of a run that nobody did."""
    accuracy = chance.uniform(0.8, 0.99)
    draw = run.settings.draw.draw
    return {
        "run": naming.name(run.config, run.folder),
        "config": dict(run.config),
        "overrides": run.overrides,
        "metrics": {"test_accuracy": accuracy, "test_mean_class_accuracy": accuracy, "train_accuracy": 1.0},
        "seconds": {"train": 60.0},
        "history": {"epoch": [1, 2, 3], "train_loss": [2.0, 1.0, 0.5], "train_accuracy": [0.4, 0.8, 1.0]},
        "per_class": [{"name": str(digit), "correct": round(49 * accuracy), "total": 49} for digit in range(10)],
        "parameters": 1000,
        "device": "cpu",
        **runs.identity(f"draw {draw}", "images"),
    }


if __name__ == "__main__":
    raise SystemExit(main())
