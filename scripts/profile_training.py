"""Profile a training step: by part of the network, forward and backward, and by operation.

python scripts/profile_training.py                                   the default run, on digits
python scripts/profile_training.py data=caltech101 model=avgpool     any refined float32 run, settings as for train.py
python scripts/profile_training.py data=mnist --trace step.json      also write a trace for Perfetto or chrome://tracing
"""

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from audit.speed.profiling import BACKWARD, FORWARD, Profile, profile
from multistage.cli.ending import exit_code
from multistage.settings import composition
from multistage.train import hardware


def main(arguments: list[str] | None = None) -> int:
    """Read the command line, profile, print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE", help="settings, as for train.py")
    parser.add_argument("--steps", type=int, default=5, help="steps that are profiled (default: 5)")
    parser.add_argument("--warm-up", type=int, default=2, help="warm-up steps before them (default: 2)")
    parser.add_argument("--operations", type=int, default=12, help="operations shown (default: 12)")
    parser.add_argument("--trace", type=Path, metavar="FILE", help="file to write a trace to")
    options = parser.parse_args(arguments)
    if options.steps < 1 or options.warm_up < 0:
        parser.error("--steps must be at least 1 and --warm-up at least 0")
    hardware.prepare()
    return exit_code(lambda: _profile(options))


def _profile(options: argparse.Namespace) -> int:
    run = composition.plan(options.settings)
    show(profile(run.config, options.steps, options.warm_up, options.trace), options.operations)
    return 0


def show(profile: Profile, operations: int) -> None:
    """Print the tables of a profile."""
    console = Console()
    table = Table(title=f"a step of {profile.batch} images on {profile.device}: {1000 * profile.step:.2f} ms")
    for name in ("part", "forward, ms", "backward, ms", "share"):
        table.add_column(name, justify="left" if name == "part" else "right")
    for part, seconds in profile.parts.items():
        cells = [f"{1000 * seconds[d]:.2f}" if d in seconds else "" for d in (FORWARD, BACKWARD)]
        table.add_row(part, *cells, f"{sum(seconds.values()) / profile.step:.1%}")
    console.print(table)
    caption = None if profile.in_kernels is None else f"{profile.in_kernels:.1%} of the time a kernel ran"
    table = Table(title="operations, by torch's profiler", caption=caption)
    for name in ("operation", "ms a step", "calls a step"):
        table.add_column(name, justify="left" if name == "operation" else "right")
    for operation in profile.operations[:operations]:
        table.add_row(operation.name[:80], f"{1000 * operation.seconds:.2f}", f"{operation.calls:g}")
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
