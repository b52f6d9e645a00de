"""Against the output of the authors' own code; see the README beside the original of tests/golden/."""

from pathlib import Path

import numpy as np
import pytest
import torch

from multistage import MultiStageNet
from multistage.data.preprocessing import preprocess
from multistage.layers.contrast_norm import gaussian_window
from multistage.network.shapes import StageGeometry
from multistage.operations import Filtering, Operations

HERE = Path(__file__).parent
FILES = {
    "drawn": HERE / "golden" / "authors_rr_synthetic.npz",
    "real": HERE.parents[1] / "shared" / "golden" / "authors_rr_demo.npz",
}


@pytest.fixture(scope="module", params=FILES)
def golden(request):
    path = FILES[request.param]
    if request.param == "real" and not path.exists():
        pytest.skip(f"{path} may not be published")
    return dict(np.load(path))


def kernels(golden, stage):
    name = f"kernels{stage}"
    return torch.from_numpy(golden[name] if name in golden else golden[f"{name}_x1024"] / 1024)


def authors_network(golden):
    stages = [StageGeometry(64, 9, 10, 5), StageGeometry(256, 9, 6, 4, 16)]
    net = MultiStageNet(
        (1, 143, 143), 102, stages, Operations(filter_bank=Filtering(squash="none", gain=False))
    ).double()
    sources, targets = golden["connections2"].astype(np.int64).T
    by_target = np.argsort(targets, kind="stable")
    assert targets[by_target].tolist() == np.repeat(np.arange(256), 16).tolist()
    first, second = net.filter_banks
    first.kernels.data = kernels(golden, 1).view(64, 1, 9, 9)
    second.kernels.data = kernels(golden, 2)[by_target].view(256, 16, 9, 9)
    second.connections = torch.from_numpy(sources[by_target]).view(256, 16)
    return net


def features(net, golden):
    with torch.no_grad():
        return net.features(torch.from_numpy(golden["preprocessed"]).double()[:, None]).numpy()


def test_features_are_the_authors(golden):
    expected = golden["features"].reshape(4, 4096)
    np.testing.assert_allclose(features(authors_network(golden), golden), expected, rtol=0, atol=1e-6)


def test_features_of_turned_kernels_are_not(golden):
    net = authors_network(golden)
    net.filter_banks[1].kernels.data = net.filter_banks[1].kernels.flip(-2, -1)
    golden = {key: golden[key][:1] for key in ("preprocessed", "features")}
    assert np.abs(features(net, golden) - golden["features"].reshape(1, 4096)).max() > 0.01


def test_preprocessing_is_the_authors(golden):
    for number, expected in enumerate(golden["preprocessed"]):
        image = preprocess(golden[f"resized_{number}"])
        assert image.shape == (1, 143, 143)
        assert image.dtype == torch.float32
        np.testing.assert_allclose(image[0], expected, rtol=0, atol=1e-5)


def test_the_thesis_two_pass_variance_is_another_preprocessing(golden):
    difference = np.stack(
        [preprocess(golden[f"resized_{n}"], "two_pass")[0].numpy() - golden["preprocessed"][n] for n in range(4)]
    )
    assert np.abs(difference).max() > 0.05
    assert np.sqrt((difference**2).mean()) < 0.03


def test_the_window_is_the_authors(golden):
    window = gaussian_window(9).numpy()
    np.testing.assert_allclose(np.outer(window, window), golden["window"], rtol=0, atol=1e-15)
