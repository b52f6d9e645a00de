import pytest
from report import invented

from audit.tables.addresses import ABS, BOTH, NEITHER, Folder, cell, find
from multistage.records.paper import letters

some = Folder("some")
FROZEN = {"data": "caltech101", "refine": "false", "readout": "lbfgs"}


@pytest.fixture
def published_runs(tmp_path):
    """Cells of a folder with these runs, as they are read from disk."""
    return lambda *runs: invented.results(tmp_path, some=runs).found


def test_cells_are_found_by_their_settings(record, published_runs):
    found = published_runs(
        record(0.3, **FROZEN),
        record(0.4, **FROZEN, contrast_norm__sigma=2),
        record(0.5, data="caltech101", model="avgpool", optimizer__lr=0.5),
        record(0.6, data="caltech101", stages=1, filters="psd", optimizer__lr=0.5),
        record(0.7, data="mnist", data__train_per_class=10),
        record(0.8, data="mnist", model="avgpool"),
    )
    wanted = {
        some("RR, lbfgs", BOTH): 30,
        some("RR, lbfgs", BOTH, sigma=2): 40,
        some("R+R+", NEITHER): 50,  # at a rate that the paper leaves to be chosen
        some("R+R+", NEITHER, lr=0.5): 50,
        some("U+", BOTH): 60,
        Folder("some", data="mnist")("R+R+", BOTH, labels=10): 70,
        Folder("some", data="mnist")("R+R+", NEITHER): 80,
    }
    assert {name: cell(name, found).mean for name in wanted} == {n: pytest.approx(mean) for n, mean in wanted.items()}
    absent = [some("RR, sgd", BOTH), some("RR, lbfgs", BOTH, sigma=3), some("R+R+", NEITHER, bias=False)]
    absent += [some("U+", BOTH, rate=0.5), Folder("some", data="mnist")("R+R+", BOTH), Folder("other")("R+R+", BOTH)]
    assert [find(name, found) for name in absent] == [None] * len(absent)


def test_another_row_of_a_table_renames_nothing(record, published_runs):
    refined = {"data": "caltech101", "model": "avgpool"}
    runs = [record(0.3, **FROZEN), record(0.4, **refined), record(0.5, **refined, optimizer__lr=0.3)]
    names = [some("RR, lbfgs", BOTH), some("R+R+", NEITHER), some("R+R+", NEITHER, lr=0.3)]
    before = published_runs(*runs)
    means = [cell(name, before).mean for name in names]
    others = [record(0.9, **FROZEN, contrast_norm__sigma=2), record(0.8, **refined, optimizer__lr=0.5)]
    after = published_runs(*runs, *others, record(0.7, **refined, filter_bank__bias="true"))
    assert means == pytest.approx([30, 40, 50])
    assert [cell(name, after).mean for name in names] == means


def test_a_name_that_fits_two_cells_is_refused_with_what_tells_them_apart(record, published_runs):
    rates = [record(0.3, data="caltech101", model="abs_avgpool", optimizer__lr=rate) for rate in (0.2, 0.5)]
    found = published_runs(*rates)
    with pytest.raises(LookupError, match=r"fits 2 cells of some, which differ in optimizer\.lr; name these"):
        find(some("R+R+", ABS), found)
    assert cell(some("R+R+", ABS, lr=0.5), found).config["optimizer.lr"] == 0.5


def test_a_cell_that_is_not_there_is_refused_with_the_nearest_ones(record, published_runs):
    found = published_runs(record(0.3, **FROZEN, model="lcn_maxpool"), record(0.4, data="digits"))
    with pytest.raises(LookupError, match=r"a cell of some that is not published; nearest there: RR, lbfgs \| N-P_M"):
        cell(some("RR, lbfgs", BOTH), found)
    with pytest.raises(LookupError, match="nearest there: none"):
        cell(Folder("other")("R+R+", BOTH), found)
    with pytest.raises(LookupError, match=r"penalty may be psd\.stage1\.penalty or psd\.stage2\.penalty"):
        find(some("U+U+", BOTH, penalty=1), published_runs(record(data="caltech101", filters="psd")))


@pytest.mark.parametrize("row", ["R", "R+", "RR", "U+U+", "UU", "G", "GT", "R+R+R+"])
def test_rows_are_the_papers_letters(row):
    settings = dict(some(row, BOTH).settings)
    assert letters(settings) == row
    assert settings.get("readout") == ("softmax" if "+" in row else None)


@pytest.mark.parametrize("row", ["", "X", "RU", "R+R", "R+, sgd", "RR,sgd"])
def test_what_is_no_row_is_refused(row):
    with pytest.raises(LookupError, match="is not a row; expected the paper's letters"):
        some(row, BOTH)
