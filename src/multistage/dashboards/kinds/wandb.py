"""Weights & Biases."""

import sys
from contextlib import suppress
from dataclasses import dataclass
from operator import attrgetter
from subprocess import TimeoutExpired
from typing import Literal

from multistage.dashboards import Dashboard, Logger, Shown, loggers
from multistage.registry import setting
from multistage.registry.rules import NOTHING, either, one_of, word


@loggers.register("wandb", rank=1)
@dataclass(frozen=True)
class Wandb(Logger):
    """One wandb run, see `multistage.dashboards.wandb_run`; conf/logger/wandb.yaml reads wandb's own variables."""

    project: str = setting("multistage", word(), bears=False)
    entity: str | None = setting(None, either(word(), NOTHING), bears=False)
    mode: Literal["offline", "online", "disabled"] = setting(
        "offline", one_of("offline", "online", "disabled"), bears=False
    )

    def start(self, run: Shown) -> Dashboard | None:
        if self.mode == "disabled":
            return None
        from multistage.dashboards.wandb_run import WandbRun

        return WandbRun(self, run)

    def abandon(self) -> None:
        """Kill wandb's own process: who waits for it goes on, also wandb's handler at the end of Python."""
        setup = sys.modules.get("wandb.sdk.wandb_setup")  # nothing is imported: that might hang too
        with suppress(AttributeError, TimeoutExpired):
            process = attrgetter("_singleton._connection._proc._process")(setup)  # wandb has no public way
            process.kill()
            process.wait(1)
