"""Draw what `wandb leet` shows of an offline run: the pictures of docs/dashboards.md. It needs tmux.

They were made of `python train.py data=digits data.validation=10 trainer.max_epochs=20 logger=wandb`.
"""

import argparse
import json
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from audit.pages.terminal import Terminal, picture
from multistage.cli.ending import exit_code


@dataclass(frozen=True)
class View:
    """A screen of `wandb leet`.

    Attributes:
        size: Columns and lines of the terminal.
        settings: Configuration of `wandb leet`: which panes are open.
        keys: Keys to type; ``/`` chooses curves, ``o`` chooses settings and results.
    """

    size: tuple[int, int]
    settings: dict[str, Any]
    keys: tuple[str, ...] = ()


CURVES = ("/", "^train|^validation_(acc|loss)", "Enter")
RESULTS = ("o", "^final|^seconds|^model$|^readout$|^refine$|^stages", "Enter")
CLOSED = {"right_sidebar_visible": False}

VIEWS = {
    "curves": View((150, 36), {**CLOSED, "metrics_grid": {"rows": 2, "cols": 2}}, CURVES + RESULTS),
    "filters": View(
        (100, 25), {**CLOSED, "left_sidebar_visible": False, "metrics_grid_visible": False, "media_visible": True}
    ),
}


def main() -> int:
    """Read the command line and draw; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a run with logger=wandb")
    parser.add_argument("output", type=Path, nargs="?", default=Path("docs"), help="folder for the PNG files (docs)")
    options = parser.parse_args()
    found = sorted(options.run.glob("wandb/offline-run-*"))
    if len(found) != 1:
        parser.error(f"{options.run}: expected one wandb/offline-run-*, found {len(found)}")
    for name, view in VIEWS.items():
        file = options.output / f"wandb_{name}.png"
        draw(found[0], view).quantize(128, dither=Image.Dither.NONE).save(file, optimize=True)
        print(file)
    return 0


def draw(run: Path, view: View) -> Image.Image:
    """Draw a view of wandb's folder of a run; a copy is shown, since leet notes there what was typed."""
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(run, Path(folder, run.name))
        Path(folder, "wandb-leet.json").write_text(json.dumps(view.settings))
        command = [str(Path(sys.executable).with_name("wandb")), "leet", str(copy)]
        with Terminal(command, view.size, {"WANDB_CONFIG_DIR": folder, "WANDB_ERROR_REPORTING": "false"}) as terminal:
            terminal.type(*view.keys)
            return picture(terminal.screen())


if __name__ == "__main__":
    sys.exit(exit_code(main))
