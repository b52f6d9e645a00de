"""Tables of results/speed, generated only from the records that scripts/benchmark.py writes there."""

import json
from collections.abc import Callable, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

from audit.speed.measurement import BOTH, FORWARD
from audit.tables.tables import rows as markdown
from multistage.records.runs import Record
from multistage.registry.errors import MultistageError

PARTS = {
    "layer": "Local contrast normalisation, window 9",
    "memory": "Memory of local contrast normalisation",
    "options": "Options of local contrast normalisation",
    "window": "Windows of local contrast normalisation",
    "stage": "Stages of the Caltech-101 network",
    "convolution": "Convolutions",
    "epoch": "A refined epoch of the two-stage Caltech-101 network",
    "frozen": "Frozen filters",
    "start": "From command to work",
    "overhead": "Lightning's Trainer beside a bare loop",
}
"""In the order in which they are shown."""

DEVICES = {"cpu": "CPU", "cuda": "CUDA"}

COPIES = {FORWARD: 1.5, BOTH: 4.0}
"""Lower bound of the layer's time in copies of its input: a copy is two memory passes, forward three, both eight."""

Case = dict[str, dict[str, Any]]
"""Rows of a case, by form."""

Ratio = Callable[[Case], float | None]
"""Compute a ratio from a case's rows; None if a row is missing."""


def ratio_of(above: str, below: str) -> Ratio:
    """Return the ratio of times (or bytes) of one form to another."""

    def ratio(case: Case) -> float | None:
        if above not in case or below not in case or not case[below]["value"]:
            return None
        return float(case[above]["value"] / case[below]["value"])

    return ratio


def _floors(case: Case) -> float | None:
    """Return the time of ours relative to the lower bound of its passes over memory, measured by copies."""
    copies = ratio_of("ours", "copy")(case)
    return None if copies is None else copies / COPIES[case["ours"]["passes"]]


DENSE, PLAIN = ratio_of("dense", "ours"), ratio_of("plain", "ours")

RATIOS: dict[str, dict[str, Ratio]] = {
    "layer": {
        "dense / ours": DENSE,
        "compiled dense / ours": ratio_of("compiled dense", "ours"),
        "torch7 / ours": ratio_of("torch7", "ours"),
        "ours / floor": _floors,
    },
    "memory": {"dense / ours": DENSE},
    "options": {
        "with it / default": ratio_of("with it", "default"),
        "unfolded / ours": ratio_of("unfolded", "ours"),
        "loop over maps / ours": ratio_of("loop over maps", "ours"),
    },
    "window": {
        "window 101 / 9": ratio_of("window 101", "window 9"),
        "window 301 / 9": ratio_of("window 301", "window 9"),
    },
    "stage": {"plain / ours": PLAIN},
    "epoch": {"plain / ours": PLAIN},
}
"""Ratio columns of each part, shown if any case has them."""

LARGE = "[8, 64, 135, 135]"

NOT_MEASURED = "Not measured yet; run `python scripts/benchmark.py`."


def read(folder: Path) -> list[Record]:
    """Read the records of a folder, in the order in which they are shown; empty if there is no such folder.

    Raises:
        MultistageError: A file is not such a record.
    """
    found = []
    for path in folder.glob("*.json"):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            found.append((list(DEVICES).index(record["device"]), list(PARTS).index(record["part"]), record))
        except (ValueError, KeyError, TypeError):
            raise MultistageError(
                f"{path} is not a record of speed; remove it, or run scripts/benchmark.py again"
            ) from None
    return [record for *_, record in sorted(found, key=lambda entry: entry[:2])]


def table(records: Sequence[Record]) -> str:
    """Markdown: each record with its hardware and versions."""
    lines = [
        "# Speed",
        "",
        "Made by `python scripts/report.py` from the records beside it, which `python scripts/benchmark.py` writes.",
        "Within a record everything was measured in turns, in one run: compare within tables. Times are medians,",
        "with half the distance between quartiles. The floor of contrast normalisation is 1.5 copies of its input",
        "forward, 4 copies forward and backward.",
    ]
    for record in records:
        lines += ["", f"## {PARTS[record['part']]}: {DEVICES[record['device']]}", "", origin(record), ""]
        lines.append(markdown(*wide(record), numbers=True))
        if record["notes"]:
            lines += ["", *(f"* {note}." for note in record["notes"])]
    return "\n".join(lines) + "\n"


def wide(record: Record) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of a record's table: one row per case, one column per form, then ratios."""
    forms = list(dict.fromkeys(row["form"] for row in record["rows"]))
    found = cases(record)
    ratios = {
        name: ratio
        for name, ratio in RATIOS.get(record["part"], {}).items()
        if any(ratio(case) is not None for case in found.values())
    }
    rows = []
    for name, case in found.items():
        values = [ratio(case) for ratio in ratios.values()]
        shown = ["" if value is None else f"{value:.2f}" for value in values]
        rows.append([name, *(with_unit(case[form]) if form in case else "" for form in forms), *shown])
    return ["", *forms, *ratios], rows


