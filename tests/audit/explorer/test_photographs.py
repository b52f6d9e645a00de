import numpy as np
import pytest
import torch
from committed import REAL_DATA, RESULTS

from audit.explorer import photographs, sets
from multistage.data.images import read_image
from multistage.data.preprocessing import prepare, preprocess
from multistage.registry.errors import DataError

FOLDER = REAL_DATA / "caltech101"
needs_images = pytest.mark.skipif(not FOLDER.exists(), reason="needs Caltech-101 in MULTISTAGE_DATA")


def test_photographs_that_are_written_are_read_again(tmp_path):
    made = {
        name: np.random.default_rng(0).integers(0, 256, (151, side), np.uint8)
        for name, side in (("b", 90), ("c_d", 151))
    }
    photographs.write(tmp_path / "new", made)
    found = photographs.read(tmp_path / "new")
    assert list(found) == list(made)
    assert all(np.array_equal(found[name], made[name]) for name in made)


@needs_images
def test_the_committed_photographs_are_test_images_as_the_network_prepares_them():
    committed = photographs.read(RESULTS / sets.PHOTOGRAPHS)
    chosen = photographs.choose(REAL_DATA, sets.shipped(RESULTS))
    assert list(committed) == list(chosen) == list(photographs.CLASSES)
    assert all(np.array_equal(committed[label], chosen[label]) for label in chosen)
    whole = prepare(read_image(FOLDER / "101_ObjectCategories" / "airplanes" / "image_0001.jpg"))
    assert torch.equal(preprocess(committed["airplanes"]), whole)


@needs_images
def test_images_that_are_missing_and_draws_that_differ_are_refused(tmp_path):
    record = sets.shipped(RESULTS)
    with pytest.raises(DataError, match=r"airplanes/image_0001\.jpg is missing or changed"):
        photographs.choose(tmp_path, record)
    with pytest.raises(DataError, match="cannot be drawn again"):
        photographs.choose(tmp_path, {**record, "split_hash": "0"})
