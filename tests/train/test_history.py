import json

import pytest

from multistage.settings.composition import CONF
from multistage.train.history import divergence

DIVERGED = {
    ("ablation", "digits/abs_lcn_maxpool/2/random-refined/softmax/draw-0-seed-0"),
    ("ablation", "digits/abs_lcn_maxpool/2/random-refined/softmax/draw-2-seed-2"),
    ("ablation", "digits/abs_lcn_maxpool/2/random-refined/softmax/draw-4-seed-4"),
    ("table1_tuning", "caltech101/abs_avgpool/2/random-refined/softmax/draw-0-seed-0-lr-0.5-validation-5"),
}
"""Published trainings that ended worse than a network that knows nothing; their records stand as they are."""


@pytest.mark.parametrize(
    ("losses", "ends"),
    [
        ([2.0, 30.0, 1.0], None),
        ([2.0, 1.0, 2.4], "2.4, above ln(10) = 2.3 and that of its first epoch, 2"),
        ([0.1, 0.2, 1.1], "1.1, above 10 times that of its first epoch, 0.1"),
        ([2.6, 2.6, 2.61], None),  # it learned nothing, and began with some confidence
        ([1000.0, 2000.0, 900.0], "900, above 10 times ln(10) = 2.3"),
        ([4.0], None),  # the mean of an epoch that began anywhere
        ([40.0], "40, above 10 times ln(10) = 2.3"),
    ],
)
def test_a_training_that_ends_far_above_its_start_or_knows_nothing_has_diverged(losses, ends):
    found = divergence(losses, 10)
    assert found is None if ends is None else ends in found


def test_of_the_published_trainings_four_have_diverged():
    found = set()
    for path in (CONF.parent / "results").glob("*/records.jsonl"):
        for record in map(json.loads, path.read_text().splitlines()):
            soft = record["config"]["readout"] == "softmax"
            if soft and "history" in record and divergence(record["history"]["train_loss"], len(record["per_class"])):
                found.add((path.parent.name, record["run"]))
    assert found == DIVERGED
