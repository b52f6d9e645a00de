"""Invented records: the configuration that the command line would make, figures out of the air. Never published."""

import math
import random
import shutil
from functools import cache

import numpy as np
import yaml
from safetensors.numpy import save_file

from audit.pages import artifacts
from audit.tables.results import RECORDS, Results
from multistage.records import runs
from multistage.records.files import to_lines
from multistage.settings import composition, naming

COLUMNS = ("abs_lcn_avgpool", "abs_avgpool", "lcn_maxpool", "lcn_avgpool", "avgpool")
PRESETS = composition.CONF.parent / "conf" / "model"
PROTOCOLS = {
    "digits": (("true", "softmax"), ("false", "lbfgs")),
    "caltech101": (("false", "lbfgs"), ("false", "sgd")),
}


@cache
def _planned(*overrides):
    """What the command line makes of overrides, composed once: the configuration, what its folder ends in."""
    run = composition.plan(overrides)
    return run.config, run.folder.name.removeprefix("draw-0-seed-0")


def _typed(key, value):
    return yaml.safe_load(str(value)) if key in ("refine", "stages") else value


def record(accuracy=0.25, draw=0, seed=None, **settings):
    """One record; settings as they are typed, with __ for the dots of their keys."""
    typed = {key.replace("__", "."): value for key, value in settings.items()} | {"draw": draw}
    typed["seed"] = draw if seed is None else seed
    direct = {key: _typed(key, value) for key, value in typed.items() if key in naming.IN_PATH and key != "data"}
    planned, suffix = _planned(*(f"{key}={value}" for key, value in typed.items() if key not in direct))
    config = {**planned, **direct}
    if "model" in direct:
        preset = yaml.safe_load((PRESETS / f"{direct['model']}.yaml").read_text(encoding="utf-8"))
        config |= {f"model.{key}": value for key, value in preset.get("model", preset).items()}
    return {
        "run": naming.cell(config) + suffix,
        "config": config,
        "overrides": [f"{key}={value}" for key, value in typed.items()],
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


def records(draws=5):
    """Records in the shape of experiment=ablation, with classes and learning curves; the same at every call."""
    return [
        record
        for data, models in (("caltech101", COLUMNS), ("digits", sorted(path.stem for path in PRESETS.glob("*.yaml"))))
        for rank, model in enumerate(models)
        for protocol in PROTOCOLS[data]
        for record in _cell(data, model, rank, protocol, draws)
    ]


def results(root, **folders):
    """What is published: folders of results with these records."""
    root.mkdir(exist_ok=True)
    shutil.copy(composition.CONF.parent / "results" / "paper.yaml", root)
    for name, made in folders.items():
        (root / name).mkdir(exist_ok=True)
        (root / name / RECORDS).write_text(to_lines(made), encoding="utf-8")
    return Results(root)


def publish(root, made):
    """A folder of results that holds them, with artifacts of the best runs."""
    results(root, ablation=made)
    folder = root / "ablation"
    generator = np.random.default_rng(0)
    for record in artifacts.illustrated(made):
        target = artifacts.folder(folder, record)
        target.mkdir(parents=True)
        classes = record["per_class"]
        counts = np.zeros((len(classes), len(classes)), int)
        for c, entry in enumerate(classes):
            counts[c, c] = entry["correct"]
            for _ in range(entry["total"] - entry["correct"]):
                counts[c, (c + 1 + int(generator.integers(3))) % len(classes)] += 1
        names = [entry["name"] for entry in classes]
        lines = [["", *names], *([name, *map(str, row)] for name, row in zip(names, counts.tolist(), strict=True))]
        text = "".join(",".join(line) + "\n" for line in lines)
        (target / runs.CONFUSION).write_text(text, encoding="utf-8")
        k, maps = record["config"]["geometry.stage1.kernel"], record["config"]["geometry.stage1.maps"]
        before = generator.uniform(-1 / k, 1 / k, (maps, 1, k, k)).astype(np.float32)
        wave = np.sin(np.arange(k)[None, :, None] * generator.uniform(-1, 1, (maps, 1, 1)) * 2 + np.arange(k) * 0.8)
        after = before + (0.2 * wave[:, None]).astype(np.float32)
        save_file({"before": before, "after": after}, target / runs.FILTERS)
    return folder


def _cell(data, model, rank, protocol, draws):
    refine, readout = protocol
    settings = {"data": data, "model": model, "refine": refine, "readout": readout}
    random_ = random.Random(f"{[f'{key}={value}' for key, value in settings.items()]}")
    refined = refine == "true"
    level = 0.99 - 0.002 * rank - (0 if refined else 0.01) if data == "digits" else 0.63 - 0.13 * rank
    for draw in range(draws):
        accuracy = level + random_.gauss(0, 0.002 if data == "digits" else 0.008)
        names = [str(digit) for digit in range(10)] if data == "digits" else [f"class_{c:03}" for c in range(102)]
        total = 49 if data == "digits" else 30
        per_class = [{"name": n, "correct": _binomial(random_, total, accuracy), "total": total} for n in names]
        mean = sum(c["correct"] / c["total"] for c in per_class) / len(per_class)
        epochs = {"softmax": 10, "sgd": 30, "lbfgs": 1}[readout]
        losses = [2.3 * math.exp(-0.45 * e * (1 - 0.03 * rank)) + random_.uniform(0.001, 0.01) for e in range(epochs)]
        yield record(mean, draw, **settings) | {
            "metrics": {"test_accuracy": mean, "test_mean_class_accuracy": mean, "train_accuracy": 1.0},
            "history": {"epoch": list(range(1, epochs + 1)), "train_loss": losses, "train_accuracy": [0.9] * epochs},
            "per_class": per_class,
            "parameters": 10_000 + 100 * rank,
            "seconds": {"data": 1.0, "train": (10 + 3 * rank) * (4 if refined else 1) * (1 if data == "digits" else 9)},
        }


def _binomial(random_, n, p):
    return sum(random_.random() < p for _ in range(n))
