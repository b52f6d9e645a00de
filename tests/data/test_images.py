import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from data.damage import png_claiming, png_of
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from multistage.data import images
from multistage.data.images import read_image, to_colour, to_gray
from multistage.data.resizing import resize_longer_side
from multistage.data.sets.image_folder import ImageFolder
from multistage.registry.errors import DataError

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


@pytest.fixture
def random():
    return np.random.default_rng(0)


def smooth(height, width):
    rows, columns = np.mgrid[:height, :width]
    planes = [128 + 90 * np.sin(rows / 9 + k) * np.cos(columns / 7 - k) for k in range(3)]
    return np.rint(np.stack(planes, -1)).astype(np.uint8)


def mode_of(path):
    with Image.open(path) as image:
        return image.mode


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "ppm"])
@pytest.mark.parametrize("shape", [(6, 4), (6, 4, 3)], ids=["gray", "colour"])
def test_lossless_files_give_their_pixels(tmp_path, write_image, random, suffix, shape):
    pixels = random.integers(0, 256, shape, dtype=np.uint8)
    read = read_image(write_image(tmp_path / f"a.{suffix}", pixels))
    assert read.dtype == np.uint8
    assert np.array_equal(read, pixels)


@pytest.mark.parametrize(
    ("options", "colours"),
    [({}, [RED, GREEN, BLUE]), ({"transparency": bytes([9, 99, 255])}, [RED, (246, 255, 246), (156, 156, 255)])],
    ids=["opaque", "transparent, on white"],
)
def test_a_palette_gives_its_colours(tmp_path, options, colours):
    image = Image.new("P", (3, 1))
    image.putpalette([*GREEN, *BLUE, *RED])
    image.putdata([2, 0, 1])
    image.save(tmp_path / "a.png", **options)
    assert mode_of(tmp_path / "a.png") == "P"
    assert read_image(tmp_path / "a.png", "white").tolist() == [[*map(list, colours)]]


@pytest.mark.parametrize(("ground", "level"), [("white", 255), ("black", 0)])
def test_transparent_pixels_show_the_ground(tmp_path, random, write_image, ground, level):
    colour = random.integers(0, 256, (5, 4, 4), dtype=np.uint8)
    opacity = colour[..., 3:] / 255
    expected = np.rint(colour[..., :3] * opacity + level * (1 - opacity))
    assert np.array_equal(read_image(write_image(tmp_path / "rgba.png", colour), ground), expected)
    gray = Image.fromarray(colour[:, :, 0])
    gray.putalpha(Image.fromarray(colour[:, :, 3]))
    gray.save(tmp_path / "la.png")
    assert np.array_equal(read_image(tmp_path / "la.png", ground), expected[..., 0])


@pytest.mark.parametrize(("ink", "ground"), [(0, 255), (255, 0)])
def test_a_drawing_lies_on_the_ground_that_shows_it(tmp_path, write_image, ink, ground):
    drawing = np.full((6, 6, 4), ink, np.uint8)
    drawing[..., 3] = 0
    drawing[2:4, 2:4, 3] = 255
    read = read_image(write_image(tmp_path / "a.png", drawing))
    assert (read[0, 0, 0], read[2, 2, 0]) == (ground, ink)


def test_opaque_images_with_an_alpha_channel_are_their_colours(tmp_path, random, write_image):
    colour = random.integers(0, 256, (5, 4, 4), dtype=np.uint8)
    colour[..., 3] = 255
    assert np.array_equal(read_image(write_image(tmp_path / "a.png", colour)), colour[..., :3])


def test_more_than_eight_bits_are_kept_and_one_bit_is_black_and_white(tmp_path, write_image):
    pixels = np.array([[0, 255, 256], [0x1234, 0xFF00, 0xFFFF]], np.uint16)
    for name in ("a.png", "a.tif"):
        assert read_image(write_image(tmp_path / name, pixels)).tolist() == pixels.tolist()
    pixels = np.array([[True, False, True]])
    assert read_image(write_image(tmp_path / "b.png", pixels)).tolist() == [[255, 0, 255]]


