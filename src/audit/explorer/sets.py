"""The two sets of the page (digits, photographs): classes, images and networks, as the scripts read them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from audit.explorer import digits, photographs
from audit.explorer.packed import pack
from audit.pages import artifacts, index
from audit.tables.results import RECORDS, Experiment
from audit.tables.templates import base64
from multistage.network.net import MultiStageNet
from multistage.records.files import from_file, path
from multistage.records.paper import published
from multistage.records.runs import WEIGHTS, Record, read
from multistage.records.schema import SHIPPED
from multistage.registry.errors import MultistageError
from multistage.settings.tree import Config
from multistage.train.restore import restore

NAME = "explorer"
"""Name of the experiment, its folder of results and the page."""

DIGITS, PHOTOGRAPHS = f"{NAME}/digits.png", f"{NAME}/photographs"
"""Path in the folder of results."""

MODEL = "models/caltech101/abs_lcn_avgpool"
"""The shipped network that classifies the photographs; its record has the accuracy of exactly these weights."""

FIRST = 7
"""The digit shown at the start; a 7 has edges in several directions."""

Set = dict[str, Any]


def mnist(results: Path) -> Set:
    """Return digits of MNIST's test set, and the networks of ``results/explorer``.

    Args:
        results: Folder with ``paper.yaml`` and ``explorer/``.

    Raises:
        MultistageError: Records or digits are missing, or weights are not published or do not match their records.
    """
    shown = _present(results / DIGITS, digits.read)
    classes = [str(label) for label in range(digits.CLASSES)]
    return {
        "name": "mnist",
        "tested": "test digits",
        "classes": classes,
        "images": [_image(label, f"a {classes[label]}", pixels) for row in shown for label, pixels in enumerate(row)],
        "first": FIRST,
        "presets": _trained(results),
    }


def caltech101(results: Path) -> Set:
    """Return photographs of Caltech-101, and the shipped network.

    Args:
        results: Folder with ``paper.yaml``, ``explorer/`` and ``models/``.

    Raises:
        MultistageError: The photographs or the network are missing.
    """
    shown = _present(results / PHOTOGRAPHS, photographs.read)
    record = shipped(results)
    net = restore(results / MODEL / WEIGHTS, record)
    entry = {
        **_operations(record["config"]),
        "paper": _symbols(published(results / "paper.yaml")).get(record["config"]["model"]),
        "accuracy": f"{100 * record[SHIPPED]['metrics']['test_mean_class_accuracy']:.2f}",
        "link": f"{MODEL}/README.md",
        "same_as": None,
    }
    return {
        "name": "caltech101",
        "tested": "test photographs",
        "classes": [_words(name) for name in net.class_names],
        "images": [_image(net.class_names.index(label), _words(label), pixels) for label, pixels in shown.items()],
        "first": 0,
        "presets": [{**entry, **_packed(net)}],
    }


def shipped(results: Path) -> Record:
    """Return the record of the network that classifies the photographs.

    Raises:
        MultistageError: The record is missing.
    """
    record = read(results / MODEL)
    if record is None:
        raise MultistageError(f"{results / MODEL} holds no network; make it with python scripts/ship.py")
    return record


def _trained(results: Path) -> list[dict[str, Any]]:
    """Return the networks of ``results/explorer``: the paper's columns first, in its order, then the others by name."""
    folder, entries = results / NAME, published(results / "paper.yaml")
    if not (folder / RECORDS).exists():
        raise MultistageError(f"{folder} holds no records; run python train.py experiment={NAME} and publish it")
    symbols = _symbols(entries)
    experiment = Experiment(folder, from_file(folder / RECORDS), entries)
    places = [place for table in experiment.tables for place in index.places_of(folder, table)]
    rank = list(symbols)
    places.sort(key=lambda place: (rank.index(place.row) if place.row in rank else len(rank), place.row))
    found: list[dict[str, Any]] = []
    for place in places:
        record = place.cell.records[0]
        net = artifacts.network(folder, record)
        if net is None:
            raise MultistageError(f"{artifacts.folder(folder, record)} holds no weights; publish {path(record)} again")
        packed = _packed(net)
        same = (other["name"] for other in found if all(other[key] == value for key, value in packed.items()))
        found.append(
            {
                **_operations(place.cell.config),
                "paper": symbols.get(place.row),
                "accuracy": f"{place.cell.mean:.2f}",
                "link": f"index.html#{place.identifier}",
                "same_as": next(same, None),
                **packed,
            }
        )
    return found


def _symbols(entries: Sequence[Record]) -> dict[str, str]:
    """Return the paper's symbol of each preset in its Table 1, in the paper's order."""
    return {entry["model"]: entry["column"] for entry in entries if entry["table"] == 1}


def _operations(config: Config) -> dict[str, Any]:
    return {"name": config["model"], **{key: config[f"model.{key}"] for key in ("rectify", "normalise", "pool")}}


def _packed(net: MultiStageNet) -> dict[str, Any]:
    steps, values = pack(net)
    return {**steps, "values": base64(values)}


def _present(place: Path, read: Callable[[Path], Any]) -> Any:
    if not place.exists():
        raise MultistageError(f"{place} is missing; make it with python scripts/explorer.py --images")
    return read(place)


def _image(label: int, title: str, pixels: np.ndarray) -> dict[str, Any]:
    height, width = pixels.shape
    return {"label": label, "title": title, "width": width, "height": height, "pixels": base64(pixels.tobytes())}


def _words(name: str) -> str:
    return name.replace("_", " ")
