"""Linear classifiers on frozen features. `fit` picks one by name; ``softmax`` lives in `training`."""

import torch
from torch import Tensor, nn

from multistage.config import Config
from multistage.history import History
from multistage.readout.lbfgs import fit_lbfgs
from multistage.readout.sgd import fit_sgd

__all__ = ["fit", "fit_lbfgs", "fit_sgd"]


def fit(config: Config, features: Tensor, labels: Tensor, classes: int, history: History) -> nn.Linear:
    """Train the classifier that a configuration names on features [n, f] and labels [n]; its loss goes into `history`.

    Returns:
        The linear layer from features to scores.
    """

    def report(step: int, loss: float) -> None:
        history.add({"train_loss": loss}, step, unit="epoch" if config["readout"] == "sgd" else "iteration")

    if config["readout"] == "sgd":
        weight, bias = fit_sgd(features, labels, classes, config["seed"], report=report)
    else:
        weight, bias = fit_lbfgs(features, labels, classes, config["lbfgs.penalty"], config["lbfgs.max_iter"], report)
    linear = nn.Linear(features.shape[1], classes)
    with torch.no_grad():
        linear.weight.copy_(weight)
        linear.bias.copy_(bias)
    return linear
