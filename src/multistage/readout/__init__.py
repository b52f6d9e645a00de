"""Classifiers on frozen features. `fit` picks one by name; ``softmax`` lives in `training`."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from multistage.network.shapes import output_shape
from multistage.readout.lbfgs import fit_lbfgs
from multistage.readout.pyramid_svm import PyramidSVM, fit_pyramid_svm
from multistage.readout.sgd import fit_sgd
from multistage.readout.span import Keep, keep_nothing
from multistage.settings.config import Config, section
from multistage.train.history import History

__all__ = ["Keep", "fit", "fit_lbfgs", "fit_pyramid_svm", "fit_sgd", "keep_nothing", "restore"]


def fit(
    config: Config, features: Tensor, labels: Tensor, classes: int, history: History, keep: Keep = keep_nothing
) -> nn.Module:
    """Train the classifier that a configuration names on features [n, f] and labels [n]; its loss goes into `history`.

    Args:
        config: The run's configuration.
        features: [n, f].
        labels: [n], from 0.
        classes: Number of classes.
        history: Takes the loss.
        keep: Keeps what depends on the features alone, for other classifiers and regularisers.

    Returns:
        From features to scores.
    """

    def report(step: int, loss: float) -> None:
        history.add({"train_loss": loss}, step, unit="epoch" if config["readout"] == "sgd" else "iteration")

    if config["readout"] == "pyramid_svm":
        words, levels, cost = (config[f"pyramid_svm.{key}"] for key in ("words", "levels", "C"))
        shape, seed = output_shape(config), config["seed"]
        return fit_pyramid_svm(features, labels, classes, shape, words, levels, cost, seed, report)
    if config["readout"] == "sgd":
        seed, rate, start = config["seed"], config["sgd.rate"], config["sgd.start"]
        weight, bias = fit_sgd(features, labels, classes, seed, rate=rate, start=start, report=report, keep=keep)
    else:
        penalty, max_iter = config["lbfgs.penalty"], config["lbfgs.max_iter"]
        weight, bias = fit_lbfgs(features, labels, classes, penalty, max_iter, report, keep=keep)
    linear = nn.Linear(features.shape[1], classes)
    with torch.no_grad():
        linear.weight.copy_(weight)
        linear.bias.copy_(bias)
    return linear


def restore(config: Config, classifier: nn.Module, state: Mapping[str, Tensor]) -> nn.Module:
    """The module that a trained network's state fits: its classifier, or another whose size comes from training.

    Args:
        config: The run's configuration.
        classifier: Of the network that `network.from_config` makes.
        state: Of the trained network.
    """
    if config["readout"] != "pyramid_svm":
        return classifier
    return PyramidSVM(output_shape(config), config["pyramid_svm.levels"], **section(state, "classifier"))
