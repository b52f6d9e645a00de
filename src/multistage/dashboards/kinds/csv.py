"""No dashboard: only metrics.csv and result.json in the run's folder, which every run has."""

from dataclasses import dataclass

from multistage.dashboards import Logger, Shown, loggers


@loggers.register("csv", rank=0)
@dataclass(frozen=True)
class Csv(Logger):
    """No dashboard."""

    def start(self, run: Shown) -> None:
        return None
