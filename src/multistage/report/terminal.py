"""What a terminal shows of runs."""

import statistics
from collections.abc import Sequence
from pathlib import Path

from multistage.config import bears_on_result, listing
from multistage.runs import Record


def summary(record: Record, folder: Path) -> str:
    """What a person wants to know at the end of a run, and what to type next."""
    metrics, seconds = record["metrics"], record["seconds"]
    phases = ", ".join(f"{phase} {value:.1f}" for phase, value in seconds.items())
    validation = metrics.get("validation_accuracy")
    lines = {
        "run": record["run"],
        "test accuracy": f"{metrics['test_accuracy']:.2%} (mean per class {metrics['test_mean_class_accuracy']:.2%})",
        "validation": None if validation is None else f"{validation:.2%}",
        "training": f"{metrics['train_accuracy']:.2%}",
        "parameters": f"{record['parameters']:,}",
        "seconds": f"{sum(seconds.values()):.1f} ({phases}) on {record['device']}",
        "files": str(folder),
        "next": f"python predict.py {folder} IMAGE",
    }
    return "\n".join(f"{name:14} {text}" for name, text in lines.items() if text is not None)


def line(record: Record, siblings: Sequence[Record], position: str, seconds_left: float) -> str:
    """One line about a run of a sweep that was just finished.

    Args:
        record: Of the run.
        siblings: The finished runs of its cell, itself included.
        position: Which of how many, as ``3/50``.
        seconds_left: Until the sweep is done; 0 at its end.
    """
    values = [100 * r["metrics"]["test_mean_class_accuracy"] for r in siblings]
    own = 100 * record["metrics"]["test_mean_class_accuracy"]
    spread = ""
    if len(values) > 1:
        spread = f" (mean {statistics.mean(values):.2f} ± {statistics.stdev(values):.2f}, n={len(values)})"
    left = f"  about {duration(seconds_left)} left" if seconds_left else ""
    return f"{position}  {record['run']}  {own:.2f} %{spread}  {duration(sum(record['seconds'].values()))}{left}"


def duration(seconds: float) -> str:
    """Seconds as a person says them: 9.1 s, 14 min, 2 h 05 min."""
    if seconds < 90:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"


def cell(record: Record) -> frozenset[tuple[str, str]]:
    """What a run shares with those that differ from it in draw and seed only."""
    settings = record["config"].items()
    return frozenset((k, str(v)) for k, v in settings if bears_on_result(k) and k not in ("draw", "seed"))


def comparison(records: Sequence[Record]) -> str:
    """A table of several runs, best first: the settings in which they differ, and what came out."""
    keys = [key for key in records[0]["config"] if len({str(r["config"].get(key)) for r in records}) > 1]
    contents = tuple(f"{key}." for key in ("model", "geometry", "data") if key in keys)  # follow from their preset
    keys = [key for key in keys if bears_on_result(key) and not key.startswith(contents)] or ["model"]
    columns = [*keys, "test", "per class", "training", "parameters", "seconds"]
    best_first = sorted(records, key=lambda r: -r["metrics"]["test_mean_class_accuracy"])
    rows = [
        [
            *(listing([r["config"].get(key)]) for key in keys),
            f"{r['metrics']['test_accuracy']:.2%}",
            f"{r['metrics']['test_mean_class_accuracy']:.2%}",
            f"{r['metrics']['train_accuracy']:.2%}",
            f"{r['parameters']:,}",
            f"{sum(r['seconds'].values()):.1f}",
        ]
        for r in best_first
    ]
    widths = [max(len(row[i]) for row in [columns, *rows]) for i in range(len(columns))]
    return "\n".join(
        "  ".join(f"{text:<{w}}" for text, w in zip(row, widths, strict=True)).rstrip() for row in [columns, *rows]
    )
