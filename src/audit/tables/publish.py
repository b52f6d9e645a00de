"""What a folder below ``results/`` holds besides its records; all of it is made from them and can be made again."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from audit.tables import plot, tables
from audit.tables.layout import MOST, foremost
from audit.tables.results import Experiment
from multistage.storage import durable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURE = "table.png"


def texts(experiment: Experiment) -> dict[str, str]:
    """The content of every text file made from records, by file name.

    Raises:
        MultistageError: Records that must not be compared.
    """
    return {"table.csv": tables.to_csv(experiment), "table.md": tables.to_markdown(experiment)}


def publish(experiment: Experiment, redraw: bool = False) -> list[Path]:
    """Make every file of a folder of results from its records.

    Args:
        experiment: The folder.
        redraw: Draw the picture even if the one there was drawn from these records.

    Returns:
        The files that changed.

    Raises:
        MultistageError: Records that must not be compared; nothing is written.
    """
    folder, contents = experiment.folder, texts(experiment)
    changed = [folder / name for name, text in contents.items() if durable.update(folder / name, text.encode())]
    draw = partial(_draw, experiment)
    drawn = plot.renew(folder / PICTURE, experiment.records, "".join(contents.values()), draw, redraw)
    return [*changed, drawn] if drawn else changed


def _draw(experiment: Experiment) -> "Figure":
    protocols = {name for table in experiment.tables for name in table.protocols}
    chosen = foremost(experiment.cells, MOST if len(protocols) <= plot.SYMBOLS else plot.SYMBOLS)
    left = f": {len(chosen)} of {len(experiment.cells)} variants" if len(chosen) < len(experiment.cells) else ""
    shown = [table.only(chosen) for table in experiment.tables]
    return plot.draw(experiment.name + left, [table for table in shown if table.cells])
