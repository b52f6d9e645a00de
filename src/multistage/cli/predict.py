"""`multistage-predict`: classify images with a trained run; print the best classes with probabilities (or margins)."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from glob import glob
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from multistage.cli import extras, streams
from multistage.cli.ending import exit_code
from multistage.records import shipped
from multistage.registry.errors import ConfigError, DataError, MultistageError, enough_memory
from multistage.registry.words import shown
from multistage.storage import durable

if TYPE_CHECKING:
    from multistage.train.ensemble import Ensemble
    from multistage.train.evaluation import Predictions
    from multistage.train.model import Model

BATCH = 32
"""Batch size."""

SMALLER = "end other programs, or give smaller images"

RUN = "folder of a finished run (train.py prints it), or the name of a shipped model"
WITH = "another run or model; its probabilities are averaged with those of RUN; may be repeated"
CODES = "0 done, 1 no finished run, 2 bad arguments, 3 unreadable images, 130 interrupted"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print predictions.

    Args:
        arguments: Words of the command line after the command; None: those of this process.

    Returns:
        The exit code, one of `CODES`.
    """
    parser = argparse.ArgumentParser(description=__doc__.partition(": ")[2], epilog=f"Exit codes: {CODES}.")
    parser.add_argument("run", metavar="RUN", help=f"{RUN}: {', '.join(shipped.names()) or 'none'}")
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="image files, folders, or patterns ('*.jpg')")
    parser.add_argument("--with", dest="others", action="append", default=[], metavar="RUN", help=WITH)
    parser.add_argument("--top", type=int, default=5, help="how many classes to print (default: 5)")
    parser.add_argument("--csv", metavar="FILE", help="write a CSV table of all probabilities instead; -: to stdout")
    options = parser.parse_args(arguments)
    with streams.lasting():
        try:
            return exit_code(lambda: _predict(options))
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return 130


def _predict(options: argparse.Namespace) -> int:
    if options.top < 1:
        raise ConfigError(f"--top {options.top} is not allowed; expected a whole number from 1")
    extras.require()
    from multistage.train import hardware
    from multistage.train.loading import load

    hardware.prepare()
    model = load([options.run, *options.others]) if options.others else load(options.run)
    if options.csv is None:
        return show(model, options.images, options.top)
    return write(model, options.images, options.csv)


def show(model: "Model | Ensemble", images: Sequence[str], top: int) -> int:
    """Print the `top` best classes of each image; unreadable images do not stop the others."""
    exit_code = 0
    for files, found, code in predictions(model, images):
        for file, best in zip(files, found.best(top) if found else [], strict=True):
            print(file)
            for name, value in best:
                print(f"  {value:{'7.2%' if found and found.logistic else '+7.2f'}}  {name}")
        exit_code = max(exit_code, code)
    return exit_code


def write(model: "Model | Ensemble", images: Sequence[str], table: str) -> int:
    """Write a row for each image: file, predicted class, and probability (or margin) of every class."""
    from multistage.train.evaluation import as_csv

    _check_folder(table)
    exit_code, count = 0, 0
    start = "\r" if sys.stderr.isatty() else ""
    rows: list[list[object]] = []
    for files, found, code in predictions(model, images):
        if found:
            values = found.probabilities if found.logistic else found.scores
            rows += ([*row, *value] for *row, value in zip(files, found.labels, values.tolist(), strict=True))
        count += len(files)
        if start:
            print(f"{start}{count} images", end="", file=sys.stderr, flush=True)
        exit_code = max(exit_code, code)
    _save(table, as_csv(["file", "class", *model.class_names], rows).encode())
    print(f"{start}{count} images in {table}", file=sys.stderr)
    return exit_code


STDOUT = ("-", "/dev/stdout")


def _is_file(table: str) -> bool:
    """Whether a table is written to a file, not to a pipe or a device."""
    return table not in STDOUT and (Path(table).is_file() or not Path(table).exists())


def _check_folder(table: str) -> None:
    """Refuse a table that cannot be written, before computing it."""
    if not table or Path(table).is_dir():
        raise MultistageError(f"{shown(table)} cannot be written: it is a folder; expected the name of a file")
    folder = Path(table).resolve().parent
    if _is_file(table) and not (folder.is_dir() and os.access(folder, os.W_OK)):
        raise MultistageError(f"{table} cannot be written: {folder} is not a writable folder")


def _save(table: str, content: bytes) -> None:
    """Write a table; a file is written atomically."""
    try:
        if _is_file(table):
            durable.write(Path(table).resolve(), content)
        elif table in STDOUT:
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()
        else:
            Path(table).write_bytes(content)
    except OSError as error:
        raise MultistageError(f"{table} cannot be written: {error.strerror}") from None


Some = tuple[list[str], "Predictions | None", int]


def predictions(model: "Model | Ensemble", images: Sequence[str]) -> Iterator[Some]:
    """Yield batches: readable images, their predictions, and the exit code, which is not 0 if others cannot be read.

    Raises:
        DataError: A folder or a pattern without images; before any image is read.
    """
    files = iter(list(_files(images)))
    while batch := list(islice(files, BATCH)):
        names: list[str] = []
        prepared: list[Any] = []
        code = 0
        for file in batch:
            try:
                with enough_memory(SMALLER):
                    prepared.append(model.prepare(file))
                names.append(file)
            except DataError as refusal:
                print(f"error: {refusal}", file=sys.stderr)
                code = refusal.exit_code
        with enough_memory(SMALLER):
            said = model.scores(prepared) if prepared else None
        yield names, said, code


def _files(images: Sequence[str]) -> Iterator[str]:
    from multistage.train.model import expanded

    for image in images:
        pattern = not Path(image).exists() and any(c in image for c in "*?[")
        named = glob(os.path.expanduser(image), recursive=True) if pattern else [image]  # noqa: PTH111, PTH207
        files: list[Any] = list(expanded(sorted(named)))
        if not files:
            raise DataError(f"{image} holds no images")
        yield from map(str, files)
