"""How tables and pages say numbers, counts and machines."""

from collections.abc import Sequence

from multistage.records.runs import Record


def duration(seconds: float) -> str:
    """Seconds in the unit in which people say them: 0.31 s, 12 s, 4.2 min, 1.3 h."""
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 9.95 else f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def count(number: int, thing: str) -> str:
    """1 run, 2 runs, 1,000 runs."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def listed(words: Sequence[str]) -> str:
    """a, b and c."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def kind_of_filters(filters: str) -> str:
    """By method: random filters, filters learned without labels, Gabor filters; others by its name."""
    return {"psd": "filters learned without labels", "gabor": "Gabor filters"}.get(filters, f"{filters} filters")


def not_run(experiment: str) -> str:
    """What stands where figures will be: the command that makes them."""
    return f"Not run yet; `python train.py experiment={experiment}` runs it, and the same command again goes on."


def machine(record: Record) -> str:
    """What a run was done on, as far as its record says it."""
    part = "processor" if record["device"] == "cpu" else "gpu"
    processor = record.get("hardware", {}).get(part) or f"an unnamed {part}"
    threads = [count(record["threads"], "thread")] if "threads" in record else []
    said = ", ".join([*threads, *filter(None, [record.get("precision")])])
    return f"{processor} ({said})" if said else processor
