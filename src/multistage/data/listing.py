"""Which image files a folder or a list has, and the class of each; nothing is decoded.

root/CLASS/**/*.jpg                               draws choose training and test images
root/train/CLASS/**, with root/test or root/val   the official split
list.csv: columns file and label, perhaps split   files relative to the list's folder
"""

import csv
import os
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from multistage.registry.errors import DataError
from multistage.registry.words import listing as words

PARTS = {"train": "train", "val": "validation", "valid": "validation", "validation": "validation", "test": "test"}
"""What the parts of an official split are called."""

FILE, LABEL, PART = ("file", "path", "filename", "image"), ("label", "class"), ("split", "part", "set")
"""What a list's columns may be called."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An image file.

    Attributes:
        name: The same on every machine.
        path: Where it lies.
        label: Name of its class.
        part: train, validation or test; "" where draws decide.
    """

    name: str
    path: str
    label: str
    part: str = ""


def read(root: Path) -> tuple[list[Listed], tuple[str, ...]]:
    """The images of a folder or a list, sorted by name, and what else was found, a sentence each.

    Raises:
        DataError: Nothing of the kind, a folder that cannot be read, a class without images, fewer than two classes, a
            name that cannot be shown.
    """
    notes: tuple[str, ...] = ()
    if root.is_file() and root.suffix.lower() == ".csv":
        found = _listed(root)
    elif root.is_dir():
        found, notes = _folders(root)
    else:
        raise DataError(
            f"data.root={root} is not a folder; expected a folder of class folders of images, or a list, a .csv file"
        )
    if len({image.label for image in found}) < 2:
        raise DataError(f"data.root={root} holds fewer than two class folders with images")
    for image in found:
        if not (image.name + image.label).isprintable():  # which is no Unicode, or breaks lines
            raise DataError(f"{image.path!r} has characters in its name that cannot be shown; rename it")
    return sorted(found, key=lambda image: image.name), notes


def _folders(root: Path) -> tuple[list[Listed], tuple[str, ...]]:
    inside, loose = _entries(root)
    official = {name for name in inside if name in PARTS}
    notes = [f"{len(loose)} files that lie in no class folder are left out"] if loose else []
    if "train" in official and len(official) > 1:
        found = [
            Listed(f"{part}/{name}", path, label, PARTS[part])
            for part in sorted(official)
            for label in _entries(root / part)[0]
            for name, path in _below(root / part, label)
        ]
        if "test" not in official:
            found = _tested_on_validation(found)
        if others := sorted(set(inside) - official):
            notes.append(f"folders beside train are left out: {words(others)}")
    else:
        found = [Listed(name, path, label) for label in inside for name, path in _below(root, label)]
    return found, tuple(notes)


def _tested_on_validation(found: list[Listed]) -> list[Listed]:
    """Images held out are the test images where there are no others."""
    return [replace(image, part="test") if image.part == "validation" else image for image in found]


def _below(root: Path, label: str) -> list[tuple[str, str]]:
    """Name and path of every file below a class folder, nested ones too.

    Raises:
        DataError: There is none, or a folder cannot be read.
    """
    found: list[tuple[str, str]] = []
    seen: set[str] = set()
    waiting = [label]
    while waiting:
        below = waiting.pop()
        folder = root / below
        if (real := os.path.realpath(folder)) not in seen:  # a link may lead back
            seen.add(real)
            folders, files = _entries(folder)
            waiting += [f"{below}/{name}" for name in folders]
            found += [(f"{below}/{name}", os.path.join(folder, name)) for name in files]  # noqa: PTH118  a path an image
    if not found:
        raise DataError(f"class folder {root / label} holds no images; add some, or remove it")
    return found


def _entries(folder: Path) -> tuple[list[str], list[str]]:
    """Names of the folders and of the files in a folder, sorted, without hidden ones."""
    try:
        with os.scandir(folder) as entries:
            shown = [entry for entry in entries if not entry.name.startswith(".")]
            folders = sorted(entry.name for entry in shown if entry.is_dir())
            return folders, sorted(entry.name for entry in shown if entry.is_file())
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}") from None


def _listed(file: Path) -> list[Listed]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            rows = list(csv.DictReader(lines))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file} cannot be read as a list: {error}") from None
    columns = {column.strip().lower(): column for column in (rows[0] if rows else {}) if column}

    def column(names: tuple[str, ...]) -> str | None:
        return next((columns[name] for name in names if name in columns), None)

    path, label, part = column(FILE), column(LABEL), column(PART)
    if path is None or label is None:
        raise DataError(f"{file} has the columns {words(columns) or 'none'}; expected file and label, perhaps split")
    found = []
    for number, row in enumerate(rows, 2):
        said = row[part] if part else ""
        if not row[path] or not row[label] or said is None or (part and said not in PARTS):
            expected = f", and a split of {words(PARTS)}" if part else ""
            raise DataError(f"{file}, line {number}: expected a file and a label{expected}")
        found.append(Listed(row[path], str(file.parent / row[path]), row[label], PARTS.get(said, "")))
    name, times = max(Counter(image.name for image in found).items(), key=lambda item: item[1], default=("", 1))
    if times > 1:
        raise DataError(f"{file} names {name} twice")
    if part and "test" not in {image.part for image in found}:
        found = _tested_on_validation(found)
    return found
