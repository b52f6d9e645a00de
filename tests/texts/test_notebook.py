"""docs/notebook.ipynb is what jupytext makes of docs/notebook.md, and CI executes it."""

import jupytext
import pytest
from texts.pages import PAGES, ROOT, commands

PAGE = "docs/notebook.md"
COMMAND = f"uv run --no-sync jupytext --to ipynb --update --set-kernel python3 {PAGE}"


@pytest.fixture(scope="module")
def cells():
    return jupytext.read(ROOT / PAGE.replace(".md", ".ipynb")).cells


def test_the_notebook_is_made_from_its_page(cells):
    expected = [(cell.cell_type, cell.source) for cell in jupytext.reads(PAGES[PAGE], "md").cells]
    assert [(cell.cell_type, cell.source) for cell in cells] == expected, f"stale; {COMMAND} makes it again"
    assert COMMAND in commands(PAGES["CONTRIBUTING.md"])


def test_it_has_no_outputs_which_would_be_figures_without_a_record(cells):
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert len(code) > 4
    assert [cell.source for cell in code if cell.outputs or cell.execution_count] == []


def test_ci_executes_it():
    ci = (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()
    assert "uv run --no-sync jupyter execute docs/notebook.ipynb" in ci
