"""List the image files of a folder or a list, with the class of each; nothing is decoded.

root/CLASS/**/*.jpg                               draws choose training and test images
root/train/CLASS/**, with root/test or root/val   the official split (also Train, training, testing, ...)
list.csv: columns file and label, perhaps split   files relative to the list's folder
"""

import csv
import os
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from multistage.data import data_sets
from multistage.registry.errors import DataError
from multistage.registry.words import can_be_shown
from multistage.registry.words import listing as words

PARTS = {
    **{"train": "train", "training": "train"},
    **{"val": "validation", "valid": "validation", "validation": "validation"},
    **{"test": "test", "testing": "test"},
}
"""Names of the parts of an official split, in any case."""

FILE, LABEL, PART = ("file", "path", "filename", "image"), ("label", "class"), ("split", "part", "set")
"""Accepted names of a list's columns."""

SYSTEM = ("thumbs.db", "desktop.ini")
"""Files of file managers that are not hidden by their names, in lower case."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An image file.

    Attributes:
        name: The same on every machine.
        path: Its path.
        label: Name of its class.
        part: train, validation or test; "" if draws decide.
    """

    name: str
    path: str
    label: str
    part: str = ""


def read(root: Path) -> tuple[list[Listed], tuple[str, ...]]:
    """Return the images of a folder or a list, sorted by name, and remarks, one sentence each.

    Raises:
        DataError: Not a folder or list, the folder of all data sets, a folder that cannot be read, a folder linked into
            two classes, a broken link, a class without images, fewer than two classes, an unprintable name.
    """
    notes: tuple[str, ...] = ()
    if root.is_file() and root.suffix.lower() == ".csv":
        found = _listed(root)
    elif root.is_dir():
        _refuse_data_sets(root)
        found, notes = _folders(root)
    else:
        raise DataError(
            f"data.root={root} is not a folder; expected a folder of class folders of images, or a list, a .csv file"
        )
    if len({image.label for image in found}) < 2:
        advice = "list images of another" if root.is_file() else "if it is one class, give the folder above"
        raise DataError(f"data.root={root} has images of fewer than two classes; {advice}")
    for image in found:
        if not can_be_shown(image.name + image.label):  # not Unicode, or with line breaks
            raise DataError(f"{image.path!r} has characters in its name that cannot be shown; rename it")
    return sorted(found, key=lambda image: image.name), notes


def _refuse_data_sets(root: Path) -> None:
    """Refuse the folder of downloaded data sets, the default, whose sets are no classes and take minutes to list."""
    folders = [data.folder for data in data_sets.values() if data.folder]
    if sets := [Path(folder).parts[0] for folder in folders if (root / folder).is_dir()]:
        raise DataError(
            f"data.root={root} is the folder of all data sets ({', '.join(sets)}); give the folder of your own images, "
            "as in data.root=PATH"
        )


def _folders(root: Path) -> tuple[list[Listed], tuple[str, ...]]:
    inside, loose = _entries(root)
    official = {name: PARTS[name.lower()] for name in inside if name.lower() in PARTS}
    notes = []
    seen: dict[str, str] = {}
    if "train" in official.values() and len(set(official.values())) > 1:
        found = []
        for name, part in official.items():
            labels, more = _entries(root / name)
            loose += [f"{name}/{file}" for file in more]
            for label in labels:
                found += [
                    Listed(f"{name}/{file}", path, label, part) for file, path in _below(root / name, label, seen)
                ]
        if "test" not in official.values():
            found = _tested_on_validation(found)
        if others := sorted(set(inside) - set(official)):
            notes.append(f"folders next to train are left out: {words(others)}")
    else:
        found = [Listed(name, path, label) for label in inside for name, path in _below(root, label, seen)]
    if nowhere := [name for name in loose if not (root / name).exists()]:  # for example, a folder that is not mounted
        raise DataError(f"{root / nowhere[0]} is a broken link; repair or remove it")
    if loose:
        notes.insert(0, f"{len(loose)} files outside class folders are left out")
    return found, tuple(notes)


