import json

import pytest

from audit.tables.addresses import addresses, cell


@pytest.fixture
def results(tmp_path, record):
    """One folder, with two data sets that have a cell of the same name."""
    runs = [
        record(0.3, data="caltech101", refine="false", readout="lbfgs", model="lcn_maxpool"),
        record(0.4, data="caltech101", refine="false", readout="lbfgs"),
        record(0.9, data="digits"),
        record(0.8, data="mnist"),
        record(0.7, data="mnist", model="avgpool"),
    ]
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "records.jsonl").write_text("".join(json.dumps(run) + "\n" for run in runs), encoding="utf-8")
    return tmp_path


def test_addresses_go_row_by_row_and_leave_out_those_that_two_data_sets_share(results, published):
    assert list(addresses(results, published)) == [
        ("some", "RR, lbfgs", "R_abs-N-P_A"),
        ("some", "RR, lbfgs", "N-P_M"),
        ("some", "refined", "avgpool"),
    ]


def test_a_cell_that_is_not_there_is_refused_with_the_nearest_ones(results, published):
    found = addresses(results, published)
    assert cell(("some", "refined", "avgpool"), found).mean == pytest.approx(70)
    with pytest.raises(LookupError, match=r"not published; nearest: some \| RR, lbfgs \| N-P_M"):
        cell(("some", "RR, lbfg", "N-P_M"), found)
    with pytest.raises(LookupError, match="nearest: none"):
        cell(("0", "0", "0"), found)
