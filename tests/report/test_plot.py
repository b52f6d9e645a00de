import pytest
from PIL import Image

from multistage.report import layout, plot
from multistage.report.cells import cells


@pytest.mark.parametrize(
    "further", [{}, {"contrast_norm__floor": 0.0001, "optimizer__lr": 0.003, "data__validation": 5}]
)
@pytest.mark.parametrize("protocols", [1, 25])
def test_no_name_of_a_protocol_is_cut_off(record, published, tmp_path, further, protocols):
    runs = [record(0.3 + i / 100, data="caltech101", contrast_norm__sigma=1 + i, **further) for i in range(protocols)]
    plot.draw("invented", layout.tables(cells(runs, published), published), {}, tmp_path / "table.png")
    with Image.open(tmp_path / "table.png") as picture:
        width, height = picture.size
        for edge in ((0, 0, 2, height), (width - 2, 0, width, height), (0, height - 2, width, height)):
            assert picture.convert("L").crop(edge).getextrema() == (255, 255)
