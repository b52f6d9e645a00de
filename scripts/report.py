"""Publish finished runs, and regenerate every table and picture that comes from published records.

python scripts/report.py                    results/*/table.*, results/index.html and figures of README
                                            and docs/, from records;
                                            results/*/README.md, from README.template.md beside it and records;
                                            results/claims.md, from src/audit/claims and records;
                                            results/ladder, results/grid, results/robustness and angles of
                                            results/labels_coil20, from rooms of src/audit and records;
                                            conf/experiment/grid_*.yaml, whose cells results/grid chooses;
                                            effects in DEVIATIONS.md, from results/deviations;
                                            results/results.json, every figure, one a line;
                                            results/CHANGES.md, from the history of records
python scripts/report.py runs/ablation      first copy records of finished runs below runs/ablation
python scripts/report.py --check            write nothing; list stale files, and exit with 1 if there are any
python scripts/report.py --restore runs/ablation    the other way: published records become finished runs, so that
                                            the experiment's command does only the others
"""

import argparse
import shutil
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

from audit.angles import count as views
from audit.angles import page as angles
from audit.claims import ledger, templates
from audit.grid import choice
from audit.grid import page as grid
from audit.ladder import page as ladder
from audit.pages import artifacts, changes, index, readme
from audit.robustness import page as robustness
from audit.speed import table as speed
from audit.tables import listing
from audit.tables.publish import publish, texts
from audit.tables.results import RECORDS, Experiment, Results
from multistage.cli.ending import exit_code
from multistage.records.files import collect, from_file, merge, path, restore, to_lines
from multistage.records.paper import published
from multistage.records.runs import Record
from multistage.registry.errors import MultistageError
from multistage.storage import durable

ROOT = Path(__file__).parent.parent

MADE = ("results", "docs", "conf", "README.md", "DEVIATIONS.md")
"""What the script reads and writes."""


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Read the command line, collect, rebuild; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="?", help="folder of runs to publish, e.g. runs/ablation")
    parser.add_argument("--replace", action="store_true", help="remove published records that are not among these runs")
    parser.add_argument("--redraw", action="store_true", help="also redraw pictures whose records have not changed")
    parser.add_argument("--check", action="store_true", help="write nothing; list stale files")
    parser.add_argument("--restore", action="store_true", help="write published records as finished runs to the folder")
    options = parser.parse_args(arguments)
    if options.check:
        if options.runs or options.replace or options.redraw or options.restore:
            parser.error("--check compares what is committed; it takes no folder and no other option")
        return exit_code(lambda: check(root))
    for name in ("replace", "restore"):
        if getattr(options, name) and options.runs is None:
            parser.error(f"--{name} needs a folder of runs, e.g. runs/ablation")
    if options.restore:
        if options.replace or options.redraw:
            parser.error("--restore takes no other option")
        return exit_code(lambda: give(options.runs, root))
    try:
        return exit_code(lambda: rebuild(options, root))
    except ModuleNotFoundError as error:
        print(f"error: {error.name} is missing; pip install 'multistage[report]'", file=sys.stderr)
        return 1


def rebuild(options: argparse.Namespace, root: Path) -> int:
    """Collect runs, if any are named, and make everything again; returns the exit code."""
    folder = root / "results"
    if options.runs is not None:
        take(options.runs, folder / options.runs.resolve().name, published(folder / "paper.yaml"), options.replace)
    results = Results(folder)
    for experiment in results.experiments.values():
        for file in publish(experiment, options.redraw):
            print(file)
    figures = templates.Figures(results.joined, results.paper)
    claims = ledger.ledger(results)
    climbed, crossed = ladder.Page(results), grid.Page(results)
    functions = readme.functions(results, claims, climbed.ladder)
    pages = climbed, crossed, robustness.Page(results), angles.Page(results)
    for each in pages:
        if drawn := each.picture(options.redraw):
            print(drawn)
    named = {name: function for each in pages for name, function in each.functions().items()}
    write(crossed.documents())  # the page of results has a card of each page that is there
    measured = speed.read(folder / "speed")
    written = (root / "README.md", root / "DEVIATIONS.md", *sorted((root / "docs").glob("*.md")))
    write(
        {
            **templates.readmes(folder, figures, **named),
            **choice.files(crossed.grid, root / "conf" / "experiment"),
            **({folder / "speed" / "table.md": speed.table(measured)} if measured else {}),
            **{file: figures.refill(file.read_text("utf-8"), file.relative_to(root), **functions) for file in written},
            folder / ledger.TEXT: ledger.document(claims, results.paper),
            folder / listing.LISTING: listing.document(results),
            folder / index.PAGE: index.document(results, claims, climbed.ladder),
        }
    )
    if changes.is_whole(root):
        write({folder / changes.CHANGES: changes.document(root)})
    return 0


def check(root: Path) -> int:
    """Make everything again in a copy and name what differs; returns the exit code."""
    with TemporaryDirectory() as folder:
        copied = Path(folder).resolve()
        for name in (name for name in MADE if (root / name).exists()):
            copy = shutil.copytree if (root / name).is_dir() else shutil.copy2
            copy(root / name, copied / name)
        before = {file: file.read_bytes() for file in copied.rglob("*") if file.is_file()}
        with redirect_stdout(None):
            code = main([], copied)
        made = [file for file in copied.rglob("*") if file.is_file() and before.get(file) != file.read_bytes()]
        stale = sorted(file.relative_to(copied).as_posix() for file in made)
    if changes.is_whole(root) and not changes.is_current(root):
        stale.append(f"results/{changes.CHANGES}")
    for name in stale:
        print(f"stale: {name}")
    return code or int(bool(stale))


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
    views.publish(runs, target, records)
    durable.write(file, to_lines(records).encode())
    print(f"{file}: {len(records)} runs, {len(found - names)} of them new")
    for name in replaced:
        print(f"replaced: {name}")
    for name in sorted(names - found):
        print(f"dropped: {name}" if replace else f"kept, not in {runs}: {name}")


def give(runs: Path, root: Path) -> int:
    """Write published records as finished runs; returns the exit code.

    Raises:
        MultistageError: No records of this name are published, or a damaged one.
    """
    file = root / "results" / runs.resolve().name / RECORDS
    if not file.exists():
        raise MultistageError(f"{file} is missing; expected a folder named as one of results/, e.g. runs/ablation")
    records = from_file(file)
    restored = restore(records, runs)
    others = len(records) - restored
    print(
        f"{runs}: {restored} published runs restored"
        + f"; {others} not: begun here, or without checksum" * bool(others)
    )
    return 0


def write(made: Mapping[Path, str]) -> None:
    """Write texts and name those that changed."""
    for file, text in made.items():
        if durable.update(file, text.encode()):
            print(file)


if __name__ == "__main__":
    sys.exit(main())
