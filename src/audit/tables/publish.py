"""What a folder below ``results/`` holds besides its records; all of it is made from them and can be made again."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from audit.tables import plot, tables
from audit.tables.layout import tables as layout
from multistage.records.cells import cells
from multistage.records.files import from_file, to_lines
from multistage.records.runs import Record
from multistage.storage import durable

RECORDS, PICTURE = "records.jsonl", "table.png"


def texts(name: str, records: Sequence[Record], published: Sequence[Record]) -> dict[str, str]:
    """The content of every text file made from records, by file name.

    Args:
        name: Of the folder of results.
        records: Of its runs.
        published: The paper's figures.

    Raises:
        MultistageError: Records that must not stand in one table.
    """
    found = cells(records, published)
    return {"table.csv": tables.to_csv(found, published), "table.md": tables.to_markdown(name, found, published)}


def metadata(records: Sequence[Record], contents: Mapping[str, str]) -> dict[str, str]:
    """What the picture of these records carries."""
    return plot.digests(to_lines(records), contents["table.csv"])


def publish(folder: Path, published: Sequence[Record], redraw: bool = False) -> list[Path]:
    """Make every file of a folder of results from its records.

    Args:
        folder: Holds ``records.jsonl``.
        published: The paper's figures.
        redraw: Draw the picture even if the one there was drawn from these records.

    Returns:
        The files that changed.

    Raises:
        MultistageError: Records that must not stand in one table; nothing is written.
    """
    records = from_file(folder / RECORDS)
    contents = texts(folder.name, records, published)
    changed = [folder / name for name, text in contents.items() if durable.update(folder / name, text.encode())]
    digests, path = metadata(records, contents), folder / PICTURE
    if redraw or plot.carried(path) != digests:
        plot.draw(folder.name, layout(cells(records, published), published), digests, path)
        changed.append(path)
    return changed
