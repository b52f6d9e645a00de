"""Jinja templates whose figures come from records; cells are selected and subtracted as in claims.

``results/<name>/README.md`` is generated from ``README.template.md`` in the same folder. In ``README.md`` and
``DEVIATIONS.md``, an expression in a comment generates the text between it and ``<!-- end -->``. The evidence of a
claim is a template, too (`PaperFigures`).

    {{ table1("RR, sgd", ABS) }}                    mean ± half its interval; cells and presets as in `addresses`
    {{ table1(...) - table1(...) }}                 paired difference
    {{ table1(...) | training }}                    accuracy on training images
    {{ table1(...) | paper }}                       what the paper has, of cells and of differences
    {{ table1(...) | recorded("metrics.test_accuracy") }}    any number of the records, by its path, mean over runs
    {{ table1(...) | tried(table1_tests(...), "the authors' classifier") }}
                                                    the second cell's mean and what it is beyond the first's: a change
                                                    that was tried as the reason for the first one's miss, in words
    {{ missed("table1") }}                          a table of the cells that miss the paper by more than three points,
                                                    with all that was tried above it
    {{ turned("table1") }}                          a table of the columns that stand in another order than the paper's
    {{ effect(sigma=2) }}                           what one switch changes in experiment=deviations

`misses` says what of what was tried accounts for a miss.
"""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from traceback import extract_tb
from typing import Any

from jinja2 import Environment, StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2.meta import find_undeclared_variables

from audit.claims import misses
from audit.claims.cells import NAMED
from audit.claims.quantities import estimate, leaves, of_paper
from audit.tables.addresses import ABS, BOTH, N_MAX, NEITHER, Folder, Found, Less, N, Quantity, Wanted, cell, find
from audit.tables.layout import Placed
from audit.tables.tables import MINUS, plus_minus, signed
from multistage.records.cells import Cell, paired, pairs
from multistage.records.runs import Record
from multistage.registry.errors import MultistageError, one_line
from multistage.registry.words import nearest

TEMPLATE, TEXT = "README.template.md", "README.md"
HEADER = "<!-- Made from {template} and records by python scripts/report.py; do not edit. -->\n\n"
IN = "<template>"
"""Jinja's name of a template in tracebacks."""

PLACE = re.compile(r"<!-- (\{\{.*?\}\}) -->(\n?).*?<!-- end -->", re.DOTALL)

CHANGED = partial(Folder("deviations"), "RR, lbfgs", BOTH)
"""The cell whose settings are changed one at a time."""

PRESETS = {"BOTH": BOTH, "ABS": ABS, "N_MAX": N_MAX, "N": N, "NEITHER": NEITHER}
"""Presets by the names that claims use."""


