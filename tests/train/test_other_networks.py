"""Networks and training loops of others, with contrast normalisation in them, learn real photographs."""

import os
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn
from torchvision import models
from torchvision.transforms.functional import to_tensor

from multistage import LocalContrastNorm

FLOWERS = Path(os.environ.get("MULTISTAGE_DATA", "../shared/data")).resolve() / "flowers"  # before tests have their own
EACH, SIDE, STEPS = 4, 64, 10

pytestmark = [
    pytest.mark.skipif(not FLOWERS.is_dir(), reason="the flowers are not here"),
    pytest.mark.filterwarnings("ignore::UserWarning"),  # Lightning's advice on loaders and logs
]


@pytest.fixture(scope="module")
def flowers():
    """Images [n, 3, side, side] and labels of five kinds."""
    images, labels = [], []
    for label, folder in enumerate(sorted(path for path in FLOWERS.iterdir() if path.is_dir())):
        for file in sorted(folder.iterdir())[:EACH]:
            with Image.open(file) as image:
                images.append(to_tensor(image.convert("RGB").resize((SIDE, SIDE))) - 0.5)
            labels.append(label)
    return torch.stack(images), torch.tensor(labels)


def resnet():
    torch.manual_seed(0)
    return models.resnet18(norm_layer=lambda channels: LocalContrastNorm(9), num_classes=5)


def losses(net, images, labels):
    optimiser = torch.optim.SGD(net.parameters(), lr=0.001, momentum=0.9)
    found = []
    for _ in range(STEPS):
        loss = F.cross_entropy(net(images), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        found.append(loss.item())
    return found


@pytest.mark.parametrize("wrapped", [lambda net: net, nn.DataParallel], ids=["alone", "DataParallel"])
def test_a_resnet_of_torchvision_learns(flowers, wrapped):
    first, *_, last = losses(wrapped(resnet()), *flowers)
    assert last < 0.8 * first


class Learner(pl.LightningModule):
    """As in Lightning's own examples."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(
            nn.Conv2d(3, 16, 5, 2), nn.ReLU(inplace=True), LocalContrastNorm(9), nn.AvgPool2d(6), nn.Flatten(),
            nn.Linear(16 * 25, 5),
        )  # fmt: skip
        self.losses = []

    def training_step(self, batch, _):
        images, labels = batch
        loss = F.cross_entropy(self.net(images), labels)
        self.losses.append(loss.item())
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 0.01)


def test_a_module_of_lightning_learns(flowers, tmp_path):
    learner = Learner()
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*flowers), batch_size=len(flowers[0]))
    silent = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    pl.Trainer(max_epochs=STEPS, accelerator="cpu", default_root_dir=tmp_path, **silent).fit(learner, loader)
    assert learner.losses[-1] < 0.7 * learner.losses[0]
