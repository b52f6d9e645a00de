"""`multistage-predict`: the best classes of image files by a trained run, with probabilities, else with margins."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from multistage.cli import extras
from multistage.registry.errors import ConfigError, DataError, MultistageError


def main(arguments: Sequence[str] | None = None) -> int:
    """Print predictions; returns the exit code: 0 done, 1 no finished run, 2 bad arguments, 3 unreadable images.

    Args:
        arguments: What was typed after the command; None: of this process.
    """
    parser = argparse.ArgumentParser(description=__doc__.partition(": ")[2])
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a finished run, as training prints it")
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE", help="image files of any size, gray or colour")
    parser.add_argument("--top", type=int, default=5, help="how many classes to print (default: 5)")
    options = parser.parse_args(arguments)
    try:
        if options.top < 1:
            raise ConfigError(f"--top {options.top} is not allowed; expected a whole number from 1")
        extras.require()
        return predict(options.run, options.images, options.top)
    except MultistageError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def predict(run: Path, images: Sequence[Path], top: int) -> int:
    """Print the `top` best classes of each image; one that cannot be read does not hide the others."""
    import torch

    from multistage.records import runs
    from multistage.settings.tree import parse
    from multistage.train.restore import load

    net, record = load(run), runs.read(run)
    assert record is not None
    settings = parse(record["config"])
    has_probabilities = settings.readout.logistic
    exit_code = 0
    for image in images:
        try:
            prepared = settings.data.prepare(image)
        except DataError as error:
            print(f"error: {error}", file=sys.stderr)
            exit_code = error.exit_code
            continue
        with torch.inference_mode():
            scores = net(prepared[None])[0]
        print(image)
        best = (scores.softmax(0) if has_probabilities else scores).topk(min(top, len(scores)))
        for value, index in zip(best.values.tolist(), best.indices.tolist(), strict=True):
            print(f"  {value:{'7.2%' if has_probabilities else '+7.2f'}}  {net.class_names[index]}")
    return exit_code
