"""Horizontal against vertical stripes: an example of a data set."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from multistage.data import DataSet, data_sets

if TYPE_CHECKING:
    from multistage.data.dataset import Dataset


@data_sets.register("stripes")
@dataclass(frozen=True)
class Stripes(DataSet):
    """Two classes, thirty noisy images each."""

    def read(self) -> "Dataset":
        import torch

        from multistage.data.dataset import Dataset, hash_tensors

        side, random = self.image_size, torch.Generator().manual_seed(0)
        wave = (torch.arange(side) // 2 % 2 * 150).float()
        planes = torch.stack([wave[:, None].expand(side, side), wave.expand(side, side)])
        labels = torch.arange(60) % 2
        images = (planes[labels] + 100 * torch.rand(60, side, side, generator=random)).byte()[:, None]
        names = [str(index) for index in range(60)]
        return Dataset(images, labels, ("rows", "columns"), names, None, hash_tensors(images, labels))