def cases(record: Record, beginning: str = "") -> dict[str, Case]:
    """Group the rows of a record by case, optionally only cases whose name begins with a prefix."""
    found: dict[str, Case] = {}
    for row in record["rows"]:
        if row["case"].startswith(beginning):
            found.setdefault(row["case"], {})[row["form"]] = row
    return found


def with_unit(row: dict[str, Any]) -> str:
    """Format a value with its unit, and its spread if it has one."""
    value, unit = row["value"], row["unit"]
    if unit == "s":
        text = _time(value)
        return f"{text} ±{row['spread']:.0%}" if row.get("n", 1) > 1 else text
    if unit == "bytes":
        return f"{value / 2**20:,.0f} MiB"
    if unit == "overhead":
        return f"{value:+.1%}"
    return f"{value:.3g}" if unit == "of input" else f"{value:,.1f} {unit}"


def _time(seconds: float) -> str:
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} µs"
    return f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def origin(record: Record) -> str:
    """Describe the hardware, versions and date of a record."""
    hardware, versions = record["hardware"], record["versions"]
    where = hardware["gpu"] if record["device"] == "cuda" else f"{hardware['processor']}, {record['threads']} threads"
    commit = f"{(record['commit'] or 'unknown')[:10]}{' and changes' if record['dirty'] else ''}"
    quick = "**Quick: checks that it works; not a measurement.** " if record["quick"] else ""
    tf32 = "with TF32" if record["tf32"] else "no TF32"
    return f"{quick}{where}; torch {versions['torch']}; {tf32}; commit {commit}; {record['date'][:10]}."


def by_part(records: Sequence[Record]) -> dict[tuple[str, str], Record]:
    """Index records by part and device, without quick ones."""
    return {(record["part"], record["device"]): record for record in records if not record["quick"]}


def readme(records: Sequence[Record]) -> str:
    """Render the table of docs/speed.md: ratios only, because absolute times depend on the machine."""
    measured = by_part(records)
    devices = [device for device in DEVICES if any(key[1] == device for key in measured)]
    if not devices:
        return NOT_MEASURED
    rows = []
    for label, part, value in FACTS:
        found = [value(measured[part, device]) if (part, device) in measured else None for device in devices]
        if any(text is not None for text in found):
            rows.append([label, *(text or "" for text in found)])
    text = markdown(["", *(DEVICES[device] for device in devices)], rows, numbers=True)
    return text.replace("|  |", "| |", 1)  # the page has an empty header


Fact = Callable[[Record], str | None]


def _times(ratio: Ratio, beginning: str = "", choose: Callable[[list[float]], float] = itemgetter(0)) -> Fact:
    """Return a ratio of the first case (or another choice) among cases whose name begins with a prefix."""

    def value(record: Record) -> str | None:
        found = [value for case in cases(record, beginning).values() if (value := ratio(case)) is not None]
        return f"{choose(found):.1f} x" if found else None

    return value


def _first(unit: str, form: str, shown: str) -> Fact:
    """Return the first figure of a form in a unit."""

    def value(record: Record) -> str | None:
        values = [row["value"] for row in record["rows"] if row["unit"] == unit and row["form"] == form]
        return shown.format(values[0]) if values else None

    return value


def _further(record: Record) -> str | None:
    together = [row for row in record["rows"] if row["form"] == "together"]
    first, further = ([row["value"] for row in together if row["order"] == order] for order in ("first", "further"))
    return f"{first[0] / max(further):.0f} x" if first and further else None


FACTS: tuple[tuple[str, str, Fact], ...] = (
    (f"N on {LARGE}, forward: speed-up over dense convolutions", "layer", _times(DENSE, f"{LARGE} {FORWARD}")),
    (
        f"N on {LARGE}, forward and backward: speed-up over dense convolutions",
        "layer",
        _times(DENSE, f"{LARGE} {BOTH}"),
    ),
    ("the same at the least favourable shape of the grid", "layer", _times(DENSE, choose=min)),
    (
        "time of N forward, relative to only reading and writing its memory",
        "layer",
        _times(_floors, f"{LARGE} {FORWARD}"),
    ),
    ("time of N forward and backward, relative to the same", "layer", _times(_floors, f"{LARGE} {BOTH}")),
    (
        "memory that N keeps for its gradient, besides input and output, as a share of its input",
        "memory",
        _first("of input", "ours", "{:.1%}"),
    ),
    ("first stage of Caltech-101: speed-up over the plain form", "stage", _times(PLAIN, "stage 1, whole")),
    ("second stage: the same", "stage", _times(PLAIN, "stage 2, whole")),
    ("fine-tuning on Caltech-101: speed-up over the plain network", "epoch", _times(PLAIN)),
    ("frozen filters: speed-up of a further classifier or regulariser over the first", "frozen", _further),
    (
        "time that Lightning's Trainer adds to a bare loop, an epoch of MNIST",
        "overhead",
        _first("overhead", "overhead", "{:+.1%}"),
    ),
)
"""Label, part, figure."""
