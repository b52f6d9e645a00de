"""Weights & Biases."""

import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from operator import attrgetter
from subprocess import TimeoutExpired
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
        setup = sys.modules.get("wandb.sdk.wandb_setup")  # no import here: it might hang too
        with suppress(AttributeError, TimeoutExpired):
            process = attrgetter("_singleton._connection._proc._process")(
                setup
            )  # wandb has no public interface for this
            process.kill()
            process.wait(1)
