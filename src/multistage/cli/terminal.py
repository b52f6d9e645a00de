"""What a terminal shows of runs."""

import shlex
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from multistage.cli.help import PREDICT
from multistage.data import data_sets
from multistage.records.cells import Cell, cells, common_path
from multistage.records.files import path
from multistage.records.intervals import half_width, is_chance, t_interval
from multistage.records.paper import published
from multistage.records.runs import Record


def summary(record: Record, folder: Path) -> str:
    """What a person wants to know at the end of a run, and what to type next."""
    metrics, seconds = record["metrics"], record["seconds"]
    phases = ", ".join(f"{phase} {value:.1f}" for phase, value in seconds.items())
    validation = metrics.get("validation_accuracy")
    own = f"./{folder}" if str(folder).startswith("-") else str(folder)
    tested = f"{metrics['test_accuracy']:.2%} (mean per class {metrics['test_mean_class_accuracy']:.2%})"
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
    """A remark on a run that tells no more of test images than guessing does; none on others."""
    totals = [entry["total"] for entry in record["per_class"]]
    if not is_chance(record["metrics"]["test_mean_class_accuracy"], totals):
        return []
    return [f"no better than chance ({100 / len(totals):.1f} % for {len(totals)} classes)"]


def resumed(record: Record) -> str | None:
    """What was other in earlier stretches of a run than in its last one."""
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
    """What was seen of a run's images, and what was left out; nothing of a record that does not say."""
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
    """What was seen of the images of several runs, each once."""
    texts = [f"{_images_of(record)}: {text}" for record in records for text in seen(record).values() if text]
    return list(dict.fromkeys(texts))


def _images_of(record: Record) -> str:
    """The data set, and the folder if there can be several."""
    data, root = record["config"]["data"], record["config"].get("data.root")
    return f"{data} {root}" if data_sets[data].root_is_content else str(data)


def line(record: Record, siblings: Sequence[Record], position: str, seconds_left: float) -> str:
    """One line about a run of a sweep that was just finished.

    Args:
        record: Of the run.
        siblings: The finished runs of its cell, itself included.
        position: Which of how many, as ``3/50``.
        seconds_left: Until the sweep is done; 0 at its end.
    """
    own = 100 * record["metrics"]["test_mean_class_accuracy"]
    values = [100 * r["metrics"]["test_mean_class_accuracy"] for r in siblings]
    spread = ""
    if interval := t_interval(values):
        width = f"+-{half_width(interval):.2f}, 95 % interval"
        spread = f" (mean of {len(values)}: {statistics.mean(values):.2f} {width})"
    diverged = [f"diverged: {record['diverged']}"] if "diverged" in record else []
    said = ", ".join([f"{own:.2f} %{spread}", *chance(record), *diverged])
    left = f"  about {duration(seconds_left)} left" if seconds_left else ""
    return f"{position}  {path(record)}  {said}  {duration(sum(record['seconds'].values()))}{left}"


def duration(seconds: float) -> str:
    """Seconds as a person says them: 9.1 s, 14 min, 2 h 05 min."""
    if seconds < 90:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"


def comparison(records: Sequence[Record]) -> str:
    """A table of several runs: a row for those that differ in draw and seed only, the best of each data set first.

    Accuracies are means in %, beside them half the width of Student's 95 % interval, ``training`` that on
    training images; ``remarks`` counts runs that diverged or are no better than chance.
    """
    found = cells(records, published())
    found.sort(key=lambda cell: (cell.config["data"], -cell.mean))
    rows = [["run", "n", "per class", "+- (95 %)", "training", "paper", "difference", "seconds", "remarks"]]
    for cell in found:
        training = statistics.mean(100 * record["metrics"]["train_accuracy"] for record in cell.records)
        rows.append(
            [
                name(cell),
                str(cell.n),
                f"{cell.mean:.2f}",
                _number(cell.half_width),
                f"{training:.2f}",
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
    """What the folders of a cell's runs have in common."""
    return "".join(common_path(cell.records[0])).rstrip("/")


def _remarks(cell: Cell) -> str:
    """How many runs of a cell came to nothing, and how; without a number if all of them did."""
    counts = {
        "diverged": sum("diverged" in record for record in cell.records),
        "no better than chance": sum(bool(chance(record)) for record in cell.records),
    }
    return ", ".join(word if count == cell.n else f"{count} {word}" for word, count in counts.items() if count)


def _number(value: float | None, sign: str = "") -> str:
    return "" if value is None else f"{value:{sign}.2f}"