@pytest.mark.parametrize("pixels", [np.full((4, 4), 70_000, np.int32), np.full((4, 4), 0.5, np.float32)])
def test_thirty_two_bits_are_kept(tmp_path, write_image, pixels):
    assert np.array_equal(read_image(write_image(tmp_path / "a.tif", pixels)), pixels)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_pixels_that_are_no_numbers_are_refused(tmp_path, write_image, refused, value):
    path = write_image(tmp_path / "a.tif", np.full((4, 4), value, np.float32))
    with refused(path, "not finite numbers"):
        read_image(path)


def test_many_notes_beside_an_image_are_no_reason_to_refuse_it(tmp_path):
    notes = PngInfo()
    notes.add_text("note", "x" * 3_000_000, zip=True)
    Image.new("L", (4, 4), 7).save(tmp_path / "a.png", pnginfo=notes)
    assert (read_image(tmp_path / "a.png") == 7).all()


@pytest.mark.parametrize(
    ("mode", "size", "of_maps"),
    [
        *(("L", (1, 9_000_000), to_gray), ("RGB", (2_000_000, 3), to_colour), ("L", (4096, 4096), to_colour)),
        *(("RGB", (4096, 4096), to_colour), ("RGB", (7000, 7000), to_gray)),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_an_image_of_any_shape_takes_little_more_memory_than_its_pixels(tmp_path, peak, mode, size, of_maps):
    Image.new(mode, size, (9, 9, 9)[: len(mode)]).save(tmp_path / "a.png", compress_level=1)
    resized = []
    taken = peak(lambda: resized.append(resize_longer_side(of_maps(read_image(tmp_path / "a.png")), 151)))
    width, height = size
    assert taken < (len(mode) + 8) * width * height + 8 * height + 20e6  # Pillow has a pointer to each row
    assert max(resized[0].shape) == 151
    assert (resized[0] == 9).all()


def test_cmyk_becomes_red_green_blue(tmp_path):
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=95)
    assert mode_of(tmp_path / "a.jpg") == "CMYK"
    read = read_image(tmp_path / "a.jpg").astype(int)
    assert read.shape == (16, 16, 3)
    assert abs(read - RED).max() <= 3


@pytest.mark.parametrize("gray", [True, False], ids=["gray", "colour"])
def test_jpeg_is_close(tmp_path, write_image, gray):
    pixels = smooth(40, 50)[:, :, 0] if gray else smooth(40, 50)
    read = read_image(write_image(tmp_path / "a.jpg", pixels, quality=95))
    assert read.shape == pixels.shape
    assert np.abs(read.astype(int) - pixels).max() <= 12
    assert np.abs(read.astype(int) - pixels).mean() < 2


UPRIGHT = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: np.swapaxes(a, 0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(np.swapaxes(a, 0, 1), 2),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 3)], ids=["gray", "colour"])
def test_the_orientation_in_the_file_is_undone(tmp_path, write_image, random, orientation, shape):
    pixels = random.integers(0, 256, shape, dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = write_image(tmp_path / "a.png", pixels, exif=exif)
    assert np.array_equal(read_image(path), UPRIGHT[orientation](pixels))


@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_a_truncated_file_is_refused(tmp_path, write_image, refused, kept):
    """TIFF; the other types are damaged in `test_damage`."""
    path = write_image(tmp_path / "a.tif", (60, 50, 3))
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with refused(path):
        read_image(path)


@pytest.mark.parametrize("name", ["", "gone.jpg"], ids=["folder", "missing"])
def test_what_is_no_file_is_refused(tmp_path, refused, name):
    with refused(tmp_path / name):
        read_image(tmp_path / name)


def image_or_refusal(path):
    try:
        read = read_image(path)
    except DataError as error:
        read = str(error)
    if isinstance(read, str):
        assert str(path) in read
        assert len(read.splitlines()) == 1
    else:
        assert read.dtype == np.uint8
    return read


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.gif", "a.bmp"])
def test_damage_anywhere_gives_an_image_or_a_data_error(tmp_path, write_image, name):
    path = write_image(tmp_path / name, (9, 7, 3))
    content, random = path.read_bytes(), np.random.default_rng(0)
    refusals = 0
    for _ in range(150):
        damaged = bytearray(content)
        for position in random.integers(0, len(content), 2):
            damaged[position] = random.integers(256)
        path.write_bytes(damaged[: random.integers(len(content) // 2, 2 * len(content))])
        refusals += isinstance(image_or_refusal(path), str)
    assert refusals == 150 if name == "a.png" else 10 < refusals < 150  # PNG has checksums


def test_odd_exif_gives_an_image_or_a_data_error(tmp_path, write_image):
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "hello"
    path = write_image(tmp_path / "a.jpg", (9, 7, 3), exif=exif)
    content = path.read_bytes()
    assert content.count(b"\x01\x0e\x00\x02") == 1
    path.write_bytes(content.replace(b"\x01\x0e\x00\x02", b"\x01\x15\x00\x02"))  # a number of samples that is a text
    read = image_or_refusal(path)
    assert isinstance(read, str) or read.shape == (7, 9, 3)


def test_reading_in_two_threads_leaves_the_warning_filters_alone(tmp_path, write_image, monkeypatch):
    paths = [write_image(tmp_path / name, (4, 4)) for name in ("first.bmp", "second.bmp")]
    first_opens, second_opens, first_is_done = (threading.Event() for _ in range(3))
    pillow_open = Image.open

    def open_in_turn(file, **options):  # the second begins while the first reads, and ends after it
        mine, awaited = (first_opens, second_opens) if Path(file.name) == paths[0] else (second_opens, first_is_done)
        mine.set()
        awaited.wait(0.5)
        return pillow_open(file, **options)

    monkeypatch.setattr(images.Image, "open", open_in_turn)
    before = list(warnings.filters)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(read_image, paths[0])
        assert first_opens.wait(10)
        second = pool.submit(read_image, paths[1])
        first.result()
        first_is_done.set()
        second.result()
    assert warnings.filters == before


def test_the_limit_is_on_the_number_of_pixels(tmp_path, write_image, refused):
    assert read_image(write_image(tmp_path / "a.png", (10, 10)), most=100).shape == (10, 10)
    path = write_image(tmp_path / "b.png", (10, 11))
    with refused(path, "11x10 pixels, more than data.max_pixels=100"):
        read_image(path, most=100)


def test_a_raised_limit_is_not_that_of_pillow(tmp_path, write_image, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    path = write_image(tmp_path / "a.png", (10, 10))
    assert read_image(path, most=100).shape == (10, 10)
    assert Image.MAX_IMAGE_PIXELS == 10


@pytest.mark.parametrize(("size", "together"), [((9, 9), 8), ((4000, 3000), 4), ((7000, 7000), 1), ((9000, 9000), 1)])
def test_threads_hold_few_large_images_at_once(monkeypatch, size, together):
    """And the room that one had is free again when it was refused."""
    inside, most = [], []

    def decode(self, content):
        inside.append(content)
        most.append(len(inside))
        time.sleep(0.05)
        inside.pop()
        raise DataError("is damaged")

    monkeypatch.setattr(ImageFolder, "decode", decode)
    with ThreadPoolExecutor(8) as pool:
        work = [pool.submit(ImageFolder().prepared, png_claiming(*size)) for _ in range(8)]
        refusals = [done.exception() for done in work]
    assert [str(refusal) for refusal in refusals] == ["is damaged"] * 8
    assert max(most) <= together


@pytest.mark.parametrize(("kind", "maps"), [(4, 2), (6, 4)], ids=["gray and opacity", "colour and opacity"])
def test_opacity_hides_no_loss_of_depth(tmp_path, refused, kind, maps):
    """Twelve bits in files of sixteen, of which Pillow gives the upper eight."""
    levels = np.full((4, 4, maps), 65535, ">u2")
    levels[..., :-1] = 4095 * np.arange(4)[:, None, None] / 3
    (tmp_path / "a.png").write_bytes(png_of(levels, kind))
    with refused("16 bits a colour of which the upper ones are next to empty"):
        read_image(tmp_path / "a.png")


def test_lab_is_colour(tmp_path):
    Image.new("LAB", (4, 4), (150, 190, 90)).save(tmp_path / "a.tif")
    assert mode_of(tmp_path / "a.tif") == "LAB"
    assert images.has_colour(tmp_path / "a.tif")


@pytest.mark.parametrize("size", [(0, 0), (5, 0), (0, 5)], ids=str)
def test_an_image_without_pixels_is_refused(refused, size):
    with refused("the image has no pixels"):
        read_image(Image.new("RGB", size))
