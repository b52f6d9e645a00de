"""The tables of README: commands, what they gave here, what the paper has; Table 1; MNIST; speed."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from audit.pages import table1
from audit.speed import table as speed
from audit.tables.tables import rows
from audit.tables.words import count
from multistage.records.files import command, from_file
from multistage.records.paper import matching
from multistage.records.runs import Record

START, END = "<!-- measured: python scripts/report.py -->", "<!-- end of measured -->"
MNIST = "<!-- mnist: python scripts/report.py -->", "<!-- end of mnist -->"


def paper_value(published: Sequence[Record], record: Record) -> float | None:
    """The paper's figure for a run, in %, if it has one."""
    entry = matching(published, record["config"])
    return None if entry is None else float(entry["value"])


def table(records: Sequence[Record], published: Sequence[Record]) -> str:
    """Markdown: one run a row."""
    lines = []
    for record in records:
        metrics, paper = record["metrics"], paper_value(published, record)
        accuracies = (metrics[name] for name in ("test_accuracy", "test_mean_class_accuracy", "train_accuracy"))
        minutes = f"{sum(record['seconds'].values()) / 60:.1f}"
        shown = [*(f"{accuracy:.2%}" for accuracy in accuracies), "" if paper is None else f"{paper:.1f}%"]
        lines.append([f"`{command(record)}`", minutes, *shown])
    return rows(["command", "minutes", "test", "mean per class", "training", "paper"], lines, numbers=True)


def mnist(records: Sequence[Record], published: Sequence[Record]) -> str:
    """One sentence: the error of each published run on MNIST's test digits, their mean, and the paper's."""
    errors = [100 * (1 - record["metrics"]["test_accuracy"]) for record in records]
    if not errors:
        return "Not run yet; `python train.py experiment=mnist` runs it."
    paper = paper_value(published, records[0])
    each = ", ".join(f"{error:.2f}" for error in sorted(errors))
    beside = "" if paper is None else f"; the paper has {100 - paper:.2f} %"
    return f"{fmean(errors):.2f} % (mean of {count(len(errors), 'run')}: {each}){beside}."


def insert(readme: str, table: str, start: str = START, end: str = END) -> str:
    """README with a table between its two marks."""
    before, rest = readme.split(start)
    _, after = rest.split(end)
    return f"{before}{start}\n{table}\n{end}{after}"


def fill(readme: str, results: Path, published: Sequence[Record]) -> str:
    """README with all its tables.

    Args:
        readme: Its text, with a pair of marks for each table.
        results: The folder of published results; those of Table 1 and of speed may be absent.
        published: The paper's figures.
    """

    def records(name: str) -> list[Record]:
        file = results / name / "records.jsonl"
        return from_file(file) if file.exists() else []

    text = insert(readme, table(records("first_light"), published))
    text = insert(text, mnist(records("mnist"), published), *MNIST)
    text = insert(text, table1.readme(records("table1"), published), table1.START, table1.END)
    return insert(text, speed.readme(speed.read(results / "speed")), speed.START, speed.END)
