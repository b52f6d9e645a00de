"""Tables of docs/layer.md: the layer against common implementations, and the cost of its options."""

from collections.abc import Sequence

from audit.speed.layer import PEAK
from audit.speed.measurement import BOTH, FORWARD
from audit.speed.table import DEVICES, LARGE, NOT_MEASURED, Case, by_part, cases, origin, ratio_of
from audit.tables.tables import rows
from multistage.records.runs import Record

WRITTEN = (
    ("dense convolutions over all maps", "layer", "dense", ""),
    ("the formula in torch's operations, gradient by autograd", "layer", "definition", ""),
    ("Torch7's two modules, ported (another formula)", "layer", "torch7", ""),
    ("`nn.Unfold`, box 9 x 9", "options", "unfolded", " box"),
    ("dense convolutions, one map after the other", "options", "loop over maps", " each map"),
)
"""Common implementations: description, the part that measures it, its form there, and its cases."""


def page(records: Sequence[Record]) -> str:
    """Markdown: a section for each device with measurements."""
    measured = by_part(records)
    sections = []
    for device, name in DEVICES.items():
        parts = {part: record for (part, where), record in measured.items() if where == device}
        texts = [make(parts) for make in (beside, options, windows)]
        if any(texts):
            sections += [f"On {name}:", origins(parts), *filter(None, texts)]
    return "\n\n".join(sections) or NOT_MEASURED


def origins(parts: dict[str, Record]) -> str:
    """List when and where parts were measured, by their names in `scripts/benchmark.py`."""
    found: dict[str, list[str]] = {}
    for part in ("layer", "memory", "options", "window"):
        if part in parts:
            found.setdefault(origin(parts[part]).rstrip("."), []).append(part)
    return "\n".join(f"- {', '.join(names)}: {made}" for made, names in found.items())


def beside(parts: dict[str, Record]) -> str:
    """Tabulate time of both passes and memory of common implementations, relative to ours."""
    lines = []
    for words, part, form, what in WRITTEN:
        if part in parts:
            of_memory = parts.get("memory") if part == "layer" else parts[part]
            shapes = [name.partition("]")[0] + "]" for name in cases(parts[part]) if f"]{what} {FORWARD}" in name]
            shape = next(iter(shapes), LARGE)
            found = [_times(parts[part], f"{shape}{what} {passes}", form) for passes in (FORWARD, BOTH)]
            memory = "" if of_memory is None else _times(of_memory, f"{shape}{what} {PEAK}", form)
            lines.append([words, shape, *found, memory])
    header = ["what people write", "on", FORWARD, BOTH, "memory of a step"]
    return rows(header, lines, numbers=True) if lines else ""


def options(parts: dict[str, Record]) -> str:
    """Tabulate times with each option, relative to the default."""
    if "options" not in parts:
        return ""
    found = {name: case for name, case in cases(parts["options"]).items() if "with it" in case}
    shapes = list(dict.fromkeys(name.partition("]")[0] + "]" for name in found))
    names = list(dict.fromkeys(name.partition("] ")[2].removesuffix(BOTH).removesuffix(FORWARD) for name in found))
    ratio = ratio_of("with it", "default")
    columns = [(shape, passes) for shape in shapes for passes in (FORWARD, BOTH)]
    lines = [
        [f"`{name.strip()}`", *(_shown(ratio(found[f"{shape} {name}{passes}"])) for shape, passes in columns)]
        for name in names
    ]
    return rows(["option, beside the default", *map(" ".join, columns)], lines, numbers=True)


def windows(parts: dict[str, Record]) -> str:
    """Describe how the cost grows with the window, in a sentence for each pass."""
    if "window" not in parts:
        return ""
    sentences = []
    for name, case in cases(parts["window"]).items():
        first, *others = case
        shown = ", ".join(f"{other} takes {_shown(ratio_of(other, first)(case))}" for other in others)
        sentences.append(f"On {name}, {shown} the time of {first}.")
    return " ".join(sentences)


def _times(record: Record, name: str, form: str) -> str:
    case: Case = cases(record).get(name, {})
    return _shown(ratio_of(form, "ours")(case))


def _shown(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.1f} x" if ratio < 100 else f"{ratio:.0f} x"
