import pytest
import torch

from multistage.data.dataset import Dataset
from multistage.data.overview import overview
from multistage.data.splits import draw_split


@pytest.mark.parametrize("at_a_time", [1, 2, 100])
def test_an_overview_counts_what_is_there_and_what_is_used(monkeypatch, at_a_time):
    monkeypatch.setattr("multistage.data.overview.AT_A_TIME", at_a_time)
    labels = torch.tensor([0, 0, 0, 1, 1, 1, 1])
    images = torch.arange(7 * 3 * 4).reshape(7, 3, 2, 2).to(torch.uint8)
    images[3:5] = 7
    names = [f"{'ab'[label]}/{n}" for n, label in enumerate(labels.tolist())]
    seen = {"skipped": ("x",), "notes": ("something was seen",), "several": (1, 6)}
    dataset = Dataset(images, labels, ("a", "b"), names, None, "", **seen)
    assert overview(dataset, draw_split(dataset, 0, 2, None, 1)) == {
        "images": 7,
        "classes": 2,
        "train": 2,
        "validation": 2,
        "test": 3,
        "smallest": ["a", 3],
        "largest": ["b", 4],
        "colour": "rgb",
        "flat": 2,
        "notes": [
            "something was seen",
            "2 flat, without any contrast: b/3, b/4",
            "of 2 with pages or frames the first is used: a/1, b/6",
            "1 damaged, missing or unexpected files are left out: x",
        ],
    }
