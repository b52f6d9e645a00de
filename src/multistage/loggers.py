"""Where a run's metrics go while it trains: always ``metrics.csv``, and wandb or TensorBoard if asked.

These are views. The record of a run is its ``result.json``; no logger can change or lose it.
"""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger

from multistage.config import Config
from multistage.errors import ConfigError, MultistageError, one_line


@contextmanager
def open_loggers(config: Config, folder: Path, name: str) -> Iterator[list[Logger]]:
    """The loggers of a configuration, finished with the run's state however it ends.

    Args:
        config: The run's configuration; its keys become the logged settings.
        folder: The run's folder.
        name: What the run is called on a dashboard.

    Raises:
        MultistageError: wandb could not start.
    """
    if config["logger"] == "csv":
        yield []
    elif config["logger"] == "tensorboard":
        yield [_tensorboard(folder)]
    else:
        logger = _wandb(config, folder, name)
        exit_code = 1
        try:
            yield [logger]
            exit_code = 0
        finally:
            logger.experiment.finish(exit_code=exit_code)


def log_metrics(loggers: list[Logger], step: int, metrics: dict[str, float]) -> None:
    """Log what Lightning does not see: a readout's progress, and the figures at the end."""
    for logger in loggers:
        logger.log_metrics(metrics, step=step)
        logger.save()


def check_logger(config: Config) -> None:
    """Refuse a logger that cannot work, before anything is written. Never asks for a key.

    Raises:
        ConfigError: The chosen logger is not installed, or wandb is to be online without a key.
    """
    package = config["logger"]
    if package == "csv":
        return
    try:
        importlib.import_module(package)
    except ModuleNotFoundError:
        raise ConfigError(f"logger={package} needs the package {package}: pip install {package}") from None
    if package == "wandb" and config["logger.mode"] == "online":
        import wandb

        if not wandb.login(prompt=False):
            raise ConfigError("logger.mode=online needs a key; run 'wandb login' first, or keep logger.mode=offline")


def _tensorboard(folder: Path) -> Logger:
    from pytorch_lightning.loggers import TensorBoardLogger

    return TensorBoardLogger(folder, name="", version="tensorboard")


def _wandb(config: Config, folder: Path, name: str) -> Any:
    import wandb
    from pytorch_lightning.loggers import WandbLogger

    try:
        run = _start_wandb(wandb, config, folder, name)
    except wandb.Error as error:
        raise MultistageError(f"wandb could not start ({one_line(error)}); use logger=csv") from None
    return WandbLogger(experiment=run)


def _start_wandb(wandb: Any, config: Config, folder: Path, name: str) -> Any:
    return wandb.init(
        name=name,
        dir=folder,
        project=config["logger.project"],
        mode=config["logger.mode"],
        group=config["experiment"] or config["name"],
        job_type=config["model"],
        tags=[config["data"], config["filters"], config["readout"]],
        config=dict(config),
        settings=wandb.Settings(silent=True, console="off"),
        reinit="finish_previous",
    )
