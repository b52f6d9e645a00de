"""A folder of images and no other setting: the network is far above chance, and the run says what it saw."""

import numpy as np
import pytest
from PIL import Image

import train

pytestmark = pytest.mark.slow
CLASSES, IMAGES = ("bars", "rings"), 20  # of each class, four of them test images


def drawing(label, random):
    """Ink between 0 and 1 on 40 x 48 pixels: upright bars or rings, anywhere, of any width."""
    rows, columns = np.mgrid[:40, :48].astype(float)
    row, column = random.uniform(10, 30, 2)
    distance = columns if label == "bars" else np.hypot(rows - row, columns - column)
    return (
        0.5
        + 0.5 * np.sin(distance * random.uniform(0.6, 1.0) + random.uniform(0, 6))
        + random.normal(0, 0.1, rows.shape)
    )


def sixteen_bits(ink, file):
    """As from a microscope's camera: 16 bits a pixel, of which few are used."""
    Image.fromarray((300 + 400 * ink).clip(0).astype(np.uint16)).save(file.with_suffix(".tif"))


def transparent(ink, file):
    """Black ink; all that there is to see is in the alpha channel."""
    Image.fromarray(np.dstack([np.zeros((*ink.shape, 3)), (255 * ink).clip(0, 255)]).astype(np.uint8)).save(file)


def coloured(ink, file):
    Image.fromarray((ink[:, :, None] * [220, 120, 60] + 20).clip(0, 255).astype(np.uint8)).save(file)


FOLDERS = {
    "16-bit": (sixteen_bits, "{label}/{number}", "gray"),
    "transparent": (transparent, "{label}/{number}", "gray"),
    "nested": (coloured, "{label}/{year}/{number}", "rgb"),
    "train and val": (coloured, "{part}/{label}/{number}", "rgb"),
}


@pytest.mark.parametrize("kind", FOLDERS)
def test_a_folder_alone_gives_a_sensible_network(kind, tmp_path, capsys):
    save, place, colour = FOLDERS[kind]
    random = np.random.default_rng(0)
    for label in CLASSES:
        for number in range(IMAGES):
            part, year = "val" if number < 4 else "train", 2020 + number % 3
            file = tmp_path / "own" / f"{place.format(label=label, number=number, part=part, year=year)}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            save(drawing(label, random), file)
    own = ["data=image_folder", f"data.root={tmp_path / 'own'}", f"output={tmp_path / 'runs'}"]
    code = train.main([*own, "trainer.max_epochs=80"])  # of 400, for the sake of the minutes
    shown = capsys.readouterr().out
    assert code == 0
    assert f"40 {colour} in 2 classes" in shown
    accuracy = float(shown.split("test accuracy")[1].split("%")[0])
    assert accuracy >= 87.5, shown  # seven of eight
