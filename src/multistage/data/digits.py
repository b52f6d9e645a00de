"""The 1,797 handwritten digits that come with scikit-learn (8x8, from the UCI repository), resized."""

import numpy as np
import torch
from sklearn.datasets import load_digits

from multistage.config import Config
from multistage.data.dataset import Dataset, hash_tensors
from multistage.data.images import resize


def load(config: Config) -> Dataset:
    """All digits, uint8 [1797, 1, size, size], gray levels 0-16 spread over 0-255."""
    bunch = load_digits()
    side = config["data.image_size"]
    small = np.rint(bunch.images * (255 / 16)).astype(np.uint8)
    images = torch.from_numpy(np.stack([resize(image, side, side) for image in small]))[:, None]
    labels = torch.from_numpy(bunch.target).long()
    names = [str(index) for index in range(len(labels))]
    class_names = tuple(str(name) for name in bunch.target_names)
    return Dataset(images, labels, class_names, names, None, hash_tensors(torch.from_numpy(small), labels))
