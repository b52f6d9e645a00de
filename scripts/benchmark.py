"""Measure speed and memory side by side, print tables, and write results/speed.

python scripts/benchmark.py                       all parts; half an hour or more on two cores
python scripts/benchmark.py layer memory          some parts
python scripts/benchmark.py --device cuda         on a GPU
python scripts/benchmark.py --quick               a smoke test: small shapes, few repetitions, writes nothing
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from audit.speed import layer, layer_options, processes, stages, training
from audit.speed import table as speed
from audit.speed.measurement import Bench, record, write
from multistage.cli.ending import exit_code
from multistage.records.runs import Record
from multistage.storage import durable
from multistage.train import hardware

ROOT = Path(__file__).parent.parent

MEASURE: dict[str, Callable[[Bench], None]] = {
    "layer": layer.measure,
    "memory": layer.measure_memory,
    "options": layer_options.measure,
    "window": layer_options.measure_windows,
    "stage": stages.measure,
    "convolution": stages.measure_convolutions,
    "epoch": training.measure,
    "frozen": training.measure_frozen,
    "start": processes.measure_start,
    "overhead": processes.measure_overhead,
}


def main(arguments: list[str] | None = None) -> int:
    """Read the command line and measure; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(MEASURE)} (default: all)")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where to compute (default: cpu)")
    parser.add_argument("--quick", action="store_true", help="small shapes, few repetitions; writes only with --out")
    parser.add_argument("--out", type=Path, help="folder to write to (default: results/speed)")
    parser.add_argument("--no-compile", action="store_true", help="leave out versions compiled by torch.compile")
    options = parser.parse_args(arguments)
    if unknown := [part for part in options.parts if part not in MEASURE]:
        parser.error(f"{unknown[0]} is not a part; expected some of {', '.join(MEASURE)}")
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda, but torch finds no CUDA device here; use --device cpu")
    out = options.out or (None if options.quick else ROOT / "results" / "speed")
    hardware.prepare()
    return exit_code(lambda: _measure(options, out))


def _measure(options: argparse.Namespace, out: Path | None) -> int:
    for part in options.parts or MEASURE:
        started = time.perf_counter()
        bench = Bench(torch.device(options.device), options.quick, not options.no_compile)
        MEASURE[part](bench)
        made = record(part, bench)
        show(made, time.perf_counter() - started)
        if out is not None:
            print(write(out, made))
            durable.write(out / "table.md", speed.table(speed.read(out)).encode())
    return 0


def show(record: Record, seconds: float) -> None:
    """Print a record as a table."""
    header, rows = speed.wide(record)
    caption = ", ".join([f"{record['threads']} threads", f"measured in {seconds:.0f} s", *record["notes"]])
    title = f"{speed.PARTS[record['part']]} ({record['device']}{', quick' if record['quick'] else ''})"
    table = Table(title=title, caption=escape(caption))
    for number, name in enumerate(header):
        table.add_column(name, justify="right" if number else "left")
    for row in rows:
        table.add_row(*map(escape, row))
    Console(width=None if sys.stdout.isatty() else 200).print(table)


if __name__ == "__main__":
    sys.exit(main())
