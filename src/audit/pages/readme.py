"""Figures that README and docs/ take from records: the summary, commands, Table 1, MNIST, speed."""

from collections.abc import Callable, Sequence
from statistics import fmean

from audit.claims.verdicts import Judged
from audit.ladder.climb import Ladder
from audit.pages import table1
from audit.pages.summary import summary
from audit.speed import layer_page
from audit.speed import table as speed
from audit.tables.results import Results
from audit.tables.tables import rows
from audit.tables.words import count, not_run
from multistage.records.cells import METRIC, accuracy
from multistage.records.files import command
from multistage.records.paper import matching
from multistage.records.runs import Record


def paper_value(published: Sequence[Record], record: Record) -> float | None:
    """Return the paper's figure for a run in %, if it has one."""
    entry = matching(published, record["config"])
    return None if entry is None else float(entry["value"])


def table(records: Sequence[Record], published: Sequence[Record]) -> str:
    """Markdown: a table with one row per run."""
    lines = []
    for record in records:
        metrics, paper = record["metrics"], paper_value(published, record)
        accuracies = (metrics[name] for name in ("test_accuracy", METRIC, "train_accuracy"))
        minutes = f"{sum(record['seconds'].values()) / 60:.1f}"
        shown = [*(f"{value:.2%}" for value in accuracies), "" if paper is None else f"{paper:.1f}%"]
        lines.append([f"`{command(record)}`", minutes, *shown])
    return rows(["command", "minutes", "test", "mean per class", "training", "paper"], lines, numbers=True)


def mnist(records: Sequence[Record], published: Sequence[Record]) -> str:
    """Write one sentence: the MNIST test error of each published run, their mean, and the paper's."""
    errors = [100 * (1 - record["metrics"]["test_accuracy"]) for record in records]
    if not errors:
        return not_run("mnist")
    paper = paper_value(published, records[0])
    each = ", ".join(f"{error:.2f}" for error in sorted(errors))
    beside = "" if paper is None else f"; the paper has {100 - paper:.2f} %"
    return f"{fmean(errors):.2f} % (mean of {count(len(errors), 'run')}: {each}){beside}."


def expected(records: Sequence[Record], published: Sequence[Record], typed: str) -> str:
    """Return minutes and figures of one command.

    Raises:
        LookupError: Other runs are published, but none of this command.
    """
    if not records:
        return f"not run yet; `{typed}` runs it"
    found = next((record for record in records if command(record) == typed), None)
    if found is None:
        raise LookupError(f"no published run of: {typed}")
    paper, minutes = paper_value(published, found), sum(found["seconds"].values()) / 60
    beside = "" if paper is None else f"; the paper has {paper:.1f} %"
    return f"{minutes:.1f} minutes, {accuracy(found):.1f} % (mean over classes){beside}"


def highest(ladder: Ladder, typed: str) -> str:
    """Return minutes and figure of the command that runs the ladder's highest rung on one draw.

    Raises:
        LookupError: The rung was run, but not by this command.
    """
    if ladder.top is None or ladder.top.some is None:
        return f"not run yet; `{typed}` runs it"
    for record, seconds in zip(ladder.top.some.records, ladder.top.seconds, strict=True):
        if command(record) == typed:
            cores = f"{count(record['threads'], 'core')} of {record['hardware']['cores']}"
            return f"{seconds / 60:.0f} minutes on {cores}, {accuracy(record):.1f} % (mean over classes)"
    raise LookupError(f"no run of the highest rung by: {typed}")


def functions(results: Results, claims: Sequence[Judged], ladder: Ladder) -> dict[str, Callable[..., str]]:
    """Return the functions that README and docs/ call; results of Table 1, MNIST and speed may be absent.

    Args:
        results: All published results.
        claims: Claims with verdicts.
        ladder: Results with later methods.
    """
    paper, first = results.paper, results.records("first_light")
    return {
        "summary": lambda: summary(results, claims, ladder),
        "table_1": lambda: table1.page(results),
        "mnist_errors": lambda: mnist(results.records("mnist"), paper),
        "commands": lambda: table(first, paper),
        "expected": lambda typed: expected(first, paper, typed),
        "highest": lambda typed: highest(ladder, typed),
        "speed": lambda: speed.readme(speed.read(results.root / "speed")),
        "layer_speed": lambda: layer_page.page(speed.read(results.root / "speed")),
    }