def _tested_on_validation(found: list[Listed]) -> list[Listed]:
    """Use validation images as test images if there are no test images."""
    return [replace(image, part="test") if image.part == "validation" else image for image in found]


def _below(root: Path, label: str, seen: dict[str, str]) -> list[tuple[str, str]]:
    """Return `files_below` a class folder.

    Raises:
        DataError: There is no image; or as for `files_below`.
    """
    found = files_below(root, label, seen)
    if not found:
        raise DataError(f"class folder {root / label} holds no images; add some, or remove it")
    return found


def files_below(root: Path, start: str, seen: dict[str, str]) -> list[tuple[str, str]]:
    """Return name and path of every file below a folder, including nested folders and links, without hidden ones.

    Args:
        root: Parent of the folder; names are relative to it.
        start: The folder's name.
        seen: For each folder that was read, where reading started; updated.

    Raises:
        DataError: A folder cannot be read, or was already read from another start.
    """
    found: list[tuple[str, str]] = []
    waiting = [start]
    while waiting:
        below = waiting.pop()
        folder = root / below
        real, here = os.path.realpath(folder), str(root / start)
        if (first := seen.get(real)) is None:  # a link may form a loop
            seen[real] = here
            folders, files = _entries(folder)
            waiting += [f"{below}/{name}" for name in folders]
            found += [(f"{below}/{name}", os.path.join(folder, name)) for name in files]  # noqa: PTH118  a path an image
        elif first != here:
            raise DataError(f"by a link, {first} and {here} share the images of {real}; remove the link")
    return found


def _entries(folder: Path) -> tuple[list[str], list[str]]:
    """Return the names of folders and of other entries in a folder, sorted, without hidden ones and `SYSTEM`."""
    try:
        with os.scandir(folder) as entries:
            shown = [
                (entry.name, entry.is_dir())
                for entry in entries
                if not entry.name.startswith(".") and entry.name.lower() not in SYSTEM
            ]
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}") from None
    return sorted(name for name, is_dir in shown if is_dir), sorted(name for name, is_dir in shown if not is_dir)


def _listed(file: Path) -> list[Listed]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines)
            header, rows = reader.fieldnames or (), [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file} cannot be read as a list: {error}") from None
    columns = {column.strip().lower(): column for column in header if column}

    def column(names: tuple[str, ...]) -> str | None:
        return next((columns[name] for name in names if name in columns), None)

    path, label, part = column(FILE), column(LABEL), column(PART)
    if path is None or label is None:
        raise DataError(f"{file} has the columns {words(columns) or 'none'}; expected file and label, perhaps split")
    if not rows:
        raise DataError(f"{file} lists no images")
    found = []
    for number, row in rows:
        named, called = ((row[key] or "").strip() for key in (path, label))
        said = (row[part] or "").strip().lower() if part else ""
        if not named or not called or (part and said not in PARTS):
            expected = f", and a split of {words(PARTS)}" if part else ""
            raise DataError(f"{file}, line {number}: expected a file and a label{expected}")
        expanded = os.path.expanduser(named)  # noqa: PTH111  which leaves what has no home as it is
        found.append(Listed(named, str(file.parent / expanded), called, PARTS.get(said, "")))
    same, times = max(Counter(os.path.normpath(image.path) for image in found).items(), key=lambda item: item[1])
    if times > 1:
        names = list(dict.fromkeys(image.name for image in found if os.path.normpath(image.path) == same))
        raise DataError(f"{file} names {names[0]} twice{f', once as {names[1]}' if len(names) > 1 else ''}")
    parts = {image.part for image in found}
    if part and len(parts) == 1:
        raise DataError(
            f"{file} has only {words(parts)} images by its column {part}; expected others to test, or no such column"
        )
    if part and "test" not in parts:
        found = _tested_on_validation(found)
    return found
