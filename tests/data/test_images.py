import math
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from multistage.data import images
from multistage.data.images import read_rgb, resize, resize_longer_side, to_colour, to_gray
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
    read = read_rgb(write_image(tmp_path / f"a.{suffix}", pixels))
    assert read.dtype == np.uint8
    assert np.array_equal(read, pixels)


@pytest.mark.parametrize("options", [{}, {"transparency": bytes([9, 99, 255])}], ids=["opaque", "transparent"])
def test_a_palette_gives_its_colours(tmp_path, options):
    image = Image.new("P", (3, 1))
    image.putpalette([*GREEN, *BLUE, *RED])
    image.putdata([2, 0, 1])
    image.save(tmp_path / "a.png", **options)
    assert mode_of(tmp_path / "a.png") == "P"
    assert read_rgb(tmp_path / "a.png").tolist() == [[[*RED], [*GREEN], [*BLUE]]]


def test_alpha_is_left_out(tmp_path, random, write_image):
    colour = random.integers(0, 256, (5, 4, 4), dtype=np.uint8)
    assert np.array_equal(read_rgb(write_image(tmp_path / "rgba.png", colour)), colour[:, :, :3])
    gray = Image.fromarray(colour[:, :, 0])
    gray.putalpha(Image.fromarray(colour[:, :, 3]))
    gray.save(tmp_path / "la.png")
    assert np.array_equal(read_rgb(tmp_path / "la.png"), colour[:, :, 0])


def test_sixteen_bits_keep_the_upper_eight_and_one_bit_is_black_and_white(tmp_path, write_image):
    pixels = np.array([[0, 255, 256], [0x1234, 0xFF00, 0xFFFF]], np.uint16)
    for name in ("a.png", "a.tif"):
        assert read_rgb(write_image(tmp_path / name, pixels)).tolist() == [[0, 0, 1], [0x12, 255, 255]]
    pixels = np.array([[True, False, True]])
    assert read_rgb(write_image(tmp_path / "b.png", pixels)).tolist() == [[255, 0, 255]]


@pytest.mark.parametrize("pixels", [np.full((4, 4), 70_000, np.int32), np.full((4, 4), 0.5, np.float32)])
def test_pixels_that_do_not_fit_are_refused_rather_than_clipped(tmp_path, write_image, refused, pixels):
    path = write_image(tmp_path / "a.tif", pixels)
    with refused(path):
        read_rgb(path)


def test_cmyk_becomes_red_green_blue(tmp_path):
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=95)
    assert mode_of(tmp_path / "a.jpg") == "CMYK"
    read = read_rgb(tmp_path / "a.jpg").astype(int)
    assert read.shape == (16, 16, 3)
    assert abs(read - RED).max() <= 3


@pytest.mark.parametrize("gray", [True, False], ids=["gray", "colour"])
def test_jpeg_is_close(tmp_path, write_image, gray):
    pixels = smooth(40, 50)[:, :, 0] if gray else smooth(40, 50)
    read = read_rgb(write_image(tmp_path / "a.jpg", pixels, quality=95))
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
    assert np.array_equal(read_rgb(path), UPRIGHT[orientation](pixels))


@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_a_truncated_file_is_refused(tmp_path, write_image, refused, kept):
    """TIFF; the other types are damaged in `test_damage`."""
    path = write_image(tmp_path / "a.tif", (60, 50, 3))
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with refused(path):
        read_rgb(path)


@pytest.mark.parametrize("name", ["", "gone.jpg"], ids=["folder", "missing"])
def test_what_is_no_file_is_refused(tmp_path, refused, name):
    with refused(tmp_path / name):
        read_rgb(tmp_path / name)


def image_or_refusal(path):
    try:
        read = read_rgb(path)
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
    paths = [write_image(tmp_path / name, (4, 4)) for name in ("first.png", "second.png")]
    first_opens, second_opens, first_is_done = (threading.Event() for _ in range(3))
    pillow_open = Image.open

    def open_in_turn(path, **options):  # the second begins while the first reads, and ends after it
        mine, awaited = (first_opens, second_opens) if path == paths[0] else (second_opens, first_is_done)
        mine.set()
        awaited.wait(0.5)
        return pillow_open(path, **options)

    monkeypatch.setattr(images.Image, "open", open_in_turn)
    before = list(warnings.filters)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(read_rgb, paths[0])
        first_opens.wait(10)
        second = pool.submit(read_rgb, paths[1])
        first.result()
        first_is_done.set()
        second.result()
    assert warnings.filters == before


def test_the_limit_is_on_the_number_of_pixels(tmp_path, write_image, refused, monkeypatch):
    monkeypatch.setattr(images, "MAX_PIXELS", 100)
    assert read_rgb(write_image(tmp_path / "a.png", (10, 10))).shape == (10, 10)
    path = write_image(tmp_path / "b.png", (10, 11))
    with refused(path, "11x10 pixels"):
        read_rgb(path)


@pytest.mark.parametrize(("colour", "gray"), [(RED, 76), (GREEN, 150), (BLUE, 29), ((255, 255, 255), 255)])
def test_gray_has_the_weights_of_matlab(colour, gray):
    assert to_gray(np.array([[colour]], np.uint8)).tolist() == [[gray]]


def test_gray_levels_are_themselves_in_gray_and_in_colour():
    levels = np.arange(256, dtype=np.uint8)[None]
    assert np.array_equal(to_gray(levels), levels)
    assert np.array_equal(to_gray(to_colour(levels)), levels)
    assert to_colour(levels).shape == (1, 256, 3)
    assert np.array_equal(to_colour(to_colour(levels)), to_colour(levels))


