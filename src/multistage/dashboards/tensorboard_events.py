"""One run as TensorBoard event files: ``tensorboard --logdir runs``."""

import shutil
from collections.abc import Mapping

import yaml
from torch.utils.tensorboard import SummaryWriter

from multistage.dashboards import Shown, Summary, nested, pictures


class TensorBoardEvents:
    """Event files in ``<folder>/tensorboard``; those of an earlier attempt are removed."""

    def __init__(self, run: Shown) -> None:
        folder, config = run.folder, run.config
        shutil.rmtree(folder / "tensorboard", ignore_errors=True)
        self.writer = SummaryWriter(str(folder / "tensorboard"))
        self.writer.add_text("config", _code(yaml.safe_dump(nested(config), sort_keys=False)))
        self.step = 0

    def log(self, row: Mapping[str, float]) -> None:
        """Log one row."""
        (_, step), *metrics = row.items()
        self.step = int(step)
        for name, value in metrics:
            self.writer.add_scalar(name, value, self.step)
        self.writer.flush()

    def summarise(self, summary: Summary) -> None:
        """Log pictures, tables and final figures."""
        for name, kernels in summary.kernels.items():
            picture = pictures.mosaic(kernels)
            self.writer.add_image(name, picture, self.step, dataformats="HWC"[: picture.ndim])
        self.writer.add_image("classes/confusion", pictures.heat(summary.confusion), self.step, dataformats="HW")
        rows = "".join(f"| {e['name']} | {e['correct']} | {e['total']} |\n" for e in summary.per_class)
        self.writer.add_text(
            "classes/accuracy", f"| class | correct | total |\n| --- | ---: | ---: |\n{rows}", self.step
        )
        self.writer.add_text("summary", _code(yaml.safe_dump(summary.numbers, sort_keys=False)), self.step)

    def finish(self, exit_code: int) -> None:
        """Close the files."""
        self.writer.close()


def _code(text: str) -> str:
    """Format text as a Markdown code block."""
    return "".join(f"    {line}\n" for line in text.splitlines())
