"""Terminal output about runs."""

import shlex
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from multistage.cli.help import PREDICT
from multistage.data import data_sets
from multistage.records.cells import METRIC, Cell, accuracy, cells, common_path, distinct
from multistage.records.files import path
from multistage.records.intervals import half_width, is_chance, t_interval
from multistage.records.paper import published
from multistage.records.runs import Record


def summary(record: Record, folder: Path) -> str:
    """Return the summary at the end of a run, with the command to type next."""
    metrics, seconds = record["metrics"], record["seconds"]
    phases = ", ".join(f"{phase} {value:.1f}" for phase, value in seconds.items())
    validation = metrics.get("validation_accuracy")
    own = f"./{folder}" if str(folder).startswith("-") else str(folder)
    tested = f"{metrics['test_accuracy']:.2%} (mean per class {metrics[METRIC]:.2%})"
    lines = {
        "run": path(record),
        **seen(record),
        "test accuracy": ", ".join([tested, *chance(record)]),
        "validation": None if validation is None else f"{validation:.2%}",
        "training": f"{metrics['train_accuracy']:.2%}",
        "diverged": f"{record['diverged']}; try more epochs or a smaller optimizer.lr"
        if "diverged" in record
        else None,
        "resumed": resumed(record),
        "parameters": f"{record['parameters']:,}",
        "seconds": f"{sum(seconds.values()):.1f} ({phases}) on {record['device']}",
        "files": shlex.quote(own),
        "next": f"{PREDICT} {shlex.quote(own)} IMAGE",
    }
    return "\n".join(f"{name:14} {text}" for name, text in lines.items() if text is not None)


def chance(record: Record) -> list[str]:
    """Return a remark if a run is not clearly better than chance on test images, else nothing."""
    totals = [entry["total"] for entry in record["per_class"]]
    if not is_chance(record["metrics"][METRIC], totals):
        return []
    level = f"{100 / len(totals):.1f} % for {len(totals)} classes"
    return [f"not clearly better than chance ({level}) with {sum(totals)} test images"]


def resumed(record: Record) -> str | None:
    """Describe what differed in earlier stretches of a run from its last one."""
    stretches = [
        f"after {stretch['epochs']} epochs: {', '.join(_changes(stretch, record))}"
        for stretch in record.get("resumed", [])
    ]
    return "; ".join(stretches) or None


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    words = []
    for name, value in before.items():
        if isinstance(value, dict):
            words += _changes(value, now.get(name, {}))
        elif name != "epochs":
            words.append(f"{name} was {value}, is {now.get(name)}")
    return words


PARTS = {"train": "train", "validation": "validate", "test": "test"}


def seen(record: Record) -> dict[str, str | None]:
    """Describe a run's images, and what was left out; nothing for records without this information."""
    if (images := record.get("images")) is None:
        return {}
    parts = ", ".join(
        f"{images[part]:,} {word}" for part, word in PARTS.items() if images[part] or part != "validation"
    )
    (few, fewest), (many, most) = images["smallest"], images["largest"]
    sizes = f"{most:,}" if fewest == most else f"{fewest:,} ({few}) to {most:,} ({many})"
    counted = f"{images['images']:,} {images['colour']} in {images['classes']:,} classes of {sizes}"
    return {"images": f"{counted}; {parts}; {images['flat']} flat", "of these": "; ".join(images["notes"]) or None}


def pictures(records: Sequence[Record]) -> list[str]:
    """Describe the images of several runs, each data set once."""
    texts = [f"{_images_of(record)}: {text}" for record in records for text in seen(record).values() if text]
    return list(dict.fromkeys(texts))


def _images_of(record: Record) -> str:
    """Return the data set, with its folder if there can be several."""
    data, root = record["config"]["data"], record["config"].get("data.root")
    return f"{data} {root}" if data_sets[data].root_is_content else str(data)


def line(record: Record, siblings: Sequence[Record], position: str, seconds_left: float) -> str:
    """Return one line about a run of a sweep that has just finished.

    Args:
        record: The run's record.
        siblings: The finished runs of its cell, including itself.
        position: Its number, such as ``3/50``.
        seconds_left: Time until the sweep is done; 0 at its end.
    """
    own = accuracy(record)
    values = list(map(accuracy, distinct(siblings)))
    spread = ""
    if interval := t_interval(values):
        width = f"+-{half_width(interval):.2f}, 95 % interval"
        spread = f" (mean of {len(values)}: {statistics.mean(values):.2f} {width})"
    diverged = [f"diverged: {record['diverged']}"] if "diverged" in record else []
    said = ", ".join([f"{own:.2f} %{spread}", *chance(record), *diverged])
    left = f"  about {duration(seconds_left)} left" if seconds_left else ""
    return f"{position}  {path(record)}  {said}  {duration(sum(record['seconds'].values()))}{left}"


def duration(seconds: float) -> str:
    """Format seconds: 9.1 s, 14 min, 2 h 05 min."""
    if seconds < 90:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"


def comparison(records: Sequence[Record]) -> str:
    """Return a table of runs: a row for those that differ only in draw and seed, the best of each data set first.

    Accuracies are means in %, with half the width of Student's 95 % interval; ``training`` is the accuracy on training
    images; ``remarks`` counts runs that diverged or are not clearly better than chance.
    """
    found = cells(records, published())
    found.sort(key=lambda cell: (cell.config["data"], -cell.mean))
    rows = [["run", "n", "per class", "+- (95 %)", "training", "paper", "difference", "seconds", "remarks"]]
    for cell in found:
        rows.append(
            [
                name(cell),
                str(cell.n),
                f"{cell.mean:.2f}",
                _number(cell.half_width),
                f"{cell.training:.2f}",
                "" if cell.paper is None else f"{cell.paper['value']:.1f}",
                _number(cell.difference, "+"),
                f"{cell.seconds:.1f}",
                _remarks(cell),
            ]
        )
    shown = [i for i in range(len(rows[0])) if any(row[i] for row in rows[1:])]
    widths = [max(len(row[i]) for row in rows) for i in shown]
    aligned = [
        [f"{row[i]:<{w}}" if i == 0 else f"{row[i]:>{w}}" for i, w in zip(shown, widths, strict=True)] for row in rows
    ]
    return "\n".join("  ".join(row).rstrip() for row in aligned)


def name(cell: Cell) -> str:
    """Return the common part of the folders of a cell's runs."""
    return "".join(common_path(cell.records[0])).rstrip("/")


def _remarks(cell: Cell) -> str:
    """Count the runs of a cell that diverged or are not clearly better than chance; without a number if all are."""
    counts = {
        "diverged": cell.diverged,
        "not clearly better than chance": sum(bool(chance(record)) for record in cell.records),
    }
    said = [word if count == cell.n else f"{count} {word}" for word, count in counts.items() if count]
    if cell.repeats:
        said.append(f"{cell.repeats} more with the same images and seed; vary seed")
    return ", ".join(said)


def _number(value: float | None, sign: str = "") -> str:
    return "" if value is None else f"{value:{sign}.2f}"
