"""One section of the lecture's page: an assertion, measurements, one paragraph, pictures and tables.

A section is a module that measures and draws, and a YAML file of the same name with all its words.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import Any

from torch import Tensor

from multistage.records.intervals import Measured, half_width, mean_of
from multistage.registry.errors import MultistageError

PLACE = re.compile(r"\{([a-z0-9_]+)(\.half)?(?::([^{}]*))?\}")

DEFINITION = re.compile(r"`[^`]*`|\b\d+x\d+\b|\b[A-Za-z]+-?\d+\b")
"""Places where a text may contain typed digits: between backticks (formulas, settings), sizes such as 9x9, names
such as Caltech-101."""

Figure = float | Sequence[float] | Tensor | Measured
"""A number; measurements (one per image or filter) whose mean is reported; or a value with its interval."""


@dataclass(frozen=True)
class Table:
    """A table of the page.

    Attributes:
        heads: Column headings.
        rows: Texts and numbers.
        form: Format of its numbers.
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[object]]
    form: str = ","

    @property
    def texts(self) -> list[list[str]]:
        """Return the rows as formatted texts."""
        return [[cell if isinstance(cell, str) else f"{cell:{self.form}}" for cell in row] for row in self.rows]

    @property
    def right(self) -> list[bool]:
        """Return for each column whether it holds numbers."""
        numbers = re.compile(r"[-+\N{MINUS SIGN}\d]|$")
        return [all(map(numbers.match, column)) for column in zip(*self.texts, strict=True)]


@dataclass(frozen=True)
class Found:
    """Results of a section's module, without words; keyed by the names that its words use.

    Attributes:
        figures: Numbers.
        pictures: PNG files.
        tables: Formatted tables.
        names: Texts that captions quote, such as the name of a run.
    """

    figures: Mapping[str, Figure]
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    """One assertion of the lecture: its words and its results.

    Args:
        claim: Its id in the ledger, such as ``lecture-04``.
        words: ``title``, ``text`` (a line a paragraph), captions of ``pictures`` and ``tables`` by name, and
            ``figures``: what each figure is, by name, as ``what [unit]``. Texts refer to measured numbers as ``{name}``
            or ``{name:.1f}`` (Python format), and to half the width of their interval as ``{name.half:.1f}``; other
            digits are rejected except where `DEFINITION` allows them. The description of a figure may name other
            figures. Text between backticks is shown as code.
        found: Results of the module.

    Raises:
        MultistageError: Words and results do not match, or a number was typed into a text.
    """

    claim: str
    words: Mapping[str, Any]
    found: Found

    def __post_init__(self) -> None:
        has = {
            "figures": self.found.figures.keys(),
            "pictures": self.found.pictures.keys(),
            "tables": self.found.tables.keys(),
        }
        for kind, names in has.items():
            if unpaired := names ^ self.words.get(kind, {}).keys():
                raise MultistageError(f"{self.claim}: {kind} and their words differ in {', '.join(sorted(unpaired))}")
        for text in self.texts:
            if typed := typed_numbers(text):
                raise MultistageError(
                    f"{self.claim}: {typed[0]!r} is typed into {text!r}; expected a {{name}} of measured"
                )

    @property
    def texts(self) -> list[str]:
        """Return title, text and captions, before figures are filled in."""
        captions = (self.words.get(kind, {}).values() for kind in ("pictures", "tables"))
        return [self.words["title"], self.words["text"], *chain.from_iterable(captions)]

    @property
    def pictures(self) -> dict[str, bytes]:
        """Return PNG files by file name, in the order of the words."""
        return {picture_file(self.claim, name): self.found.pictures[name] for name in self.words.get("pictures", {})}

    @property
    def paragraphs(self) -> list[str]:
        """Return the paragraphs of the text, before figures are filled in."""
        return self.words["text"].strip().split("\n")

    @cached_property
    def measured(self) -> dict[str, Measured]:
        """Return figures with their descriptions, in order; claims read them as ``<claim>.<name>``."""
        plain = {name: _measured(self.found.figures[name], what) for name, what in self.words["figures"].items()}
        return {name: replace(figure, what=filled(figure.what, plain)) for name, figure in plain.items()}

    def fill(self, text: str) -> str:
        """Fill a text of this section with its figures.

        Raises:
            MultistageError: The text names a figure that was not measured.
        """
        for name, value in self.found.names.items():
            text = text.replace(f"{{{name}}}", value)
        return filled(text, self.measured)


def picture_file(claim: str, name: str) -> str:
    """Return the file name of a section's picture."""
    return f"{claim}-{name}.png"


def _measured(figure: Figure, words: str) -> Measured:
    what, _, unit = words.removesuffix("]").partition(" [")
    match figure:
        case Measured():
            return replace(figure, what=what, unit=unit)
        case int() | float():
            return Measured(figure, what, unit)
        case Tensor():
            return mean_of(figure.tolist(), what, unit)
        case _:
            return mean_of(figure, what, unit)


def filled(text: str, measured: Mapping[str, Measured]) -> str:
    """Fill figures into the placeholders of a text.

    Raises:
        MultistageError: The text names a figure that was not measured, or the interval of one that has none.
    """

    def figure(place: re.Match[str]) -> str:
        name, half, form = place.groups()
        if name not in measured or (half and measured[name].interval is None):
            raise MultistageError(f"{place[0]} of {text!r} was not measured; measured: {', '.join(measured)}")
        found = measured[name]
        if half and found.interval is not None:
            found = replace(found, value=half_width(found.interval))
        return _shown(found, form or ".3g")

    return PLACE.sub(figure, text)


def _shown(measured: Measured, form: str) -> str:
    """Format a figure with its unit; values that round to zero have no minus sign."""
    unsigned = form if isinstance(measured.value, int) else re.sub(r"^\+?", r"\g<0>z", form)
    number = f"{measured.value:{unsigned}}"
    unit = f"\N{NO-BREAK SPACE}{measured.unit}" if measured.unit else ""
    return re.sub("^-", "\N{MINUS SIGN}", number) + unit


def typed_numbers(text: str) -> list[str]:
    """Return digits of a text that are neither in a placeholder nor part of a definition."""
    return re.findall(r"\d[\d.,]*", DEFINITION.sub("", PLACE.sub("", text)))
