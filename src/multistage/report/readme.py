"""The table of README: commands, what they gave here, what the paper has."""

from collections.abc import Sequence
from pathlib import Path

import yaml

from multistage.report.records import command
from multistage.runs import Record

START, END = "<!-- measured: python scripts/report.py -->", "<!-- end of measured -->"


def paper_values(path: Path) -> list[Record]:
    """The cells of the paper's Table 1."""
    cells: list[Record] = yaml.safe_load(path.read_text(encoding="utf-8"))["table1"]
    return cells


def paper_value(cells: Sequence[Record], record: Record) -> float | None:
    """The paper's figure for a run, in %, if its Table 1 has that cell; any linear classifier counts as its softmax."""
    config = record["config"]
    for cell in cells:
        settings = {key: cell[key] for key in ("stages", "model", "filters", "refine")}
        if config["data"] == "caltech101" and "readout" not in cell and settings.items() <= config.items():
            return float(cell["value"])
    return None


def table(records: Sequence[Record], cells: Sequence[Record]) -> str:
    """Markdown: one run a row."""
    lines = [
        "| command | minutes | test | mean per class | training | paper |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for record in records:
        metrics, paper = record["metrics"], paper_value(cells, record)
        lines.append(
            f"| `{command(record)}` | {sum(record['seconds'].values()) / 60:.1f} | {metrics['test_accuracy']:.2%} | "
            f"{metrics['test_mean_class_accuracy']:.2%} | {metrics['train_accuracy']:.2%} | "
            f"{'' if paper is None else f'{paper:.1f}%'} |"
        )
    return "\n".join(lines)


def insert(readme: str, table: str) -> str:
    """README with the table between its two marks."""
    before, rest = readme.split(START)
    _, after = rest.split(END)
    return f"{before}{START}\n{table}\n{END}{after}"
