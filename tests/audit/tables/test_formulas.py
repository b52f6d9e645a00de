"""Tables are opened in spreadsheets: names of classes and of files are no formulas there."""

import csv

import pytest
import torch
from report import invented

from audit.tables.results import Experiment
from audit.tables.tables import to_csv
from multistage.registry.words import harmless
from multistage.train.evaluation import Predictions, confusion_table, prediction_table

NAMES = ("@SUM(1+1)", "=1+1", "+1+1", "-1+2", "\tx", "plain", "a=b", "'@x")
SHOWN = ["'@SUM(1+1)", "'=1+1", "'+1+1", "'-1+2", "'\tx", "plain", "a=b", "'@x"]


def cells(text):
    return list(csv.reader(text.splitlines()))


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r"])
def test_whatever_begins_a_formula_has_an_apostrophe_before_it(first):
    assert harmless(f"{first}x") == f"'{first}x"


def test_names_of_classes_are_no_formulas_in_the_confusions():
    counts = torch.arange(64).reshape(8, 8)
    header, *rows = cells(confusion_table(counts, NAMES))
    assert header == ["true class", *SHOWN]
    assert [row[0] for row in rows] == SHOWN
    assert [[int(count) for count in row[1:]] for row in rows] == counts.tolist()


@pytest.mark.parametrize("logistic", [True, False])
def test_names_of_classes_and_images_are_no_formulas_among_predictions(logistic):
    said = Predictions(NAMES, torch.eye(8) - 2, logistic)
    header, *rows = cells(prediction_table(NAMES, torch.arange(8).flip(0), said))
    assert header == ["image", "class", "predicted", "probability" if logistic else "margin"]
    assert [row[:3] for row in rows] == [list(each) for each in zip(SHOWN, SHOWN[::-1], SHOWN, strict=True)]
    assert all(float(row[3]) > -3 for row in rows)


def test_names_of_a_foreign_record_are_no_formulas_in_the_table_of_results(tmp_path, published):
    record = invented.record(data="digits")
    record["config"]["model"] = "=HYPERLINK(1)"
    del record["run"]
    header, row = cells(to_csv(Experiment(tmp_path, [record], published)))
    assert row[header.index("model")] == "'=HYPERLINK(1)"
    assert not [cell for cell in row if cell.startswith(("=", "@", "+"))]
