"""Screenshots of terminal programs: tmux runs the program, Rich parses its colours, Pillow draws them."""

import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont
from rich.ansi import AnsiDecoder
from rich.color import Color
from rich.console import Console

from multistage.registry.errors import MultistageError

FONT, CELL = 15, (9, 18)
"""Size of DejaVu Sans Mono (included in matplotlib) in points, and width and height of its characters in pixels."""

INK, PAPER = (221, 221, 221), (17, 17, 17)
"""Default colours."""

DOTS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))
"""Column and row of each bit of a Braille character. Curves consist of them, and the font lacks them."""

PATIENCE = 30.0
"""Seconds within which a screen must stop changing."""


class Terminal:
    """Run a program in its own terminal until the end of the block.

    Args:
        command: The command with its arguments.
        size: Columns and lines.
        environment: Environment variables to set.
    """

    def __init__(self, command: Sequence[str], size: tuple[int, int], environment: Mapping[str, str]) -> None:
        self.command, (columns, lines) = command, size
        self.folder = tempfile.TemporaryDirectory()
        variables = [f"{name}={value}" for name, value in {**environment, "COLORTERM": "truecolor"}.items()]
        program = ["env", *variables, *command]
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(lines), *program)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._tmux("kill-server")
        finally:
            self.folder.cleanup()

    def type(self, *keys: str) -> None:
        """Type texts and keys, such as ``Enter``, each after the screen has stopped changing."""
        for key in keys:
            self.screen()
            self._tmux("send-keys", key)

    def screen(self) -> str:
        """Return the screen once it has not changed for a second, with escape codes for colours.

        Raises:
            MultistageError: The screen keeps changing, or the program has ended.
        """
        before, deadline = "", time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            now = self._tmux("capture-pane", "-e", "-p", "-N")
            if now.strip() and now == before:
                return now
            before = now
            time.sleep(1)
        raise MultistageError(f"{self.command[0]}: expected a screen that stops changing within {PATIENCE:g} seconds")

    def _tmux(self, *words: str) -> str:
        command = ["tmux", "-S", f"{self.folder.name}/socket", *words]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise MultistageError(f"{self.command[0]}: expected it to run in tmux ({done.stderr.strip()})")
        return done.stdout


def picture(screen: str) -> Image.Image:
    """Draw text with escape codes for colours, as a terminal shows it.

    Args:
        screen: Lines; each character is one column wide.
    """
    lines = list(AnsiDecoder().decode(screen.rstrip("\n")))
    width, height = CELL
    image = Image.new("RGB", (width * max(line.cell_len for line in lines), height * len(lines)), PAPER)
    draw, console = ImageDraw.Draw(image), Console()
    fonts = Path(matplotlib.get_data_path(), "fonts", "ttf")
    plain, bold = (ImageFont.truetype(fonts / f"DejaVuSansMono{name}.ttf", FONT) for name in ("", "-Bold"))
    for row, line in enumerate(lines):
        for column, character in enumerate(line.plain):
            x, y = column * width, row * height
            style = line.get_style_at_offset(console, column)
            draw.rectangle((x, y, x + width - 1, y + height - 1), fill=_rgb(style.bgcolor, PAPER))
            ink = _rgb(style.color, INK)
            if 0x2800 <= ord(character) < 0x2900:
                dots = [place for bit, place in enumerate(DOTS) if ord(character) >> bit & 1]
                for across, down in dots:
                    left, top = x + 1 + 4 * across, y + 2 + 4 * down
                    draw.rectangle((left, top, left + 2, top + 2), fill=ink)
            else:
                draw.text((x, y), character, fill=ink, font=bold if style.bold else plain)
    return image


def _rgb(color: Color | None, otherwise: tuple[int, ...]) -> tuple[int, ...]:
    return otherwise if color is None or color.is_default else tuple(color.get_truecolor())
