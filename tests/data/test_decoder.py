"""Decoded images in the cache are those that this code and this Pillow decode."""

import shutil

import PIL
import pytest

from multistage.data import colour, decoder, images
from multistage.data.files import Files
from multistage.storage import code


@pytest.fixture
def looked(monkeypatch):
    """How many images were read, each time that some were."""
    calls, each = [], Files._each

    def counting(self, indices, count=False):
        calls.append(len(indices)) if len(indices) else None
        return each(self, indices, count)

    monkeypatch.setattr(Files, "_each", counting)
    return calls


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the code, which stands for it."""
    for room in decoder.ROOMS:
        shutil.copytree(code.PACKAGE / room, tmp_path / "package" / room)
    monkeypatch.setattr(code, "PACKAGE", tmp_path / "package")
    code.started.cache_clear()
    yield tmp_path / "package"
    code.started.cache_clear()


CHANGED = ["data/images.py", "data/preprocessing.py", "data/resizing.py", "layers/fast/contrast_norm.py"]


@pytest.mark.parametrize("name", ["image_folder", "caltech101"])
def test_images_are_decoded_again_by_other_code_or_another_pillow(made, load, looked, package, monkeypatch, name):
    made(name)
    load(name)
    load(name)
    once = len(looked)
    for file in CHANGED:
        (package / file).write_text((package / file).read_text() + "\n# other\n")
        code.started.cache_clear()
        load(name)
        load(name)
    assert len(looked) == (1 + len(CHANGED)) * once
    monkeypatch.setattr(PIL, "__version__", "99.0")
    load(name)
    assert len(looked) == (2 + len(CHANGED)) * once


def test_whether_a_folder_has_colour_is_looked_for_again(made, package, monkeypatch):
    root, asked = str(made("image_folder").folder), []
    monkeypatch.setattr(images, "has_colour", lambda path, most: asked.append(path) or False)

    def look():
        colour.colour_of.cache_clear()
        before = len(asked)
        assert colour.colour_of(root, 10**6) == "gray"
        return len(asked) - before

    first = look()
    assert look() == 1  # the first image is always looked at
    (package / "data/images.py").write_text("")
    code.started.cache_clear()
    assert look() == first > 1
