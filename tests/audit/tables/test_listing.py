import json

from committed import RESULTS
from report import invented

from audit.tables import listing
from audit.tables.results import Results
from multistage.records.files import from_file


def figures(text):
    return [json.loads(line.rstrip(",")) for line in text.splitlines()[1:-1]]


def test_every_figure_is_one_line_with_its_runs(tmp_path):
    frozen = [
        invented.record(a, draw, data="caltech101", refine="false", readout="sgd") for draw, a in enumerate((0.6, 0.7))
    ]
    results = invented.results(tmp_path / "results", ablation=[*frozen, invented.record(0.9)])
    text = listing.document(results)
    found = figures(text)
    assert json.loads(text) == found
    assert len(found) == 2 * len(listing.METRICS)
    first = next(each for each in found if each["n"] == 2)
    assert first | {"interval": None} == {
        **{"task": "image classification", "data_set": "caltech101", "protocol": "RR, sgd", "model": "abs_lcn_avgpool"},
        **{"rectify": "abs", "normalise": "lcn", "pool": "average"},
        **{"stages": 2, "metric": "accuracy, mean over classes", "unit": "%", "value": 65.0, "interval": None, "n": 2},
        **{"paper": 62.9, "source": "results/ablation/records.jsonl", "lines": first["lines"]},
    }
    low, high = first["interval"]
    assert low < 60 < 70 < high
    records = results.records("ablation")
    assert sorted(records[line - 1]["config"]["draw"] for line in first["lines"]) == [0, 1]
    assert next(each for each in found if each["n"] == 1)["interval"] is None


def test_every_published_run_is_in_one_figure_of_each_metric():
    found = figures((RESULTS / listing.LISTING).read_text(encoding="utf-8"))
    for file in RESULTS.glob("*/records.jsonl"):
        for metric in listing.METRICS.values():
            source = f"results/{file.parent.name}/records.jsonl"
            lines = [n for each in found if (each["source"], each["metric"]) == (source, metric) for n in each["lines"]]
            assert sorted(lines) == [*range(1, 1 + len(from_file(file)))]
    assert len(Results(RESULTS).experiments) == len({each["source"] for each in found})
