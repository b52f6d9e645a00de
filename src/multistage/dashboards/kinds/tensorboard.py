"""TensorBoard."""

from dataclasses import dataclass

from multistage.dashboards import Dashboard, Logger, Shown, loggers


@loggers.register("tensorboard", rank=2)
@dataclass(frozen=True)
class TensorBoard(Logger):
    """Event files, see `multistage.dashboards.tensorboard_events`."""

    def start(self, run: Shown) -> Dashboard:
        from multistage.dashboards.tensorboard_events import TensorBoardEvents

        return TensorBoardEvents(run)
