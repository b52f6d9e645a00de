"""Weights & Biases."""

from dataclasses import dataclass
from typing import Literal

from multistage.dashboards import Dashboard, Logger, Shown, loggers
from multistage.registry import setting
from multistage.registry.rules import one_of, word


@loggers.register("wandb", rank=1)
@dataclass(frozen=True)
class Wandb(Logger):
    """One wandb run, see `multistage.dashboards.wandb_run`."""

    project: str = setting("multistage", word(), bears=False)
    mode: Literal["offline", "online"] = setting("offline", one_of("offline", "online"), bears=False)

    def start(self, run: Shown) -> Dashboard:
        from multistage.dashboards.wandb_run import WandbRun

        return WandbRun(self, run)
