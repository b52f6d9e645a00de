"""Functions that ``results/robustness/README.template.md`` calls, and its picture."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from audit.robustness import measures
from audit.tables.curves import Panel, draw
from audit.tables.kept import LIGHT
from audit.tables.plot import renew
from audit.tables.results import Results
from audit.tables.tables import emphasised, plus_minus, rows, signed
from audit.tables.words import not_run
from multistage.data.corruptions import CORRUPTIONS
from multistage.records.cells import Cell
from multistage.registry.errors import MultistageError

FOLDER, PICTURE = "robustness", "robustness.png"
NOT_RUN = not_run(FOLDER)


class Page:
    """Tables of the page.

    Args:
        results: All published results.

    Raises:
        MultistageError: Two networks that the page would give one name.
    """

    def __init__(self, results: Results) -> None:
        self.folder = results.root / FOLDER
        self.records, paper = results.records(FOLDER), results.paper
        cells = results.experiments[FOLDER].cells if self.records else ()
        columns = [entry for entry in paper if entry["table"] == 1]
        self.cells: dict[str, Cell] = {}
        for cell in cells:
            name = measures.name(cell, columns)
            if self.cells.setdefault(name, cell) is not cell:
                raise MultistageError(
                    f"results/{FOLDER}: {self.cells[name].title} and {cell.title} are both {name} there; expected one"
                )
        self.changes = measures.with_and_without(cells)
        self._name = {cell: name for name, cell in self.cells.items()}

    def functions(self) -> dict[str, Callable[[], str]]:
        """Return the template's functions by name."""
        return {
            "robustness_answer": self.answer,
            "robustness_corruptions": self.corruptions,
            "robustness_networks": self.networks,
            "robustness_gains": self.gains,
            "robustness_curves": self.curves,
        }

    def curves(self) -> str:
        """Markdown: the picture, if there are results to draw."""
        return f"![Accuracy of each network against the strength of each corruption]({PICTURE})" if self.cells else ""

    def answer(self) -> str:
        """Markdown: for each corruption of light, in how many pairs of networks N keeps more, beyond chance."""
        lines = []
        for name in LIGHT if self.changes else ():
            found = [measures.gain(change, name) for change in self.changes]
            more = sum(gain.interval is not None and gain.interval[0] > 0 for gain in found)
            low, high = (signed(choose(gain.value for gain in found)) for choose in (min, max))
            lines.append([name, f"{more} of {len(found)}", f"{low} to {high}"])
        heads = ["corruption", "pairs of networks in which N keeps more, beyond chance", "difference, points"]
        return rows(heads, lines) if lines else NOT_RUN

    def corruptions(self) -> str:
        """Markdown: each corruption with its five strengths."""
        lines = [
            [f"{name}: {each.says}", " ".join(f"{amount:.3g}" for amount in each.amounts), each.of_imagenet_c]
            for name, each in CORRUPTIONS.items()
        ]
        return rows(["corruption", "strengths 1 to 5", "in ImageNet-C"], lines)

    def networks(self) -> str:
        """Markdown: one row per network, with its clean accuracy and the fraction kept under each corruption."""
        lines = [
            [name, cell.n, plus_minus(cell), *(plus_minus(measures.share(cell, each)) for each in CORRUPTIONS)]
            for name, cell in self.cells.items()
        ]
        return rows(["network", "draws", "accuracy, clean", *CORRUPTIONS], lines) if lines else NOT_RUN

    def gains(self) -> str:
        """Markdown: one row per pair of networks, with the difference of the fraction kept, with N minus without."""
        lines = [
            [
                self._name[change.after],
                self._name[change.before],
                change.difference.n,
                *(emphasised(measures.gain(change, each)) for each in CORRUPTIONS),
            ]
            for change in self.changes
        ]
        return rows(["with N", "without", "draws", *CORRUPTIONS], lines) if lines else NOT_RUN

    def picture(self, redraw: bool = False) -> Path | None:
        """Draw the picture if its records changed since it was drawn.

        Returns:
            Its path if it was drawn.
        """
        if not self.cells:
            return None
        strengths = {float(n): str(n) for n in range(6)}
        panels = [
            Panel(name, "strength", {each: measures.curve(c, name) for each, c in self.cells.items()}, strengths)
            for name in CORRUPTIONS
        ]
        title, y = "robustness: frozen networks on corrupted images", "accuracy, %, mean over classes and draws"
        return renew(self.folder / PICTURE, self.records, self.networks(), partial(draw, title, y, panels), redraw)
