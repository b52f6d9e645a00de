"""A small form of scripts/many_runs.py."""

import re
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")
ROOT = Path(__file__).parents[2]


def test_invented_runs_are_planned_looked_through_and_published(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import many_runs

    many_runs.measure(20, 2, tmp_path)
    line = capsys.readouterr().out
    for step in ("planned", "looked through", "published"):
        assert re.search(rf"{step} [\d.]+ s \([\d.]+ s on the processor, [\d.]+ GB\)", line)
    assert line.lstrip().startswith("20 runs")
    assert (tmp_path / "results" / "many" / "table.md").read_text(encoding="utf-8").count("digits, ") > 10