def slow_imresize_axis(row, new_size, scale):
    """MATLAB's contributions(), for one row, counted from 1 as there."""

    def cubic(x):
        x = abs(x)
        if x <= 1:
            return 1.5 * x**3 - 2.5 * x**2 + 1
        return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x <= 2 else 0.0

    size, width = len(row), 4 / min(scale, 1)
    result = []
    for x in range(1, new_size + 1):
        u = x / scale + 0.5 * (1 - 1 / scale)
        left = math.floor(u - width / 2)
        total = weighted = 0.0
        for k in range(left, left + math.ceil(width) + 2):
            weight = min(scale, 1) * cubic(min(scale, 1) * (u - k))
            mirror = (k - 1) % (2 * size)
            total += weight
            weighted += weight * row[mirror if mirror < size else 2 * size - 1 - mirror]
        result.append(weighted / total)
    return result


def slow_imresize(image, height, width, row_scale, column_scale):
    columns = np.array([slow_imresize_axis(column, height, row_scale) for column in image.astype(float).T]).T
    both = np.array([slow_imresize_axis(row, width, column_scale) for row in columns])
    return np.clip(both, 0, 255)


SIZES = [
    ((7, 9), (7, 9)),
    ((7, 9), (14, 18)),
    ((7, 9), (3, 4)),
    ((20, 13), (6, 17)),
    ((1, 5), (4, 2)),
    ((2, 2), (9, 1)),
]
LONGER_SIDES = [((7, 9), (4, 5)), ((9, 7), (20, 16)), ((3, 50), (1, 11))]


@pytest.mark.parametrize(("shape", "new_shape"), SIZES, ids=str)
def test_resize_is_imresize(random, shape, new_shape):
    image = random.integers(0, 256, shape, dtype=np.uint8)
    expected = slow_imresize(image, *new_shape, new_shape[0] / shape[0], new_shape[1] / shape[1])
    assert np.abs(resize(image, *new_shape) - expected).max() <= 0.5 + 1e-9


@pytest.mark.parametrize(("shape", "new_shape"), LONGER_SIDES, ids=str)
def test_resize_longer_side_scales_both_axes_alike(random, shape, new_shape):
    image = random.integers(0, 256, shape, dtype=np.uint8)
    scale = max(new_shape) / max(shape)
    resized = resize_longer_side(image, max(new_shape))
    assert resized.shape == new_shape
    assert np.abs(resized - slow_imresize(image, *new_shape, scale, scale)).max() <= 0.5 + 1e-9


@pytest.mark.parametrize("shape", [(1, 1), (1, 8), (151, 90), (30, 31, 3)], ids=str)
def test_the_same_size_is_the_same_image(random, shape):
    image = random.integers(0, 256, shape, dtype=np.uint8)
    assert np.array_equal(resize(image, *shape[:2]), image)
    assert np.array_equal(resize_longer_side(image, max(shape[:2])), image)


def test_colours_are_resized_one_by_one(random):
    image = random.integers(0, 256, (8, 11, 3), dtype=np.uint8)
    planes = [resize(image[:, :, channel], 5, 17) for channel in range(3)]
    assert np.array_equal(resize(image, 5, 17), np.stack(planes, -1))


@pytest.mark.parametrize("level", [0, 1, 127, 254, 255])
def test_a_flat_image_stays_flat(level):
    assert (resize(np.full((31, 17), level, np.uint8), 12, 40) == level).all()


def test_overshoot_is_clipped_rather_than_wrapped():
    edge = np.zeros((4, 20), np.uint8)
    edge[:, 10:] = 255
    resized = resize(edge, 4, 60)
    assert (np.diff(resized.astype(int), axis=1) >= 0).all()


@pytest.mark.parametrize(
    ("shape", "new_shape"),
    [
        *(((200, 300), (101, 151)), ((302, 100), (151, 50)), ((101, 302), (51, 151)), ((151, 127), (151, 127))),
        *(((10, 10), (151, 151)), ((3000, 1), (151, 1)), ((1, 3000), (1, 151)), ((1, 1), (151, 151))),
    ],
    ids=str,
)
def test_the_longer_side_is_exact_and_the_other_rounded_up(shape, new_shape):
    assert resize_longer_side(np.zeros(shape, np.uint8), 151).shape == new_shape


@pytest.mark.parametrize(("size", "longer_sides"), [(151, (75, 151, 300, 453, 600)), (100, (22, 78)), (150, (18, 66))])
def test_every_size_is_the_next_whole_number(monkeypatch, size, longer_sides):
    monkeypatch.setattr(images, "resize", lambda image, height, width, scale: np.empty((height, width)))
    for longer in longer_sides:
        for side in range(1, longer + 1):
            height, width = resize_longer_side(np.empty((side, longer)), size).shape
            assert width == size
            assert height == -(-side * size // longer)


def test_resizing_real_images_agrees_with_the_authors(golden, real_data):
    demo = golden("authors_rr_demo.npz")
    for index, name in enumerate(demo["names"]):
        ours = resize_longer_side(to_gray(read_rgb(real_data / "caltech101/101_ObjectCategories" / str(name))), 151)
        theirs = demo[f"resized_{index}"]
        assert ours.shape == theirs.shape
        difference = np.abs(ours.astype(int) - theirs)
        assert difference.max() <= 2
        assert difference.mean() < 0.5
