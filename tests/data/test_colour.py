"""Whether a folder has colour is found out without decoding more than is needed, and once."""

import errno
import os

import numpy as np
import pytest
from PIL import Image, ImageFile

from multistage.data import colour, images
from multistage.data.images import has_colour
from multistage.settings import composition
from multistage.storage import durable

FILES = [f"{label}/{number}" for label in ("ant", "bee") for number in range(2)]


@pytest.fixture
def planned(root):
    """Plans a run on the folder, as a process of its own would, and says which colour it found."""

    def plan(*typed):
        colour.colour_of.cache_clear()
        return composition.plan(["data=image_folder", f"data.root={root}", *typed]).settings.data.colour

    return plan


@pytest.fixture
def decoded(monkeypatch):
    """Sizes of the images that were decoded."""
    sizes, pixels = [], images._pixels
    monkeypatch.setattr(images, "_pixels", lambda image, *rest: sizes.append(image.size) or pixels(image, *rest))
    return sizes


@pytest.fixture
def undecodable(monkeypatch):
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("it was decoded"))


def gray(shape=(40, 48)):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def as_colour(levels):
    return np.repeat(levels[..., None], 3, 2)


@pytest.mark.usefixtures("undecodable")
@pytest.mark.parametrize(
    ("suffix", "pixels"),
    [("jpg", gray()), ("png", gray()), ("png", gray().astype(np.uint16) * 200), ("tif", gray() > 99)],
    ids=["jpg", "png", "16 bits", "1 bit"],
)
def test_what_is_gray_by_its_header_is_not_decoded(root, write_image, planned, suffix, pixels):
    for name in FILES:
        write_image(root / f"{name}.{suffix}", pixels)
    assert planned() == "gray"


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_gray_images_saved_as_colour_are_decoded_once(root, write_image, planned, decoded, suffix):
    for name in FILES:
        write_image(root / f"{name}.{suffix}", as_colour(gray()))
    assert planned() == "gray"
    assert len(decoded) >= len(FILES)
    assert set(decoded) == {(6, 5) if suffix == "jpg" else (48, 40)}  # a JPEG at an eighth of its size
    decoded.clear()
    assert composition.plan(["data=image_folder", f"data.root={root}"]).settings.data.colour == "gray"
    assert decoded == []
    assert planned() == "gray"
    assert len(decoded) == 1  # the first image is looked at before the cache


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_file_that_becomes_colour_is_noticed(root, write_image, planned, suffix):
    paths = [write_image(root / f"{name}.{suffix}", as_colour(gray())) for name in FILES]
    assert planned() == "gray"
    pixels, before = as_colour(gray()), paths[-1].stat()
    pixels[:16, :16] = (200, 30, 90)
    write_image(paths[-1], pixels)
    os.utime(paths[-1], ns=(before.st_atime_ns, before.st_mtime_ns))  # as copying may
    assert planned() == "rgb"
    assert planned("data.max_pixels=9") == "gray"  # as long as all of them are refused
    paths[-1].unlink()
    assert planned() == "gray"


def test_a_folder_of_colour_needs_its_first_image_only(root, write_image, planned, decoded, cache_folder):
    for name in FILES:
        write_image(root / f"{name}.png", (40, 48, 3))
    assert planned() == "rgb"
    assert len(decoded) == 1
    assert not cache_folder.exists()


def test_a_disk_that_fails_while_colour_is_sought_is_named_and_not_remembered(
    root, write_image, planned, refused, monkeypatch
):
    for name in FILES:
        write_image(root / f"{name}.png", as_colour(gray()))
    last, opened = write_image(root / "bee/9.png", (40, 48, 3)), durable.opened

    def failing(path):
        if path == last:
            raise OSError(errno.EIO, "Input/output error")
        return opened(path)

    with monkeypatch.context() as patch:
        patch.setattr(durable, "opened", failing)
        with refused(last, "Input/output error; run again"):
            planned()
    assert planned() == "rgb"


def test_what_is_no_image_or_not_there_has_no_colour(tmp_path, write_image, monkeypatch):
    (tmp_path / "a.png").write_bytes(b"hello")
    assert not has_colour(tmp_path / "a.png")
    assert not has_colour(tmp_path / "nowhere.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)  # twice which Pillow refuses by itself
    path = write_image(tmp_path / "b.png", (9, 9, 3))
    assert not has_colour(path, most=30)
    assert has_colour(path, most=81)
