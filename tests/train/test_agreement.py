"""Whatever a run was trained on, and however an image is given to it, it says the same of it, to the last digit."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import multistage
from multistage.cli import predict, train
from multistage.registry.errors import DataError

TURNED = 6
"""EXIF's orientation of an image that lies on its side."""


def pixels(*shape, most=256, kind=np.uint8):
    return np.random.default_rng(sum(shape)).integers(0, most, shape).astype(kind)


def turned():
    exif = Image.Exif()
    exif[0x0112] = TURNED
    return {"exif": exif}


COLOUR = {
    "a.png": (pixels(50, 40, 3), {}),
    "b.jpg": (pixels(31, 77, 3), {}),
    "gray.bmp": (pixels(40, 44), {}),
    "lines.png": (pixels(40, 41) > 127, {}),
    "turned.jpg": (pixels(45, 30, 3), turned()),
}
TRANSPARENT = {
    "a.png": (pixels(50, 40, 4), {}),
    "b.png": (pixels(31, 77, 3), {}),
    "gray.png": (pixels(40, 43, 2), {}),
    "one colour is.png": (pixels(40, 44, 3), {"transparency": (9, 9, 9)}),
}
DEEP = {
    "a.png": (pixels(50, 40, most=2**16, kind=np.uint16), {}),
    "dark.png": (pixels(40, 31, most=2**12, kind=np.uint16), {}),
    "eight bits.png": (pixels(31, 40), {}),
    "float.tif": (pixels(31, 77, most=1000, kind=np.float32) / 1000, {}),
    "long.tif": (pixels(40, 42, most=2**30, kind=np.int32), {}),
}
RUNS = {
    "in colour": (COLOUR, []),
    "in colour, of one map": (COLOUR, ["data.colour=gray"]),
    "in colour, refined": (
        COLOUR,
        ["refine=true", "readout=softmax", "trainer.max_epochs=1", "data.preprocessing=gcn"],
    ),
    "transparent, on black": (TRANSPARENT, ["data.ground=black"]),
    "transparent": (TRANSPARENT, ["data.colour=gray"]),
    "16 bits": (DEEP, []),
    "16 bits, of three maps": (DEEP, ["data.colour=rgb"]),
    "16 bits, luminance and colour": (DEEP, ["data.colour=yuv"]),
}


@pytest.fixture(params=RUNS)
def trained(request, tmp_path, monkeypatch):
    """A tiny run by the real command on a folder of images; its folder, and the folder of images."""
    monkeypatch.setattr("signal.signal", lambda *_: None)
    images, typed = RUNS[request.param]
    for name in ("ant", "bee"):
        (tmp_path / "images" / name).mkdir(parents=True)
        for file, (array, options) in images.items():
            Image.fromarray(array[::-1] if name == "bee" else array).save(tmp_path / "images" / name / file, **options)
    where = [f"data.root={tmp_path / 'images'}", f"output={tmp_path / 'runs'}"]
    small = ["data=image_folder", "data.image_size=40", "data.train_per_class=2", "refine=false", "readout=ridge"]
    assert train.main([*small, *typed, *where]) == 0
    (result,) = (tmp_path / "runs").rglob("result.json")
    return result.parent, tmp_path / "images"


def test_every_way_to_give_an_image_says_the_same(trained, tmp_path):
    run, images = trained
    model = multistage.load(run)
    assert predict.main([str(run), str(images), "--csv", str(tmp_path / "table.csv")]) == 0
    with (tmp_path / "table.csv").open(newline="") as file:
        _, *rows = csv.reader(file)
    paths = [Path(row[0]) for row in rows]
    assert paths == sorted(images.rglob("*.*"))

    def said(given):
        found = model.predict(given)
        return (found.probabilities if found.logistic else found.scores).tolist()

    expected = [[float(value) for value in row[2:]] for row in rows]
    assert said(images) == expected
    assert said(paths) == expected
    assert said([opened(path) for path in paths]) == expected
    assert said([given_as_array(path) for path in paths]) == expected
    data = model.settings.data
    dataset = data.load()
    assert torch.equal(dataset.pixels(torch.arange(len(paths))), torch.stack([model.prepare(path) for path in paths]))
    assert [images / name for name in dataset.names] == paths


def opened(path):
    with Image.open(path) as image:
        image.load()
        return image


def given_as_array(path):
    """An image's pixels; the file, where Pillow has more to tell of it than they do."""
    image = opened(path)
    return path if "transparency" in image.info or image.getexif() else np.asarray(image)


NO_IMAGE = {
    "empty": np.zeros((0, 5)),
    "no number": np.array([["a"]]),
    "object": np.zeros((4, 4), object),
    "complex": np.zeros((4, 4), complex),
    "not finite": np.full((4, 4), np.nan),
    "two floats": np.zeros((4, 4, 2)),
}


@pytest.fixture(scope="module")
def gray(train_once):
    return multistage.load(train_once("refine=false", "readout=ridge")[0].folder)


@pytest.mark.parametrize("name", NO_IMAGE)
def test_an_array_that_is_no_image_is_named(gray, name):
    with pytest.raises(DataError, match=r"an array \[.*is not an image; expected"):
        gray.prepare(NO_IMAGE[name])


def test_levels_may_be_of_any_scale_in_colour_too(gray):
    array = pixels(30, 30, 3) / 255
    assert torch.allclose(gray.prepare(array), gray.prepare(array * 1000), atol=1e-5)
