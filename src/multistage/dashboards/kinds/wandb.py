"""Weights & Biases."""

import gc
from contextlib import suppress
from dataclasses import dataclass, replace
from subprocess import Popen, TimeoutExpired
from typing import Literal

from multistage.dashboards import Dashboard, Logger, Shown, loggers
from multistage.registry import setting
from multistage.registry.rules import NOTHING, Rule, either, one_of, word

MODES = one_of("offline", "online", "disabled")


def _or_in(variable: str, rule: Rule) -> Rule:
    """Describe the values of a setting that conf/logger/wandb.yaml reads from the environment if it is not typed."""
    return replace(rule, allowed=f"{rule.allowed} (typed, or in {variable})")


@loggers.register("wandb", rank=1)
@dataclass(frozen=True)
class Wandb(Logger):
    """One wandb run, see `multistage.dashboards.wandb_run`; conf/logger/wandb.yaml reads wandb's own variables."""

    project: str = setting("multistage", _or_in("WANDB_PROJECT", word()), bears=False)
    entity: str | None = setting(None, _or_in("WANDB_ENTITY", either(word(), NOTHING)), bears=False)
    mode: Literal["offline", "online", "disabled"] = setting("offline", _or_in("WANDB_MODE", MODES), bears=False)

    def start(self, run: Shown) -> Dashboard | None:
        if self.mode == "disabled":
            return None
        from multistage.dashboards.wandb_run import WandbRun

        return WandbRun(self, run)

    def abandon(self) -> None:
        """Kill wandb's own process, so that waiting callers continue, including wandb's exit handler."""
        for process in gc.get_objects():  # until its process answers, wandb keeps it in a local variable
            if type(process) is Popen and "wandb-core" in str(process.args):
                process.kill()
                with suppress(TimeoutExpired):
                    process.wait(1)
