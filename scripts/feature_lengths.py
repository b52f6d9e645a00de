"""Measure how long each Table 1 cell's features are before training; rates of refined networks were scaled by it.

python scripts/feature_lengths.py    writes results/table1/lengths.md; takes minutes, because it first learns filters

Draw 0, one training image of each class (every thirtieth).
"""

import argparse
import sys
from pathlib import Path

import torch

from audit.tables.tables import rows
from multistage.cli.ending import exit_code
from multistage.data import listed
from multistage.data.dataset import Dataset
from multistage.records.paper import letters, published
from multistage.settings import composition
from multistage.settings.tree import parse
from multistage.storage import durable
from multistage.train import features, filters
from multistage.train.restore import make_network

FILE = Path(__file__).parents[1] / "results" / "table1" / "lengths.md"

TEXT = """\
# Mean squared length of the features before training

Made by `python scripts/feature_lengths.py`: Caltech-101, draw 0, one training image of each class, filters as they are
before refinement.

"""


def main() -> int:
    """Read the command line, compute and write; returns the exit code."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    dataset = listed(parse(composition.plan(["data=caltech101"]).config).data)
    columns = {entry["model"]: entry["column"] for entry in published() if entry["table"] == 1}
    head = ["", *columns.values()]
    lines = []
    for stages in (1, 2):
        for method in ("random", "psd"):
            found = [length(dataset, stages, method, model) for model in columns]
            lines.append([name(stages, method), *(f"{value:.3g}" for value in found)])
    durable.update(FILE, (TEXT + rows(head, lines) + "\n").encode())
    print(FILE)
    return 0


def name(stages: int, method: str) -> str:
    """A row of Table 1."""
    return letters({"filters": method, "stages": stages, "refine": True})


def length(dataset: Dataset, stages: int, method: str, model: str) -> float:
    """Mean squared Euclidean length of a cell's features."""
    typed = [f"stages={stages}", f"filters={method}", f"model={model}"]
    config = composition.plan(["data=caltech101", *typed]).config
    train = parse(config).draw.of(dataset).train
    net = make_network(parse(config), len(dataset.class_names))
    cpu = torch.device("cpu")
    if config["filters"] != "random":
        filters.initialise(parse(config), net, dataset, train, cpu)
    found = features.outputs(net.stages, dataset, train[::30], cpu)
    return float(found.flatten(1).square().sum(1).mean())


if __name__ == "__main__":
    sys.exit(exit_code(main))
