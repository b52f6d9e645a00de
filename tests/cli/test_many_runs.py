"""A small form of scripts/many_runs.py."""

import re

import pytest

from scripts import many_runs

pytest.importorskip("matplotlib")


def test_invented_runs_are_planned_looked_through_and_published(tmp_path, capsys):
    many_runs.measure(20, 2, tmp_path)
    line = capsys.readouterr().out
    for step in ("planned", "looked through", "published"):
        assert re.search(rf"{step} [\d.]+ s \([\d.]+ s on the processor, [\d.]+ GB\)", line)
    assert line.lstrip().startswith("20 runs")
    assert (tmp_path / "results" / "many" / "table.md").read_text(encoding="utf-8").count("digits, ") > 10
