import numpy as np
import pytest
import torch
from committed import REAL_DATA, RESULTS

from audit.explorer import digits
from multistage.data.dataset import Dataset
from multistage.settings import composition
from multistage.settings.tree import parse


def test_the_first_of_each_class_in_the_test_set_are_chosen():
    labels = torch.arange(10).repeat(6).flip(0)
    images = torch.arange(60, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 28, 28)
    is_test = torch.arange(60) >= 25
    made = Dataset(images, labels, tuple("0123456789"), [str(i) for i in range(60)], is_test, "made")
    chosen = digits.choose(made)
    assert chosen.shape == (2, 10, 28, 28)
    for label in range(10):
        expected = [i for i in range(25, 60) if labels[i] == label][:2]
        assert chosen[:, label, 0, 0].tolist() == expected


def test_an_image_of_digits_gives_them_again(tmp_path):
    made = np.random.default_rng(0).integers(0, 256, (2, 10, 28, 28)).astype(np.uint8)
    (tmp_path / "digits.png").write_bytes(digits.to_png(made))
    assert np.array_equal(digits.read(tmp_path / "digits.png"), made)


@pytest.mark.skipif(not (REAL_DATA / "MNIST").exists(), reason="needs MNIST in MULTISTAGE_DATA")
def test_the_committed_digits_are_mnists():
    config = composition.plan(["data=mnist", f"data.root={REAL_DATA}"]).config
    committed = digits.read(RESULTS / "explorer" / "digits.png")
    assert np.array_equal(committed, digits.choose(parse(config).data.load()))
    assert digits.PER_CLASS * digits.CLASSES >= 12
