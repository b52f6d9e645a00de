"""The picture of a network's most confident mistakes: which images, in which order, in which place, with which text."""

import csv
import io

import numpy as np
import pytest
import torch
from PIL import Image

from multistage.train import mistakes
from multistage.train.mistakes import ACROSS, CAPTION, DOWN, SIDE


def test_mistakes_are_in_order_of_their_softmax_without_the_images_that_are_right():
    scores = torch.tensor([[3.0, 0], [5, 0], [0, 9], [100, 99], [0, 2]])
    assert mistakes.most_confident(scores, torch.tensor([1, 0, 0, 1, 0])).tolist() == [2, 0, 4, 3]


def test_there_are_no_more_mistakes_than_places_and_the_first_of_equals_come_first():
    places = ACROSS * DOWN
    found = mistakes.most_confident(torch.tensor([[1.0, 0]]).expand(places + 3, 2), torch.ones(places + 3))
    assert found.tolist() == list(range(places))


@pytest.mark.parametrize("maps", [1, 3, 4])
def test_each_image_fills_the_range_of_grey_in_its_place_above_its_caption(maps):
    images = torch.full((ACROSS + 1, maps, 8, 8), -2.0)
    images[:, :, :, 4:] = 6.0
    sheet = Image.open(io.BytesIO(mistakes.picture(images, ACROSS * [("", "")] + [("cat", "is dog")])))
    pixels = np.asarray(sheet)
    assert pixels.shape == (2 * (SIDE + CAPTION), ACROSS * SIDE, 3)
    for number in range(len(images)):
        top, left = number // ACROSS * (SIDE + CAPTION), number % ACROSS * SIDE
        row = pixels[top + SIDE // 2, left : left + SIDE]
        assert (row[20] == 0).all()
        assert (row[SIDE - 20] == 255).all()
        caption = pixels[top + SIDE : top + SIDE + CAPTION, left : left + SIDE]
        assert (caption < 128).any() == (number == ACROSS)


def test_a_run_shows_its_wrong_test_images_with_the_predicted_class_and_the_true_one(plan, do, monkeypatch):
    shown = []
    monkeypatch.setattr(mistakes, "picture", lambda images, captions: shown.append((images, captions)) or b"a picture")
    run = plan("refine=false", "readout=lbfgs", "data.train_per_class=1", "data.test_per_class=5")
    do(run)
    [(images, captions)] = shown
    rows = list(csv.DictReader((run.folder / "predictions.csv").read_text().splitlines()))
    wrong = [row for row in rows if row["predicted"] != row["class"]]
    assert sorted(captions) == sorted((row["predicted"], f"is {row['class']}") for row in wrong)
    assert captions
    dataset = run.settings.data.load()
    numbers = {row["image"]: number for number, row in enumerate(rows)}
    tested = dataset.pixels(run.settings.draw.of(dataset).test)
    expected = [tested[numbers[row["image"]]] for row in wrong]
    assert all(any(torch.equal(image, other) for other in expected) for image in images)
