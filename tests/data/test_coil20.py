"""COIL-20: its views, their names, and what is refused."""

import numpy as np
import pytest
import torch
from PIL import Image

from multistage.data import listed
from multistage.data.resizing import resize
from multistage.data.sets.coil20 import CONTENT, angle, apart


def test_its_views_are_named_by_object_and_angle(made, load):
    data, dataset = made("coil20"), load("coil20")
    assert dataset.images.shape == (1440, 1, 24, 24)
    assert dataset.class_names == tuple(f"obj{number}" for number in range(1, 21))
    assert dataset.names[72 + 7] == "obj2/35"
    assert torch.bincount(dataset.labels).tolist() == [72] * 20
    assert dataset.labels[72 + 7] == 1
    pixels = np.asarray(Image.open(data.folder / "obj2/obj2__7.png"))
    assert np.array_equal(dataset.images[72 + 7, 0].numpy(), resize(pixels, 24, 24))


def test_it_may_be_unpacked_as_the_archive_has_it(made, load):
    data = made("coil20")
    before = load("coil20")
    (data.folder / "coil-20-proc").mkdir()
    for path in data.files:
        path.rename(data.folder / "coil-20-proc" / path.name)
    assert torch.equal(load("coil20").images, before.images)


@pytest.mark.parametrize("views", [1, 2, 36])
def test_labelled_views_are_drawn_and_all_others_test(made, load, settings, views):
    made("coil20")
    dataset, splits = load("coil20"), []
    for draw in (0, 1):
        drawn = settings("coil20", draw=draw, train_per_class=views, test_per_class=None).draw.of(dataset)
        assert torch.bincount(dataset.labels[drawn.train]).tolist() == [views] * 20
        assert torch.bincount(dataset.labels[drawn.test]).tolist() == [72 - views] * 20
        splits.append(drawn.digest)
    assert splits[0] != splits[1]


def test_a_view_that_is_missing_changed_or_no_image_is_refused(made, load, refused):
    data = made("coil20")
    one, other, *_ = data.files
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(one)
    with refused("coil20 holds images that are not COIL-20", "cave.cs.columbia.edu"):
        load("coil20")
    one.write_bytes(b"no image")
    with refused(one):
        load("coil20")
    one.unlink()
    with refused("lacks 1 views, obj1__0.png", "cave.cs.columbia.edu"):
        load("coil20")
    other.unlink()
    with refused("lacks 2 views"):
        load("coil20")


def test_the_real_views_are_those_of_the_checksum(real_data, load):
    if not (real_data / "coil20").is_dir():
        pytest.skip("COIL-20 is not on this machine")
    listed.cache_clear()
    dataset = load("coil20", root=str(real_data), image_size=96)
    assert dataset.images.shape == (1440, 1, 96, 96)
    assert dataset.content_hash == CONTENT


def test_angles_are_read_from_names_and_measured_around_the_circle():
    assert angle("obj7/355") == ("obj7", 355)
    assert [apart(355, 0), apart(0, 180), apart(10, 200), apart(90, 90)] == [5, 180, 170, 0]
    for name in ("obj7", "obj/5", "ant/1.jpg", "obj7/5/5"):
        with pytest.raises(ValueError, match="is not the name of a view"):
            angle(name)
