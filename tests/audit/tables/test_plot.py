import io
from functools import partial
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from audit.tables import plot
from audit.tables.results import Experiment

SHORT = {"contrast_norm__floor": 0.0001}
LONG = {  # as long as any that is published
    "geometry__stage1__filter_range": 0.02,
    "geometry__stage2__filter_range": 0.02,
    "trainer__max_epochs": 16,
    "optimizer__lr": 0.003,
    "optimizer__weight_decay": 0.05,
    "data__validation": 5,
}
MARGIN = 2  # pixels


@pytest.mark.parametrize("further", [SHORT, LONG], ids=["short", "long"])
@pytest.mark.parametrize("protocols", [1, 25])
def test_no_name_of_a_protocol_is_cut_off(record, published, further, protocols):
    runs = [record(0.3 + i / 100, data="caltech101", contrast_norm__sigma=1 + i, **further) for i in range(protocols)]
    (table,) = Experiment(Path("norb"), runs, published).tables
    assert max(map(len, table.protocols)) > (100 if further is LONG else 10)
    with Image.open(io.BytesIO(plot.png(partial(plot.draw, "invented", [table]), {}))) as picture:
        left, upper, right, lower = ImageOps.invert(picture.convert("L")).getbbox()
        assert min(left, upper, picture.width - right, picture.height - lower) >= MARGIN
