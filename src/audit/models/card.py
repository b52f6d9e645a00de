"""The card of a shipped model, made only from its record."""

from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any

import yaml

from audit.tables.templates import render
from audit.tables.words import count, kind_of_filters, machine
from multistage.data.caltech101 import SOURCE
from multistage.records import schema
from multistage.records.files import command
from multistage.records.runs import Record
from multistage.settings.tree import Settings, parse
from multistage.train.restore import HALF

FILE = "README.md"
WIDTH = 120
UP = "../../../.."
"""From the folder of a model to the root of the repository."""

CITATION = Path(__file__).parents[3] / "CITATION.cff"

NEEDED = ("images", "weights_sha256", "overrides", "hardware", "threads", "precision", schema.SETTINGS)
"""Fields that the oldest records lack."""


@dataclass(frozen=True)
class Source:
    """A data set whose models may be shipped: its authors, licence and kind of images."""

    title: str
    authors: str
    licence: str
    limits: str


SOURCES = {
    "caltech101": Source(
        SOURCE.name,
        "Fei-Fei, Fergus & Perona",
        SOURCE.licence,
        "Its images show one object each, large, in the middle, most of them upright and from the same side; the class "
        "BACKGROUND_Google is a mixture of other pictures.",
    ),
    "mnist": Source(
        "MNIST",
        "LeCun, Cortes & Burges",
        "CC BY-SA 3.0",
        "Its images show one handwritten digit each, bright on black, upright, in the middle.",
    ),
}


def card(record: Record) -> str:
    """Write the card in Markdown: the model, its figures, data, limits and licence.

    Args:
        record: Record of a shipped model, with the fields of `audit.models.ship`.
    """
    settings, about = parse(record["config"]), record[schema.SHIPPED]
    counts, own = record["images"], about["metrics"]
    limit = settings.draw.test_per_class
    at_most = "" if limit is None else f", at most {limit} a class"
    held_out = counts["validation"]
    rows = [_row(f"test images{at_most}", own)]
    if "remaining" in about:
        rows.append(_row(f"all that did not train{' or validate' if held_out else ''}", about["remaining"]))
    text = render(
        "models/card.md",
        name=about["name"],
        kind=_kind(settings),
        source=SOURCES[settings.data.name],
        classes=len(record["per_class"]),
        maps=settings.data.maps,
        train=f"{counts['train']:,}",
        validation=f"; {count(held_out, 'other')} validated" if held_out else "",
        training=f"{record['metrics']['train_accuracy']:.2%}",
        parameters=f"{record['parameters']:,}",
        draw=settings.draw.draw,
        rows=rows,
        command=command(record),
        minutes=f"{sum(record['seconds'].values()) / 60:.1f}",
        machine=machine(record),
        code=_code(record),
        stored=_stored(about),
        input=_input(settings),
        certainty=_certainty(settings),
        wrong=f"{own['images'] - sum(about['correct']):,}",
        tested=f"{own['images']:,}",
        up=UP,
        citation=_citation(),
    )
    return "\n".join(map(_wrapped, text.split("\n")))


def _wrapped(line: str) -> str:
    """Wrap a line of text at `WIDTH`, except tables and commands."""
    if len(line) <= WIDTH or line.startswith(("|", "#", "python ", "multistage")):
        return line
    indent = "  " if line.startswith("* ") else ""
    return fill(line, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _row(words: str, figures: Record) -> dict[str, str]:
    accuracies = {"mean": figures["test_mean_class_accuracy"], "overall": figures["test_accuracy"]}
    return {"words": words, "images": f"{figures['images']:,}"} | {k: f"{v:.2%}" for k, v in accuracies.items()}


def _kind(settings: Settings) -> str:
    learned = "then fine-tuned with labels" if settings.refine else "which stay frozen"
    return (
        f"A network of {count(settings.stages, 'stage')} (preset `{settings.model}`) with "
        f"{kind_of_filters(settings.filters.name)}, {learned}, and the readout `{settings.readout.name}`,"
    )


def _code(record: Record) -> str:
    if record.get("commit") is None:
        return ""
    return f", by the code of commit `{record['commit'][:7]}`{' with changes' if record['dirty'] else ''}"


def _stored(about: Record) -> str:
    size = f"{about['bytes'] / 1e6:.2f} MB"
    if about["precision"] == HALF:
        return (
            f"Kernels and matrices are stored in half precision ({size}) and become float32 when they are loaded, "
            "which changes no prediction on the test images."
        )
    return f"Weights are stored as they were trained ({size})."


def _input(settings: Settings) -> str:
    maps, height, width = settings.image
    colours = (
        "luminance and two colour differences"
        if getattr(settings.data, "colour", "") == "yuv"
        else "red, green and blue"
    )
    kind = "one gray map" if maps == 1 else f"{maps} maps, {colours}"
    way = {
        "lcn": "resized, normalised as a whole and locally, and padded to a square, as the paper has it (section 4)",
        "gcn": "resized, normalised as a whole, and padded to a square",
    }
    prepared = way.get(getattr(settings.data, "preprocessing", ""), "resized, and normalised as a whole")
    return f"{height} x {width} pixels, {kind}: an image is {prepared}."


def _certainty(settings: Settings) -> str:
    if settings.readout.logistic:
        return "a probability near 1 does not say that the image belongs there"
    return f"its scores (`readout={settings.readout.name}`) are margins, not probabilities"


def _citation() -> str:
    (paper,) = yaml.safe_load(CITATION.read_text(encoding="utf-8"))["references"]
    authors = ", ".join(f"{author['given-names']} {author['family-names']}" for author in paper["authors"])
    place: dict[str, Any] = paper["conference"]
    return f"{authors}: {paper['title']} {place['name']}, pages {paper['start']} to {paper['end']}."
