"""One section of the lecture's page: what is asserted, what was measured, one paragraph, pictures and tables."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from multistage.records.intervals import Measured

PLACE = re.compile(r"\{([a-z0-9_]+)(?::([^{}]*))?\}")

DEFINITION = re.compile(r"`[^`]*`|\b\d+x\d+\b|\b[A-Za-z]+-?\d+\b")
"""Where a text may hold typed digits: between backticks (formulas, settings), sizes such as 9x9, names such as
Caltech-101."""


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


@dataclass(frozen=True)
class Table:
    """A table of the page: heads, rows of texts, and what stands above it."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""


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
        return PLACE.sub(lambda place: _shown(self.measured[place[1]], place[2] or ".3g"), text)


def _shown(measured: Measured, form: str) -> str:
    """A figure with its unit; what rounds to zero has no minus."""
    unsigned = form if isinstance(measured.value, int) else re.sub(r"^\+?", r"\g<0>z", form)
    number = f"{measured.value:{unsigned}}"
    unit = f"\N{NO-BREAK SPACE}{measured.unit}" if measured.unit else ""
    return re.sub("^-", "\N{MINUS SIGN}", number) + unit


def typed_numbers(text: str) -> list[str]:
    """Digits of a text that neither stand in a place nor belong to a definition."""
    return re.findall(r"\d[\d.,]*", DEFINITION.sub("", PLACE.sub("", text)))
