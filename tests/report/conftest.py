"""Invented records: the configuration that the command line would make, figures out of the air."""

import random
from functools import cache

import pytest
import yaml

from multistage import composition, naming
from multistage.report import paper

ROOT = composition.CONF.parent


@cache
def _planned(*overrides):
    """What the command line makes of overrides, composed once: the configuration, what its folder ends in."""
    run = composition.plan(overrides)
    return run.config, run.folder.name.removeprefix("draw-0-seed-0")


def _typed(key, value):
    return yaml.safe_load(str(value)) if key in ("refine", "stages") else value


@pytest.fixture(scope="session")
def published():
    return paper.published(ROOT / "results" / "paper.yaml")


@pytest.fixture(scope="session")
def record():
    def make(accuracy=0.25, draw=0, seed=None, **settings):
        typed = {key.replace("__", "."): value for key, value in settings.items()} | {"draw": draw}
        typed["seed"] = draw if seed is None else seed
        direct = {key: _typed(key, value) for key, value in typed.items() if key in naming.IN_PATH and key != "data"}
        planned, suffix = _planned(*(f"{key}={value}" for key, value in typed.items() if key not in direct))
        config = {**planned, **direct}
        if "model" in direct:
            preset = yaml.safe_load((ROOT / "conf" / "model" / f"{direct['model']}.yaml").read_text(encoding="utf-8"))
            config |= {f"model.{key}": value for key, value in preset.items()}
        overrides = [f"{key}={value}" for key, value in typed.items()]
        return {
            "run": naming.cell(config) + suffix,
            "config": config,
            "overrides": overrides,
            "metrics": {"test_accuracy": 0.5, "test_mean_class_accuracy": accuracy, "train_accuracy": 1.0},
            "seconds": {"train": 90.0, "test": 30.0},
            "data_hash": f"images of {config['data']}",
            "split_hash": f"draw {draw} of {config['data']}",
            "results_version": 1,
            "per_class": [],
            "parameters": 1000,
            "hardware": {"processor": "invented", "cores": 2, "gpu": None},
            "threads": 1,
            "device": "cpu",
            "precision": "float32",
            "commit": "0" * 40,
            "dirty": False,
        }

    return make


@pytest.fixture(scope="session")
def ablation(record):
    """Records in the shape of experiment=ablation, five draws a cell; the same at every call."""

    def make():
        numbers = random.Random(0)
        made = []
        for model in sorted(path.stem for path in (ROOT / "conf" / "model").glob("*.yaml")):
            for protocol in ({"refine": "true"}, {"refine": "false", "readout": "lbfgs"}):
                for draw in range(5):
                    accuracy = 0.95 + 0.02 * numbers.random()
                    made.append(record(accuracy, draw, data="digits", model=model, **protocol))
        for model in ("abs_lcn_avgpool", "abs_avgpool", "lcn_maxpool", "lcn_avgpool", "avgpool"):
            for readout in ("lbfgs", "sgd"):
                for draw in range(5):
                    accuracy = 0.5 + 0.02 * numbers.random()
                    made.append(record(accuracy, draw, data="caltech101", model=model, refine="false", readout=readout))
        return made

    return make