class Figures:
    """Names that templates can use.

    Args:
        found: Published cells, as from `Results.joined`.
        published: The paper's figures.
    """

    def __init__(self, found: Found, published: Sequence[Record]) -> None:
        self.found, self.published = found, published
        # of the text that is being filled: the follow-up experiments, and whether they were listed
        self.tried_of: dict[Cell, dict[str, float | None]] = {}
        self.listed = False
        self.environment = Environment(undefined=StrictUndefined, finalize=self.shown, keep_trailing_newline=True)
        data = {name: {each.cell.config["data"] for each in places} for name, places in found.items()}
        folders = {name: Folder(name, *(sets if len(sets) == 1 else ())) for name, sets in data.items()} | NAMED
        filters = (self.training, self.paper, self.recorded, self.tried)
        functions = {"missed": self.missed, "turned": self.turned, "effect": self.effect}
        self.environment.filters = {each.__name__: each for each in filters}
        self.environment.globals = {**functions, **PRESETS, **folders}

    def fill(self, template: str, source: object, **more: Any) -> str:
        """Fill a template with figures.

        Args:
            template: Text.
            source: Its name, for messages.
            **more: Additional names that it can use.

        Raises:
            MultistageError: A name is unknown; one line with the template's name and line number.
        """
        self.tried_of, self.listed = {}, False
        names = {**self.environment.globals, **more}
        try:
            for unknown in sorted(find_undeclared_variables(self.environment.parse(template)) - names.keys()):
                raise MultistageError(f"{source}: {unknown} is not known{nearest(unknown, names)}")
            return self.environment.from_string(template).render(more)
        except TemplateSyntaxError as error:
            known = ", ".join(self.environment.filters)
            raise MultistageError(f"{source}, line {error.lineno}: {error.message} Filters: {known}") from None
        except (LookupError, TypeError, TemplateError) as error:
            lines = [f", line {frame.lineno}" for frame in extract_tb(error.__traceback__) if frame.filename == IN]
            raise MultistageError(f"{source}{''.join(lines[:1])}: {one_line(error)}") from None

    def refill(self, text: str, source: object, **more: Any) -> str:
        """Regenerate the parts of a text between an expression in a comment and the comment "end".

        Args:
            text: The text.
            source: Its name, for messages.
            **more: Additional names that it can use.
        """

        def again(place: re.Match[str]) -> str:
            expression, line = place.groups()
            return f"<!-- {expression} -->{line}{self.fill(expression, source, **more)}{line}<!-- end -->"

        return PLACE.sub(again, text)

    def shown(self, value: Any) -> Any:
        """Format a cell or a difference for the text."""
        if isinstance(value, Wanted):
            return plus_minus(self.cell(value))
        return self._difference(value) if isinstance(value, Less) else value

    def cell(self, wanted: Wanted) -> Cell:
        """Find a cell."""
        return cell(wanted, self.found)

    def training(self, wanted: Wanted) -> str:
        """Format accuracy on training images, one decimal."""
        return f"{self.cell(wanted).training:.1f}"

    def paper(self, quantity: Quantity) -> str:
        """Format the paper's figure: of a cell as printed, of a difference with its sign, one decimal."""
        value = of_paper(quantity, self.published)
        entry = quantity.paper(self.published) if isinstance(quantity, Wanted) else None
        return f"{value:+.1f}".replace("-", MINUS) if entry is None else str(entry.get("printed", entry["value"]))

    def recorded(self, wanted: Wanted, path: str, percent: bool = False) -> str:
        """Format a number of the records by its path, mean over runs: four significant digits, or a fraction in %."""
        values = []
        for record in self.cell(wanted).records:
            value: Any = record
            for step in path.split("."):
                try:
                    value = value[int(step) if isinstance(value, list) else step]
                except (LookupError, TypeError, ValueError):
                    raise LookupError(
                        f"{path} is in no record; expected a path such as metrics.test_accuracy"
                    ) from None
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise LookupError(f"{path} is not a number; expected the path of a number")
            values.append(float(value))
        return f"{100 * fmean(values):.1f}" if percent else f"{fmean(values):.4g}"

    def tried(self, wanted: Wanted, other: Wanted, words: str) -> str:
        """Format the other cell and its difference from the first; `missed` lists it as a follow-up experiment."""
        if self.listed:
            raise LookupError(f"{words}: tried below the table of misses, which lacks it; move the table down")
        rests = self.tried_of.setdefault(self.cell(wanted), {})
        if words in rests:
            raise LookupError(f"says again what was tried: {words}")
        rests[words] = misses.rest(self.cell(wanted), self.cell(other))
        return f"{self.shown(other)} ({self._difference(other - wanted)})"

    def missed(self, name: str) -> str:
        """Markdown: the table of `misses.missed`."""
        self.listed = True
        return misses.missed(self._folder(name), self.tried_of)

    def turned(self, name: str) -> str:
        """Markdown: the table of `misses.turned`."""
        return misses.turned(self._folder(name))

    def effect(self, further: Mapping[str, Any] | None = None, **more: Any) -> str:
        """Format the effect of changed settings on the cell of `CHANGED`: points, paired by draw (number of draws)."""
        plain, changed = (find(wanted, self.found) for wanted in (CHANGED(), CHANGED(further, **more)))
        if plain is None or changed is None or not pairs(changed, plain):
            return "not run"
        difference = paired(changed, plain)
        return f"{signed(difference)} ({difference.n})"

    def _difference(self, quantity: Quantity) -> str:
        cells = {leaf: self.cell(leaf) for leaf in leaves(quantity) if isinstance(leaf, Wanted)}
        found = estimate(quantity, cells, {})
        if found.figure is None:
            raise LookupError(found.reason)
        return signed(found.figure)

    def _folder(self, name: str) -> Sequence[Placed]:
        if name not in self.found:
            raise LookupError(f"{name} is not a folder of results{nearest(name, self.found)}")
        return self.found[name]


class PaperFigures(Figures):
    """The paper's figures: in a claim's evidence, cells and differences are replaced by them.

    Args:
        published: The paper's figures.
    """

    def __init__(self, published: Sequence[Record]) -> None:
        super().__init__({}, published)

    def shown(self, value: Any) -> Any:
        """Format the paper's figure for a cell or a difference."""
        return self.paper(value) if isinstance(value, Quantity) else value


def readmes(results: Path, figures: Figures, **more: Any) -> dict[Path, str]:
    """Render every README that has a template below a folder of results.

    Args:
        results: The folder.
        figures: Names that templates can use.
        **more: Additional names.

    Raises:
        MultistageError: A template uses an unknown name; one line with the template's name.
    """
    return {
        template.with_name(TEXT): HEADER.format(template=template.name)
        + figures.fill(template.read_text(encoding="utf-8"), template, **more)
        for template in sorted(results.glob(f"*/{TEMPLATE}"))
    }
