"""A cell has the runs of equal settings from every folder of results."""

import pytest
from report import invented

from audit.tables.addresses import Folder, find

FROZEN = {"data": "caltech101", "refine": "false", "readout": "lbfgs"}


def test_runs_of_equal_settings_count_in_whichever_folder_they_are(record, tmp_path):
    """Of a preset and of its operations typed one by one; a run of its own folder stays; others do not count."""
    own = record(0.5, 0, model="relu_lcn_avgpool", **FROZEN)
    further = [record(0.4 + draw / 100, draw, model__rectify="relu", **FROZEN) for draw in range(3)]
    other = record(0.9, 4, model__rectify="relu", contrast_norm__kernel_size=7, **FROZEN)
    results = invented.results(tmp_path, beyond_table1=[own], grid=[*further, other])
    cell = find(Folder("beyond_table1")("RR, lbfgs", "relu_lcn_avgpool"), results.joined)
    assert cell.values == pytest.approx([50, 41, 42])
    alone = find(Folder("beyond_table1")("RR, lbfgs", "relu_lcn_avgpool"), results.found)
    assert alone.values == pytest.approx([50])
    assert find(Folder("grid")("RR, lbfgs", "abs_lcn_avgpool", rectify="relu"), results.joined).n == 3


def test_runs_of_other_images_do_not_count(record, tmp_path):
    own, other = record(0.5, 0, **FROZEN), record(0.5, 1, **FROZEN)
    other["data_hash"] = "other images"
    results = invented.results(tmp_path, table1=[own], ablation=[other])
    assert find(Folder("table1")("RR, lbfgs", "abs_lcn_avgpool"), results.joined).n == 1
