"""Publish finished runs, and make again every table and picture that is made from published records.

python scripts/report.py                    results/*/table.*, results/index.html and README's tables, from records;
                                            results/*/README.md, from README.template.md beside it and records;
                                            results/claims.md, from src/audit/claims and records;
                                            effects in DEVIATIONS.md, from results/deviations
python scripts/report.py runs/ablation      first take the finished runs below runs/ablation into results/ablation
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from audit.claims import ledger, templates
from audit.pages import artifacts, index, readme
from audit.speed import table as speed
from audit.tables.addresses import addresses
from audit.tables.publish import RECORDS, publish, texts
from multistage.records.files import collect, from_file, merge, path, to_lines
from multistage.records.paper import published
from multistage.records.runs import Record
from multistage.registry.errors import MultistageError
from multistage.storage import durable

ROOT = Path(__file__).parent.parent


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Read the command line, collect, rebuild; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="?", help="folder of runs to publish, e.g. runs/ablation")
    parser.add_argument("--replace", action="store_true", help="drop published records that are not among these runs")
    parser.add_argument("--redraw", action="store_true", help="draw pictures again whose records have not changed")
    options = parser.parse_args(arguments)
    if options.replace and options.runs is None:
        parser.error("--replace needs a folder of runs, e.g. runs/ablation")
    try:
        entries = published(root / "results" / "paper.yaml")
        if options.runs is not None:
            take(options.runs, root / "results" / options.runs.resolve().name / RECORDS, entries, options.replace)
        for records in sorted((root / "results").glob(f"*/{RECORDS}")):
            for file in publish(records.parent, entries, options.redraw):
                print(file)
        found = addresses(root / "results", entries)
        figures = templates.Figures(found, entries)
        for file, text in templates.readmes(root / "results", figures).items():
            if durable.update(file, text.encode()):
                print(file)
        write_speed(root)
        refill(root / "README.md", lambda text: readme.fill(text, root / "results", entries))
        refill(root / "DEVIATIONS.md", lambda text: figures.refill(text, "DEVIATIONS.md"))
        for made in (ledger.write(root / "results", found, entries), index.write(root / "results")):
            if made is not None:
                print(made)
    except (MultistageError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        print(f"error: {error.name} is missing; pip install 'multistage[report]'", file=sys.stderr)
        return 1
    return 0


def take(runs: Path, target: Path, entries: list[Record], replace: bool) -> None:
    """Collect finished runs into a file of records and say what became of those that were there.

    Raises:
        MultistageError: No finished run, a damaged one, or records that must not stand in one table.
    """
    collected = collect(runs)
    if not collected:
        raise MultistageError(f"{runs} holds no finished run; expected a folder as train.py makes, e.g. runs/ablation")
    before = from_file(target) if target.exists() else []
    records, replaced = merge(before, collected)
    records = collected if replace else records
    texts(target.parent.name, records, entries)  # refuses before anything is written
    found, names = {path(record) for record in collected}, {path(record) for record in before}
    target.parent.mkdir(parents=True, exist_ok=True)
    artifacts.publish_best(runs, target.parent, records)
    durable.write(target, to_lines(records).encode())
    print(f"{target}: {len(records)} runs, {len(found - names)} of them new")
    for name in replaced:
        print(f"replaced: {name}")
    for name in sorted(names - found):
        print(f"dropped: {name}" if replace else f"kept, not in {runs}: {name}")


def write_speed(root: Path) -> None:
    """Make the table of what was measured of speed again, if anything was."""
    file = root / "results" / "speed" / "table.md"
    records = speed.read(file.parent)
    if records and durable.update(file, speed.table(records).encode()):
        print(file)


def refill(file: Path, fill: Callable[[str], str]) -> None:
    """Make again what stands between the marks of a text."""
    if durable.update(file, fill(file.read_text(encoding="utf-8")).encode()):
        print(file)


if __name__ == "__main__":
    sys.exit(main())
