"""Draw the architecture: one real image on its way through both stages of F-R_abs-N-P_A with random filters."""

import argparse
import sys
from pathlib import Path
from typing import Any

import matplotlib
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import SubFigure
from torch import Tensor

from multistage.cli.ending import exit_code
from multistage.data.images import read_image
from multistage.data.preprocessing import prepare
from multistage.network.net import MultiStageNet
from multistage.network.shapes import StageGeometry

STAGES = (StageGeometry(64, 9, 10, 5), StageGeometry(256, 9, 6, 4, fan_in=16))
TITLES = {
    "filter_bank": "filter bank\n$g\\,\\tanh(\\sum k * x)$",
    "rectify": "rectify\n$|x|$",
    "contrast_norm": "normalise\nover all maps",
    "pool": "average\nand subsample",
}
SHOWN = 4
"""Maps shown of each layer."""


def main() -> int:
    """Read the command line and draw; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image", type=Path, help="an image file of any size")
    parser.add_argument("output", type=Path, nargs="?", default=Path("results/architecture.png"), help="PNG to write")
    options = parser.parse_args()
    draw(prepare(read_image(options.image)), options.output)
    print(options.output)
    return 0


def draw(image: Tensor, output: Path) -> None:
    """Draw what every layer makes of an image, float32 [1, 143, 143]."""
    matplotlib.use("Agg")
    figure = plt.figure(figsize=(15, 6), dpi=110, facecolor="white")
    columns: Any = figure.subfigures(1, 10, width_ratios=[1.5, *[1] * 8, 1.1])
    _maps(columns[0], image, "input\n1 x 143 x 143\nafter local normalisation")
    net = MultiStageNet((1, 143, 143), 102, STAGES).eval()
    x, column = image[None], 1
    with torch.no_grad():
        for stage in net.stages:
            for name, layer in stage.named_children():
                x = layer(x)
                sizes = " x ".join(str(size) for size in x.shape[1:])
                _maps(columns[column], x[0, :SHOWN], f"{TITLES[name]}\n{sizes}")
                column += 1
    columns[9].text(
        0.5, 0.5, f"{net.num_features:,}\nfeatures\n\nlinear +\nsoftmax\n\n102\nclasses", ha="center", va="center"
    )
    for number, at in ((1, 0.30), (2, 0.70)):
        figure.text(at, 0.985, f"stage {number}", ha="center", va="top", fontsize=13, weight="bold")
    figure.savefig(output, metadata={"Software": None})


def _maps(column: SubFigure, maps: Tensor, title: str) -> None:
    column.suptitle(title, fontsize=9.5, y=0.93)
    column.subplots_adjust(top=0.80, bottom=0.02, left=0.06, right=0.94, hspace=0.06)
    for axes, values in zip(column.subplots(len(maps), 1, squeeze=False).flat, maps, strict=True):
        limit = float(values.abs().max()) or 1.0
        axes.imshow(values, cmap="gray", vmin=min(0.0, float(values.min())) and -limit, vmax=limit)
        axes.set_axis_off()


if __name__ == "__main__":
    sys.exit(exit_code(main))
