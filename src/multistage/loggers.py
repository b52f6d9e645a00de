"""Where a run's metrics go while it trains: always ``metrics.csv``, and wandb or TensorBoard if asked.

These are views. The record of a run is its ``result.json``; no logger can change or lose it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import CSVLogger, Logger

from multistage.config import Config
from multistage.errors import ConfigError


@contextmanager
def open_loggers(config: Config, folder: Path, name: str) -> Iterator[list[Logger]]:
    """The loggers of a configuration, finished with the run's state however it ends.

    Args:
        config: The run's configuration; its keys become the logged settings.
        folder: The run's folder.
        name: What the run is called on a dashboard.

    Raises:
        ConfigError: The chosen logger is not installed, or wandb is to be online without a key. Never asks for one.
    """
    csv = CSVLogger(folder, name="", version="", flush_logs_every_n_steps=1)
    if config["logger"] == "csv":
        yield [csv]
    elif config["logger"] == "tensorboard":
        yield [csv, _tensorboard(folder)]
    else:
        logger = _wandb(config, folder, name)
        exit_code = 1
        try:
            yield [csv, logger]
            exit_code = 0
        finally:
            logger.experiment.finish(exit_code=exit_code)


def log_epoch(loggers: list[Logger], epoch: int, metrics: dict[str, float]) -> None:
    """Log what Lightning does not see, under the same columns."""
    for logger in loggers:
        logger.log_metrics({"epoch": epoch, **metrics}, step=epoch)
        logger.save()


def _tensorboard(folder: Path) -> Logger:
    from pytorch_lightning.loggers import TensorBoardLogger

    try:
        return TensorBoardLogger(folder, name="", version="tensorboard")
    except ModuleNotFoundError:
        raise ConfigError("logger=tensorboard needs the package tensorboard: pip install tensorboard") from None


def _wandb(config: Config, folder: Path, name: str) -> Any:
    try:
        import wandb
    except ModuleNotFoundError:
        raise ConfigError("logger=wandb needs the package wandb: pip install wandb") from None
    from pytorch_lightning.loggers import WandbLogger

    if config["logger.mode"] == "online" and not wandb.api.api_key:
        raise ConfigError("logger.mode=online needs a key; run 'wandb login' first, or keep logger.mode=offline")
    run = wandb.init(
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
    return WandbLogger(experiment=run)
