"""Tables of results/speed, made of the records that scripts/benchmark.py writes there: a function of these alone."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from multistage.records.runs import Record
from multistage.registry.errors import MultistageError

START, END = "<!-- speed: python scripts/report.py -->", "<!-- end of speed -->"

PARTS = {
    "layer": "Local contrast normalisation, window 9",
    "memory": "Memory of local contrast normalisation",
    "stage": "Stages of the Caltech-101 network",
    "convolution": "Convolutions",
    "epoch": "A refined epoch of the two-stage Caltech-101 network",
    "frozen": "Frozen filters",
    "start": "From command to work",
    "overhead": "Lightning's Trainer beside a bare loop",
}
"""In the order in which they are shown."""

DEVICES = {"cpu": "CPU", "cuda": "CUDA"}

RATIOS = {
    "layer": (("dense", "ours"), ("compiled dense", "ours"), ("torch7", "ours")),
    "memory": (("dense", "ours"),),
    "stage": (("plain", "ours"),),
    "epoch": (("plain", "ours"),),
}
"""Of each part: times (or bytes) divided by others."""

COPIES = {"forward": 1.5, "forward + backward": 4.0}
"""The floor of the layer in copies of its input: a copy is two passes over memory, forward three, both eight."""

LARGE = "[8, 64, 135, 135]"


def read(folder: Path) -> list[Record]:
    """The records of a folder, in the order in which they are shown; none if there is no such folder.

    Raises:
        MultistageError: A file that is no such record.
    """
    found = []
    for path in folder.glob("*.json"):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            found.append((list(DEVICES).index(record["device"]), list(PARTS).index(record["part"]), record))
        except (ValueError, KeyError, TypeError):
            raise MultistageError(
                f"{path} is no record of speed; remove it, or run scripts/benchmark.py again"
            ) from None
    return [record for *_, record in sorted(found, key=lambda entry: entry[:2])]


def table(records: Sequence[Record]) -> str:
    """Markdown: each record with what it was measured on."""
    lines = [
        "# Speed",
        "",
        "Made by `python scripts/report.py` from the records beside it, which `python scripts/benchmark.py` writes.",
        "Within a record everything was measured in turns, in one run: compare within tables. Times are medians,",
        "with half the distance between quartiles. The floor of contrast normalisation is 1.5 copies of its input",
        "forward, 4 copies forward and backward.",
    ]
    for record in records:
        header, rows = wide(record)
        lines += ["", f"## {PARTS[record['part']]}: {DEVICES[record['device']]}", "", _origin(record), ""]
        lines += [f"| {' | '.join(header)} |", f"| --- |{' ---: |' * (len(header) - 1)}"]
        lines += [f"| {' | '.join(row)} |" for row in rows]
        if record["notes"]:
            lines += ["", *(f"* {note}." for note in record["notes"])]
    return "\n".join(lines) + "\n"


def wide(record: Record) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a record's table: a case a row, a form a column, then ratios."""
    forms = list(dict.fromkeys(row["form"] for row in record["rows"]))
    cases: dict[str, dict[str, Any]] = {}
    for row in record["rows"]:
        cases.setdefault(row["case"], {})[row["form"]] = row
    ratios = [(f"{above} / {below}", _ratio(above, below)) for above, below in RATIOS.get(record["part"], ())]
    ratios = [(name, ratio) for name, ratio in ratios if any(ratio(case) is not None for case in cases.values())]
    if record["part"] == "layer":
        ratios.append(("ours / floor", floors))
    header = ["", *forms, *(name for name, _ in ratios)]
    rows = []
    for name, case in cases.items():
        cells = [cell(case[form]) if form in case else "" for form in forms]
        values = [ratio(case) for _, ratio in ratios]
        rows.append([name, *cells, *("" if value is None else f"{value:.2f}" for value in values)])
    return header, rows


def _ratio(above: str, below: str) -> Callable[[dict[str, Any]], float | None]:
    def ratio(case: dict[str, Any]) -> float | None:
        if above not in case or below not in case or not case[below]["value"]:
            return None
        return float(case[above]["value"] / case[below]["value"])

    return ratio


def floors(case: dict[str, Any]) -> float | None:
    """Time of ours in units of the least that its passes over memory take, measured by copies."""
    if "ours" not in case or "copy" not in case:
        return None
    copies = COPIES[case["ours"]["passes"]]
    return float(case["ours"]["value"] / (copies * case["copy"]["value"]))


def cell(row: dict[str, Any]) -> str:
    """A value with its unit, and its spread if it has one."""
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


