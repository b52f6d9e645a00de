from types import SimpleNamespace

import pytest
from committed import RESULTS

from audit.pages import readme
from multistage.records import files as records
from multistage.records.runs import RESULTS_VERSION
from multistage.settings import composition
from multistage.settings.tree import parse

PUBLISHED = sorted(RESULTS.glob("*/records.jsonl"))


def test_the_command_of_an_old_record_repeats_its_settings(record):
    wanted = record(data="caltech101", refine="false", readout="sgd", model="lcn_maxpool")
    del wanted["overrides"]
    command = records.command(wanted)
    assert command == "python train.py data=caltech101 model=lcn_maxpool refine=false readout=sgd"
    assert composition.plan(command.split()[2:]).settings.bearing == parse(wanted["config"]).bearing


def test_a_record_knows_the_command_that_was_typed(record):
    wanted = record(data="digits", optimizer__lr="0.1") | {"overrides": ["optimizer.lr=0.1", "data.root=/my data"]}
    assert records.command(wanted) == "python train.py optimizer.lr=0.1 'data.root=/my data'"


def test_the_table_shows_what_the_records_say(record, published):
    row = readme.table([record(data="caltech101")], published).splitlines()[-1]
    assert row == "| `python train.py data=caltech101 draw=0 seed=0` | 2.0 | 50.00% | 25.00% | 100.00% | 64.7% |"


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.parent.name)
def test_committed_records_are_whole_and_of_this_version(path):
    for entry in records.from_file(path):
        assert entry["results_version"] == RESULTS_VERSION
        total = sum(c["total"] for c in entry["per_class"])
        correct = sum(c["correct"] for c in entry["per_class"])
        assert entry["metrics"]["test_accuracy"] == pytest.approx(correct / total, abs=1e-6)
        shares = [c["correct"] / c["total"] for c in entry["per_class"]]
        assert entry["metrics"]["test_mean_class_accuracy"] == pytest.approx(sum(shares) / len(shares), abs=1e-6)
        assert records.to_lines([entry]).count("\n") == 1


def test_what_to_expect_of_a_command_is_what_its_run_gave(record, published):
    runs = [record(0.61, data="caltech101"), record(0.97)]
    typed = records.command(runs[0])
    assert readme.expected(runs, published, typed) == "2.0 minutes, 61.0 % (mean over classes); the paper has 64.7 %"
    assert readme.expected(runs, published, records.command(runs[1])) == "2.0 minutes, 97.0 % (mean over classes)"
    with pytest.raises(LookupError, match=r"no published run of: python train\.py seed=1"):
        readme.expected(runs, published, "python train.py seed=1")


def test_the_best_of_the_ladder_is_said_of_the_command_that_runs_it(record):
    runs = [record(0.7, draw=1), record(0.72)]
    cell = SimpleNamespace(records=runs)
    top = SimpleNamespace(some=cell, seconds=[1200, 1980])
    typed = records.command(runs[1])
    assert readme.highest(SimpleNamespace(top=top), typed) == "33 minutes on 1 core of 2, 72.0 % (mean over classes)"
    with pytest.raises(LookupError, match=r"no run of the highest rung by: python train\.py seed=9"):
        readme.highest(SimpleNamespace(top=top), "python train.py seed=9")
    assert readme.highest(SimpleNamespace(top=None), typed) == f"not run yet; `{typed}` runs it"
