import json

import pytest

from audit.speed import table as speed
from multistage.registry.errors import MultistageError

LARGE = "[8, 64, 135, 135]"


@pytest.fixture
def measured():
    """A record of speed, invented."""

    def measured(part, rows, device="cpu", **more):
        return {
            "part": part,
            "device": device,
            "quick": False,
            "date": "2026-01-02T03:04:05+00:00",
            "commit": "0123456789abcdef",
            "dirty": False,
            "tf32": False,
            "hardware": {"processor": "a processor", "gpu": "a GPU"},
            "threads": 2,
            "versions": {"torch": "2.10"},
            "notes": [],
            "rows": [{"unit": "s", "spread": 0.01, "n": 5, **row} for row in rows],
            **more,
        }

    return measured


def layer_rows(case=LARGE, dense=0.8, ours=0.1, copy=0.02):
    values = {"ours": ours, "dense": dense, "copy": copy}
    return [
        {"case": f"{case} {passes}", "form": form, "value": value, "passes": passes}
        for passes in ("forward", "forward + backward")
        for form, value in values.items()
    ]


def test_a_table_has_a_case_a_row_a_form_a_column_and_ratios(measured):
    header, rows = speed.wide(measured("layer", layer_rows()))
    assert header == ["", "ours", "dense", "copy", "dense / ours", "ours / floor"]
    assert rows[0] == [f"{LARGE} forward", "100 ms ±1%", "800 ms ±1%", "20 ms ±1%", "8.00", "3.33"]
    assert rows[1][-1] == "1.25"


def test_the_page_says_where_and_with_what(measured):
    records = [measured("layer", layer_rows(), notes=["something is missing"], dirty=True)]
    text = speed.table(records)
    assert "## Local contrast normalisation, window 9: CPU" in text
    assert "a processor, 2 threads; torch 2.10; no TF32; commit 0123456789 and changes; 2026-01-02." in text
    assert "* something is missing." in text
    assert "a GPU; torch 2.10" in speed.table([measured("layer", [], "cuda")])
    assert "not a measurement" in speed.table([measured("layer", [], quick=True)])


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"value": 0.0000123, "unit": "s", "n": 1}, "12 µs"),
        ({"value": 0.0123, "unit": "s", "n": 1}, "12.3 ms"),
        ({"value": 123.4, "unit": "s", "n": 3, "spread": 0.021}, "123 s ±2%"),
        ({"value": 3 * 2**20, "unit": "bytes"}, "3 MiB"),
        ({"value": 0.0547, "unit": "of input"}, "0.0547"),
        ({"value": 0.021, "unit": "overhead"}, "+2.1%"),
        ({"value": 103.26, "unit": "images/s"}, "103.3 images/s"),
    ],
)
def test_cells_have_units(row, text):
    assert speed.with_unit(row) == text


def test_readme_shows_ratios_of_what_was_measured_and_nothing_else(measured):
    assert speed.readme([]).startswith("Not measured yet")
    assert speed.readme([measured("layer", layer_rows(), quick=True)]).startswith("Not measured yet")
    rows = layer_rows() + layer_rows("[1, 64, 8, 8]", dense=0.15)
    frozen = [
        {"case": case, "form": "together", "value": value, "order": order}
        for case, value, order in (("a", 60, "first"), ("b", 3, "further"), ("c", 2, "further"))
    ]
    records = [
        measured("layer", rows),
        measured("memory", [{"case": "kept", "form": "ours", "value": 0.0547, "unit": "of input"}]),
        measured("epoch", [{"case": "20", "form": "ours", "value": 2}, {"case": "20", "form": "plain", "value": 9}]),
        measured("frozen", frozen),
        measured("overhead", [{"case": "mnist", "form": "overhead", "value": 0.021, "unit": "overhead"}]),
        measured("layer", layer_rows(dense=1.6), "cuda"),
    ]
    lines = speed.readme(records).splitlines()
    assert lines[0] == "| | CPU | CUDA |"
    assert [line.split(" | ")[1:] for line in lines[2:]] == [
        ["8.0 x", "16.0 x |"],
        ["8.0 x", "16.0 x |"],
        ["1.5 x", "16.0 x |"],
        ["3.3 x", "3.3 x |"],
        ["1.2 x", "1.2 x |"],
        ["5.5%", " |"],
        ["4.5 x", " |"],
        ["20 x", " |"],
        ["+2.1%", " |"],
    ]


def test_records_are_read_in_order_and_others_refused(measured, tmp_path):
    assert speed.read(tmp_path / "none") == []
    for part, device in (("overhead", "cpu"), ("layer", "cuda"), ("layer", "cpu")):
        (tmp_path / f"{device}-{part}.json").write_text(json.dumps(measured(part, [], device)))
    found = [(record["device"], record["part"]) for record in speed.read(tmp_path)]
    assert found == [("cpu", "layer"), ("cpu", "overhead"), ("cuda", "layer")]
    (tmp_path / "cpu-epoch.json").write_text("{")
    with pytest.raises(MultistageError, match=r"cpu-epoch\.json is not a record of speed; remove it"):
        speed.read(tmp_path)
