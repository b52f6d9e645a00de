"""Classify image files with a trained run: the most probable classes with their probabilities."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from multistage.errors import MultistageError


def main(arguments: Sequence[str]) -> int:
    """Print predictions; returns the exit code: 0 done, 2 bad arguments or run, 3 an image that cannot be read."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a finished run, as train.py prints it")
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE", help="image files of any size, gray or colour")
    parser.add_argument("--top", type=int, default=5, help="how many classes to print (default: 5)")
    options = parser.parse_args(arguments)
    try:
        predict(options.run, options.images, options.top)
    except MultistageError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def predict(run: Path, images: Sequence[Path], top: int) -> None:
    """Print the `top` most probable classes of each image."""
    import torch

    from multistage import data, runs

    net, record = runs.load(run), runs.read(run)
    assert record is not None
    prepared = [data.prepare_image(record["config"], image) for image in images]
    with torch.inference_mode():
        probabilities = net(torch.stack(prepared)).softmax(1)
    for image, row in zip(images, probabilities, strict=True):
        print(image)
        best = row.topk(min(max(top, 1), len(row)))
        for probability, index in zip(best.values.tolist(), best.indices.tolist(), strict=True):
            print(f"  {probability:7.2%}  {net.class_names[index]}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
