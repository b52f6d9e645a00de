"""Publish finished runs, and make again every table and picture that is made from published records.

python scripts/report.py                    results/*/table.*, results/index.html and figures of README
                                            and docs/, from records;
                                            results/*/README.md, from README.template.md beside it and records;
                                            results/claims.md, from src/audit/claims and records;
                                            results/ladder, from src/audit/ladder and records;
                                            effects in DEVIATIONS.md, from results/deviations
python scripts/report.py runs/ablation      first take the finished runs below runs/ablation into results/ablation
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from audit.claims import ledger, templates
from audit.ladder.page import Page
from audit.pages import artifacts, index, readme
from audit.speed import table as speed
from audit.tables.publish import publish, texts
from audit.tables.results import RECORDS, Experiment, Results
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
        folder = root / "results"
        if options.runs is not None:
            take(options.runs, folder / options.runs.resolve().name, published(folder / "paper.yaml"), options.replace)
        results = Results(folder)
        for experiment in results.experiments.values():
            for file in publish(experiment, options.redraw):
                print(file)
        figures = templates.Figures(results.found, results.paper)
        claims = ledger.ledger(results)
        ladder = Page(results)
        functions = readme.functions(results, claims, ladder.ladder.top)
        if drawn := ladder.picture(options.redraw):
            print(drawn)
        write(templates.readmes(folder, figures, **ladder.functions()))
        if measured := speed.read(folder / "speed"):
            write({folder / "speed" / "table.md": speed.table(measured)})
        pages = (root / "README.md", root / "DEVIATIONS.md", *sorted((root / "docs").glob("*.md")))
        write(
            {
                **{
                    page: figures.refill(page.read_text("utf-8"), page.relative_to(root), **functions) for page in pages
                },
                folder / ledger.TEXT: ledger.document(claims, results.paper),
                folder / index.PAGE: index.document(results, claims),
            }
        )
    except (MultistageError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        print(f"error: {error.name} is missing; pip install 'multistage[report]'", file=sys.stderr)
        return 1
    return 0


def take(runs: Path, target: Path, paper: list[Record], replace: bool) -> None:
    """Collect finished runs into a folder of results and say what became of those that were there.

    Raises:
        MultistageError: No finished run, a damaged one, or records that must not stand in one table.
    """
    collected = collect(runs)
    if not collected:
        raise MultistageError(f"{runs} holds no finished run; expected a folder as train.py makes, e.g. runs/ablation")
    file = target / RECORDS
    before = from_file(file) if file.exists() else []
    records, replaced = merge(before, collected)
    records = collected if replace else records
    texts(Experiment(target, records, paper))  # refuses before anything is written
    found, names = {path(record) for record in collected}, {path(record) for record in before}
    target.mkdir(parents=True, exist_ok=True)
    artifacts.publish_best(runs, target, records)
    durable.write(file, to_lines(records).encode())
    print(f"{file}: {len(records)} runs, {len(found - names)} of them new")
    for name in replaced:
        print(f"replaced: {name}")
    for name in sorted(names - found):
        print(f"dropped: {name}" if replace else f"kept, not in {runs}: {name}")


def write(made: Mapping[Path, str]) -> None:
    """Write texts and name those that changed."""
    for file, text in made.items():
        if durable.update(file, text.encode()):
            print(file)


if __name__ == "__main__":
    sys.exit(main())
