from collections import Counter
from pathlib import Path

import pytest

import train
from multistage.report import readme, records

ROOT = Path(__file__).parents[2]
PAPER = readme.paper_values(ROOT / "results" / "paper.yaml")
PUBLISHED = sorted((ROOT / "results").glob("*/records.jsonl"))


def record(**settings):
    run = train.plan([f"{key}={value}" for key, value in settings.items()])
    metrics = {"test_accuracy": 0.5, "test_mean_class_accuracy": 0.25, "train_accuracy": 1.0}
    return {"config": dict(run.config), "metrics": metrics, "seconds": {"train": 90.0}}


def test_the_paper_has_44_figures_and_no_cell_twice():
    assert len(PAPER) == 44
    cells = Counter((cell["row"], cell["stages"], cell["model"], cell.get("readout")) for cell in PAPER)
    assert set(cells.values()) == {1}


@pytest.mark.parametrize(
    ("settings", "value"),
    [
        ({"data": "caltech101", "refine": "false", "readout": "lbfgs"}, 62.9),
        ({"data": "caltech101", "refine": "false", "readout": "sgd", "model": "avgpool"}, 8.8),
        ({"data": "caltech101"}, 64.7),
        ({"data": "caltech101", "stages": "1", "model": "lcn_maxpool"}, 38.0),
        ({"data": "caltech101", "model": "relu_avgpool"}, None),
        ({"data": "mnist"}, None),
    ],
)
def test_runs_find_their_cell_in_the_paper(settings, value):
    assert readme.paper_value(PAPER, record(**settings)) == value


def test_the_command_of_a_record_repeats_its_settings():
    wanted = record(data="caltech101", refine="false", readout="sgd", model="lcn_maxpool")
    command = records.command(wanted)
    assert command == "python train.py data=caltech101 model=lcn_maxpool refine=false readout=sgd"
    assert train.plan(command.split()[2:]).config == wanted["config"]


def test_the_table_shows_what_the_records_say():
    row = readme.table([record(data="caltech101")], PAPER).splitlines()[-1]
    assert row == "| `python train.py data=caltech101` | 1.5 | 50.00% | 25.00% | 100.00% | 64.7% |"


def test_readme_shows_the_committed_records():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    published = records.from_file(ROOT / "results" / "first_light" / "records.jsonl")
    assert readme.insert(text, readme.table(published, PAPER)) == text


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.parent.name)
def test_committed_records_are_whole_and_of_this_version(path):
    from multistage.runs import RESULTS_VERSION

    for entry in records.from_file(path):
        assert entry["results_version"] == RESULTS_VERSION
        total = sum(c["total"] for c in entry["per_class"])
        correct = sum(c["correct"] for c in entry["per_class"])
        assert entry["metrics"]["test_accuracy"] == pytest.approx(correct / total, abs=1e-6)
        shares = [c["correct"] / c["total"] for c in entry["per_class"]]
        assert entry["metrics"]["test_mean_class_accuracy"] == pytest.approx(sum(shares) / len(shares), abs=1e-6)
        assert records.to_lines([entry]).count("\n") == 1
