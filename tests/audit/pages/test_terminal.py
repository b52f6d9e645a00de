import shutil
import sys

import numpy as np
import pytest

from audit.pages import terminal
from audit.pages.terminal import CELL, INK, PAPER, Terminal, picture
from multistage.registry.errors import MultistageError

needs_tmux = pytest.mark.skipif(not shutil.which("tmux"), reason="needs tmux")
ECHO = (sys.executable, "-c", "print('\\033[31mname?\\033[0m'); print('<' + input() + '>'); input()")


def cells(image):
    """The pixels of each character: [lines, columns, height, width, 3]."""
    width, height = CELL
    return np.asarray(image).reshape(image.height // height, height, image.width // width, width, 3).swapaxes(1, 2)


def test_characters_stand_in_their_cells_in_their_colours():
    drawn = cells(picture("a \033[38;2;255;0;0;48;2;0;0;255mb\033[0m\n  \033[48;2;0;9;0m  "))
    assert drawn.shape == (2, 4, CELL[1], CELL[0], 3)
    assert (drawn[0, 0].max((0, 1)) == INK).all()
    assert (drawn[0, 1] == PAPER).all()
    assert drawn[0, 2, 0, 0].tolist() == [0, 0, 255]
    assert drawn[0, 2, :, :, 0].max() > 200
    assert (drawn[1, 3] == (0, 9, 0)).all()


def test_bold_is_bolder():
    plain, bold = (np.asarray(picture(text)).sum() for text in ("model", "\033[1mmodel"))
    assert bold > plain


@pytest.mark.parametrize("bit", range(8))
def test_each_dot_of_braille_is_in_its_place(bit):
    lit = np.asarray(picture(chr(0x2800 + (1 << bit)))).max(-1) > PAPER[0]
    down, across = (axis.mean() for axis in lit.nonzero())
    column, row = (bit // 3, bit % 3) if bit < 6 else (bit - 6, 3)
    assert lit.sum() == 9
    assert (int(across * 2 / CELL[0]), int(down * 4 / CELL[1])) == (column, row)


@needs_tmux
def test_a_screen_is_what_the_program_shows_after_what_was_typed():
    with Terminal(ECHO, (40, 5), {}) as shown:
        shown.type("somebody", "Enter")
        screen = shown.screen()
    assert "\033[31mname?" in screen
    assert "<somebody>" in screen


@needs_tmux
def test_a_screen_that_keeps_changing_is_an_error(monkeypatch):
    monkeypatch.setattr(terminal, "PATIENCE", 2.5)
    ticking = "import time\nwhile True: print(time.time()); time.sleep(0.1)"
    with (
        Terminal((sys.executable, "-c", ticking), (40, 5), {}) as shown,
        pytest.raises(MultistageError, match=r"expected a screen that stops changing within 2\.5 seconds"),
    ):
        shown.screen()


@needs_tmux
def test_a_program_that_has_ended_is_an_error():
    with pytest.raises(MultistageError, match="expected it to run in tmux"), Terminal(["true"], (40, 5), {}) as shown:
        shown.type("a", "b")
