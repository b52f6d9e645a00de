"""A run as its dashboards see it."""

import random

import numpy as np
import torch

from multistage import dashboards as loggers
from multistage.dashboards import Summary
from multistage.records.paper import row
from multistage.settings.tree import parse

SUMMARY = Summary(
    metrics={"test_accuracy": 0.75, "test_mean_class_accuracy": 0.65, "train_accuracy": 1.0},
    per_class=[{"name": "ant", "correct": 3, "total": 3}, {"name": "bee", "correct": 0, "total": 1}],
    confusion=np.array([[3, 0], [1, 0]]),
    kernels_before=np.ones((4, 1, 5, 5)),
    kernels_after=np.zeros((4, 1, 5, 5)),
    paper=64.7,
    parameters=123,
    seconds=4.5,
)


def shown(config, folder, name="digits/a"):
    """A run as the protocol describes it."""
    return loggers.Shown(config, folder, name, row(config))


def opened(config, folder, name="digits/a"):
    """The dashboard of a run."""
    return loggers.open_dashboard(parse(config).logger, shown(config, folder, name))


def whole_run(config, folder, summary=SUMMARY):
    """What the protocol does with the dashboards of a run."""
    with opened(config, folder) as dashboard:
        for step in (1, 2):
            dashboard.log({"epoch": step, "train_loss": 1 / step, "train_accuracy": 0.9 / step, "lr-SGD": 0.1})
        dashboard.summarise(summary)


def random_states():
    """What a dashboard has to leave as it is."""
    return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
