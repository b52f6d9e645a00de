"""One section of the lecture's page: what is asserted, what was measured, one paragraph, pictures and tables.

A section is a module, which measures and draws, and beside it a YAML file of the same name, which has all its words.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

from multistage.records.cells import Difference
from multistage.records.intervals import Measured, half_width, mean_of

PLACE = re.compile(r"\{([a-z0-9_]+)(?::([^{}]*))?\}")

DEFINITION = re.compile(r"`[^`]*`|\b\d+x\d+\b|\b[A-Za-z]+-?\d+\b")
"""Where a text may hold typed digits: between backticks (formulas, settings), sizes such as 9x9, names such as
Caltech-101."""

Figure = float | Sequence[float] | Tensor | Measured | Difference
"""A number; measurements, one an image or a filter, of which the mean is meant; or what has an interval already."""


@dataclass(frozen=True)
class Picture:
    """A picture of the page.

    Attributes:
        name: Stem of its file below ``results/lecture``.
        png: Its bytes.
        caption: What is seen, one or two sentences; may name figures as a section's text does.
    """

    name: str
    png: bytes
    caption: str

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, pixels."""
        width, height = (int.from_bytes(self.png[at : at + 4], "big") for at in (16, 20))
        return width, height


@dataclass(frozen=True)
class Table:
    """A table of the page.

    Attributes:
        heads: Of its columns.
        rows: Texts and numbers.
        form: How its numbers are written.
        caption: What stands above it.
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[object]]
    form: str = ","
    caption: str = ""

    @property
    def texts(self) -> list[list[str]]:
        """The rows as they are written."""
        return [[cell if isinstance(cell, str) else f"{cell:{self.form}}" for cell in row] for row in self.rows]

    @property
    def right(self) -> list[bool]:
        """Which columns hold numbers."""
        numbers = re.compile(r"[-\N{MINUS SIGN}\d]|$")
        return [all(map(numbers.match, column)) for column in zip(*self.texts, strict=True)]


@dataclass(frozen=True)
class Found:
    """What the module of a section measured and drew, without words; all by the names that its words have.

    Attributes:
        figures: Numbers.
        pictures: PNG.
        tables: Without captions.
        names: What no number is and captions name all the same, such as a run.
    """

    figures: Mapping[str, Figure]
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    """One assertion of the lecture.

    Attributes:
        claim: Its id in the ledger, such as ``lecture-04``.
        title: The assertion in a few words.
        text: One paragraph: what is shown, on what, and what was measured. Every number in it that was measured stands
            as ``{name}`` or ``{name:.1f}`` (a format of Python's) and comes from `measured`; other digits are refused
            outside of what `DEFINITION` allows. Text between backticks is shown as code.
        measured: By name, unique within the section; the ledger reads ``<claim>.<name>``.
        pictures: In order.
        tables: In order.

    Raises:
        ValueError: A number that was typed into a text.
    """

    claim: str
    title: str
    text: str
    measured: Mapping[str, Measured]
    pictures: Sequence[Picture] = field(default=())
    tables: Sequence[Table] = field(default=())

    def __post_init__(self) -> None:
        for text in self.texts:
            if typed := typed_numbers(text):
                raise ValueError(f"{self.claim}: {typed[0]!r} is typed into {text!r}; expected a {{name}} of measured")

    @property
    def texts(self) -> list[str]:
        """Title, text and captions, not filled."""
        return [self.title, self.text, *(p.caption for p in self.pictures), *(t.caption for t in self.tables)]

    def fill(self, text: str) -> str:
        """A text of this section with its figures.

        Raises:
            KeyError: It names what was not measured.
        """
        return filled(text, self.measured)


def join(claim: str, words: Mapping[str, Any], found: Found) -> Section:
    """Words and what was found, in the order of the words.

    Args:
        claim: Of the section.
        words: ``title``, ``text``, captions of ``pictures`` and ``tables`` by name, and ``figures``: by name what each
            is, as ``what [unit]``. Nothing behind ``<name>_half`` stands for half of the interval of ``<name>``, which
            texts put behind a plus-minus. What a figure is may name other figures.
        found: Of the module.

    Raises:
        ValueError: Words without what they are of, or the other way round; a number that was typed into a text.
    """
    derived = {name for name, what in words["figures"].items() if what is None}
    for kind, has in (("figures", {*found.figures, *derived}), ("pictures", found.pictures), ("tables", found.tables)):
        if unpaired := set(has) ^ set(words.get(kind, {})):
            raise ValueError(f"{claim}: {kind} and their words differ in {', '.join(sorted(unpaired))}")
    measured = {name: _measured(figure, words["figures"][name]) for name, figure in found.figures.items()}
    for name in derived:
        measured[name] = _half(measured[name.removesuffix("_half")])
    measured = {name: replace(measured[name], what=filled(measured[name].what, measured)) for name in words["figures"]}

    def caption(text: str) -> str:
        for name, value in found.names.items():
            text = text.replace(f"{{{name}}}", value)
        return text

    return Section(
        claim,
        words["title"],
        words["text"],
        measured,
        [Picture(f"{claim}-{name}", found.pictures[name], caption(c)) for name, c in words.get("pictures", {}).items()],
        [replace(found.tables[name], caption=caption(c)) for name, c in words.get("tables", {}).items()],
    )


def _measured(figure: Figure, words: str) -> Measured:
    what, _, unit = words.removesuffix("]").partition(" [")
    match figure:
        case Measured():
            return replace(figure, what=what, unit=unit)
        case Difference():
            return Measured(figure.mean, what, unit, figure.interval, figure.n)
        case int() | float():
            return Measured(figure, what, unit)
        case Tensor():
            return mean_of(figure.tolist(), what, unit)
        case _:
            return mean_of(figure, what, unit)


def _half(mean: Measured) -> Measured:
    assert mean.interval is not None
    return Measured(half_width(mean.interval), f"half of the interval of: {mean.what}", mean.unit)


def filled(text: str, measured: Mapping[str, Measured]) -> str:
    """A text with figures in its places."""
    return PLACE.sub(lambda place: _shown(measured[place[1]], place[2] or ".3g"), text)


def _shown(measured: Measured, form: str) -> str:
    """A figure with its unit; what rounds to zero has no minus."""
    unsigned = form if isinstance(measured.value, int) else re.sub(r"^\+?", r"\g<0>z", form)
    number = f"{measured.value:{unsigned}}"
    unit = f"\N{NO-BREAK SPACE}{measured.unit}" if measured.unit else ""
    return re.sub("^-", "\N{MINUS SIGN}", number) + unit


def typed_numbers(text: str) -> list[str]:
    """Digits of a text that neither stand in a place nor belong to a definition."""
    return re.findall(r"\d[\d.,]*", DEFINITION.sub("", PLACE.sub("", text)))