def _origin(record: Record) -> str:
    hardware, versions = record["hardware"], record["versions"]
    where = hardware["gpu"] if record["device"] == "cuda" else f"{hardware['processor']}, {record['threads']} threads"
    commit = f"{(record['commit'] or 'unknown')[:10]}{' and changes' if record['dirty'] else ''}"
    quick = "**Quick: only that it works, no measurement.** " if record["quick"] else ""
    tf32 = "with TF32" if record["tf32"] else "no TF32"
    return f"{quick}{where}; torch {versions['torch']}; {tf32}; commit {commit}; {record['date'][:10]}."


def readme(records: Sequence[Record]) -> str:
    """README's table: ratios only, as absolute times belong to a machine."""
    measured = {(record["part"], record["device"]): record for record in records if not record["quick"]}
    devices = [device for device in DEVICES if any(key[1] == device for key in measured)]
    if not devices:
        return "Not measured yet; `python scripts/benchmark.py` does it."
    lines = [f"| | {' | '.join(DEVICES[device] for device in devices)} |", f"| --- |{' ---: |' * len(devices)}"]
    for label, part, value in FACTS:
        found = [value(measured[part, device]) if (part, device) in measured else None for device in devices]
        if any(text is not None for text in found):
            lines.append(f"| {label} | {' | '.join(text or '' for text in found)} |")
    return "\n".join(lines)


Fact = Callable[[Record], str | None]


def _times(part: str, case: str, above: str, below: str) -> Fact:
    """How many times one form takes what another does, in the case whose name begins so."""

    def value(record: Record) -> str | None:
        found = _cases(record, case)
        ratio = _ratio(above, below)(found[0]) if found else None
        return None if ratio is None else f"{ratio:.1f} x"

    return value


def _cases(record: Record, beginning: str = "") -> list[dict[str, Any]]:
    cases: dict[str, dict[str, Any]] = {}
    for row in record["rows"]:
        if row["case"].startswith(beginning):
            cases.setdefault(row["case"], {})[row["form"]] = row
    return list(cases.values())


def _floor(passes: str) -> Fact:
    def value(record: Record) -> str | None:
        found = _cases(record, f"{LARGE} {passes}")
        share = floors(found[0]) if found else None
        return None if share is None else f"{share:.1f} x"

    return value


def _least(record: Record) -> str | None:
    ratios = [ratio for case in _cases(record) if (ratio := _ratio("dense", "ours")(case)) is not None]
    return f"{min(ratios):.1f} x" if ratios else None


def _kept(record: Record) -> str | None:
    rows = [row for row in record["rows"] if row["unit"] == "of input" and row["form"] == "ours"]
    return f"{rows[0]['value']:.1%}" if rows else None


def _further(record: Record) -> str | None:
    together = {row["case"]: row for row in record["rows"] if row["form"] == "together"}
    first = [row["value"] for row in together.values() if row["order"] == "first"]
    further = [row["value"] for row in together.values() if row["order"] == "further"]
    return f"{first[0] / max(further):.0f} x" if first and further else None


def _overhead(record: Record) -> str | None:
    rows = [row for row in record["rows"] if row["unit"] == "overhead"]
    return f"{rows[0]['value']:+.1%}" if rows else None


FACTS: tuple[tuple[str, str, Fact], ...] = (
    (
        f"N on {LARGE}, forward: faster than the dense form by",
        "layer",
        _times("layer", f"{LARGE} forward", "dense", "ours"),
    ),
    (
        f"N on {LARGE}, forward and backward: faster than the dense form by",
        "layer",
        _times("layer", f"{LARGE} forward + backward", "dense", "ours"),
    ),
    ("the same at the least favourable shape of the grid", "layer", _least),
    ("N forward, in units of what reading and writing memory takes", "layer", _floor("forward")),
    ("N forward and backward, in the same units", "layer", _floor("forward + backward")),
    ("N keeps for its gradient, beyond input and output, of its input", "memory", _kept),
    (
        "first stage of Caltech-101: faster than the plain form by",
        "stage",
        _times("stage", "stage 1, whole", "plain", "ours"),
    ),
    ("second stage", "stage", _times("stage", "stage 2, whole", "plain", "ours")),
    (
        "refined training on Caltech-101: faster than the plain network by",
        "epoch",
        _times("epoch", "", "plain", "ours"),
    ),
    ("frozen filters: a further classifier or regulariser is faster than the first by", "frozen", _further),
    ("Lightning's Trainer beside a bare loop, an epoch of MNIST", "overhead", _overhead),
)
"""Label, part, figure."""
