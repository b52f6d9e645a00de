"""Spatial pyramids of quantised features, the pyramid-match kernel, and support vector machines on it.

    features -> one descriptor a position (its values in all maps) -> the nearest visual word -> histograms of words in
    1, 2x2, 4x4, ... cells -> histogram intersection of two images in all cells -> one machine for each class

Source: Lazebnik, Schmid & Ponce, "Beyond Bags of Features" (CVPR 2006), which the paper names for its last two figures
of Table 1; see `DEVIATIONS.md`.
"""

import warnings

import torch
from torch import Tensor, nn

from multistage.network.randomness import generator
from multistage.network.shapes import Shape
from multistage.readout import Report, Task
from multistage.registry.errors import MultistageError

SAMPLE = 50_000
"""Maximum number of descriptors for learning a vocabulary."""

BATCH = 64
"""Images quantised at a time; bounds the memory to about 50 MB."""


def learn_vocabulary(features: Tensor, shape: Shape, words: int, seed: int = 0) -> Tensor:
    """Learn visual words: k-means centres of a sample of descriptors.

    Args:
        features: Features of training images, [n, f].
        shape: (maps, height, width) of the maps before flattening.
        words: Number of words.
        seed: Seed of the sample and of k-means.

    Returns:
        [words, maps], float32.

    Raises:
        MultistageError: Fewer descriptors than words.
    """
    from sklearn.cluster import KMeans  # imported here because it takes a second
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    positions = shape[1] * shape[2]
    random = generator(seed, "vocabulary")
    count = min(SAMPLE, len(features) * positions)
    if count < words:
        raise MultistageError(
            f"pyramid_svm.words={words} exceeds the {count} descriptors that the training images have; "
            f"expected at most {count}"
        )
    chosen = torch.randperm(len(features) * positions, generator=random)[:count].sort().values
    sample = features.view(len(features), shape[0], positions)[chosen // positions, :, chosen % positions]
    start = int(torch.randint(2**31, (), generator=random))
    # One thread: several would add their sums in a random order, which affects the last digits.
    with warnings.catch_warnings(), threadpool_limits(1, user_api="openmp"):
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different descriptors than words: some go unused
        found = KMeans(words, n_init=1, random_state=start).fit(sample.numpy())
    return torch.from_numpy(found.cluster_centers_).float()


def quantise(features: Tensor, shape: Shape, vocabulary: Tensor) -> Tensor:
    """Find the nearest word at each position: features [n, f] to int64 [n, height, width]."""
    halves = vocabulary.square().sum(1) / 2
    found = []
    for batch in torch.split(features, BATCH):
        descriptors = batch.view(len(batch), shape[0], -1).transpose(1, 2)
        found.append((halves - descriptors @ vocabulary.T).argmin(2))
    return torch.cat(found).view(len(features), *shape[1:])


def pyramid(words: Tensor, count: int, levels: int) -> Tensor:
    """Compute histograms of words in the cells of each level, times the level's weight in a match.

    Args:
        words: Word of each position, [n, height, width].
        count: Size of the vocabulary.
        levels: 1: the whole image; 2: also its quarters; 3: also their quarters; ...

    Returns:
        float32 [n, cells of all levels * count], integers: weights are 1, 1, 2, 4, ... from the coarsest level, with
        sum 2^(levels - 1).
    """
    n, height, width = words.shape
    side = 2 ** (levels - 1)
    rows, columns = (torch.arange(size, device=words.device) * side // size for size in (height, width))
    bins = (rows[:, None] * side + columns) * count + words.long()
    cells = words.new_zeros(n, side * side * count, dtype=torch.float32)
    cells.scatter_add_(1, bins.flatten(1), torch.ones_like(bins, dtype=torch.float32).flatten(1))
    cells = cells.view(n, side, side, count)
    found = []
    for level in reversed(range(levels)):
        found.append(cells.flatten(1) * 2 ** max(level - 1, 0))
        if level:
            side //= 2
            cells = cells.view(n, side, 2, side, 2, count).sum((2, 4))
    return torch.cat(found[::-1], 1)


def pyramid_match(some: Tensor, others: Tensor) -> Tensor:
    """Compute the pyramid-match kernel: the intersection of histograms, normalised to 1 for an image with itself.

    Args:
        some: From `pyramid`, [n, bins].
        others: From `pyramid`, [m, bins], for images with as many positions.

    Returns:
        float32 [n, m].
    """
    total, columns = others[0].sum(), others.T.contiguous()
    matches = some.new_empty(len(some), len(others))
    for match, image in zip(matches, some, strict=True):
        bins = image.nonzero()[:, 0]  # most bins are empty, and empty bins match nothing
        torch.sum(torch.minimum(columns[bins], image[bins, None]), 0, out=match)
    return matches / total


def fit_machines(matches: Tensor, labels: Tensor, classes: int, cost: float, report: Report) -> tuple[Tensor, Tensor]:
    """Train one support vector machine for each class against all others.

    Args:
        matches: The kernel matrix of the training images, [n, n].
        labels: [n], from 0.
        classes: Number of classes.
        cost: C, the cost of a violated margin.
        report: Called once with the number of iterations and the mean hinge loss, over images and classes.

    Returns:
        Coefficients [classes, n] and intercepts [classes]; scores are coefficients @ matches + intercepts.
    """
    from sklearn.svm import SVC

    kernel = matches.cpu().double().numpy()
    coefficients = torch.zeros(classes, len(labels), dtype=torch.float64)
    intercepts = torch.zeros(classes, dtype=torch.float64)
    iterations = 0
    for label in range(classes):
        machine = SVC(C=cost, kernel="precomputed").fit(kernel, (labels == label).numpy())
        coefficients[label, torch.from_numpy(machine.support_).long()] = torch.from_numpy(machine.dual_coef_[0])
        intercepts[label] = float(machine.intercept_[0])
        iterations += int(machine.n_iter_.sum())
    scores = torch.from_numpy(kernel) @ coefficients.T + intercepts
    signs = torch.where(labels[:, None] == torch.arange(classes), 1.0, -1.0)
    report(iterations, (1 - signs * scores).clamp_min(0).mean().item())
    return coefficients.float(), intercepts.float()


class PyramidSVM(nn.Module):
    """Module from features to scores, by the kernel with the training images.

    It stores the training images as maps of words, one or two bytes a position; pyramids are computed from these.

    Args:
        shape: (maps, height, width) of the maps before flattening.
        levels: Levels of the pyramid.
        vocabulary: [words, maps].
        words: Words of the training images, integers [n, height, width].
        coefficients: Coefficients of each machine for each training image, [classes, n].
        intercepts: [classes].
    """

    words: Tensor
    pyramids: Tensor

    def __init__(
        self, shape: Shape, levels: int, vocabulary: Tensor, words: Tensor, coefficients: Tensor, intercepts: Tensor
    ) -> None:
        super().__init__()
        self.shape, self.levels = shape, levels
        self.vocabulary = nn.Parameter(vocabulary, requires_grad=False)
        self.coefficients = nn.Parameter(coefficients, requires_grad=False)
        self.intercepts = nn.Parameter(intercepts, requires_grad=False)
        self.register_buffer("words", words.to(torch.uint8 if len(vocabulary) <= 256 else torch.int16))
        columns = pyramid(words, len(vocabulary), levels).T.contiguous()  # the type that a match reads
        self.register_buffer("pyramids", columns.T, persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Compute SVM decision values [n, classes] of features [n, f]."""
        words = quantise(features, self.shape, self.vocabulary)
        matches = pyramid_match(pyramid(words, len(self.vocabulary), self.levels), self.pyramids)
        return matches @ self.coefficients.T + self.intercepts


def fit_pyramid_svm(task: Task, words: int = 200, levels: int = 3, cost: float = 3.0) -> PyramidSVM:
    """Learn vocabulary and machines from training images.

    Args:
        task: The training data; its seed is that of the vocabulary, its report gets that of `fit_machines`.
        words: Size of the vocabulary.
        levels: Levels of the pyramid.
        cost: See `fit_machines`.

    Raises:
        MultistageError: Fewer descriptors than words.
    """
    vocabulary = learn_vocabulary(task.features, task.shape, words, task.seed)
    found = quantise(task.features, task.shape, vocabulary)
    pyramids = pyramid(found, words, levels)
    matches = pyramid_match(pyramids, pyramids)
    machines = fit_machines(matches, task.labels, task.classes, cost, task.report)
    return PyramidSVM(task.shape, levels, vocabulary, found, *machines)
