"""The table of README: commands, what they gave here, what the paper has."""

from collections.abc import Sequence

from multistage.report.paper import matching
from multistage.report.records import command
from multistage.runs import Record

START, END = "<!-- measured: python scripts/report.py -->", "<!-- end of measured -->"


def paper_value(published: Sequence[Record], record: Record) -> float | None:
    """The paper's figure for a run, in %, if it has one."""
    entry = matching(published, record["config"])
    return None if entry is None else float(entry["value"])


def table(records: Sequence[Record], published: Sequence[Record]) -> str:
    """Markdown: one run a row."""
    lines = [
        "| command | minutes | test | mean per class | training | paper |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for record in records:
        metrics, paper = record["metrics"], paper_value(published, record)
        lines.append(
            f"| `{command(record)}` | {sum(record['seconds'].values()) / 60:.1f} | {metrics['test_accuracy']:.2%} | "
            f"{metrics['test_mean_class_accuracy']:.2%} | {metrics['train_accuracy']:.2%} | "
            f"{'' if paper is None else f'{paper:.1f}%'} |"
        )
    return "\n".join(lines)


def insert(readme: str, table: str, start: str = START, end: str = END) -> str:
    """README with a table between its two marks."""
    before, rest = readme.split(start)
    _, after = rest.split(end)
    return f"{before}{start}\n{table}\n{end}{after}"
