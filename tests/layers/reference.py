"""The layers' definitions, written as loops in float64: slow, and meant to be right at a glance."""

import math

import numpy as np


def filter_bank(x, kernels, connections, gain=None, bias=None, squash="tanh", padding=0):
    """y_j = g_j tanh(b_j + sum_f k_jf * x_i), i = connections[j][f]; * turns the kernel round and slides it over x."""
    x = np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
    out_maps, size = len(kernels), kernels.shape[-1]
    y = np.zeros((len(x), out_maps, x.shape[2] - size + 1, x.shape[3] - size + 1))
    for n, j, row, column in np.ndindex(y.shape):
        total = 0.0 if bias is None else bias[j]
        for f, i in enumerate(connections[j]):
            for p in range(size):
                for q in range(size):
                    total += kernels[j, f, p, q] * x[n, i, row + size - 1 - p, column + size - 1 - q]
        squashed = math.tanh(total) if squash == "tanh" else total
        y[n, j, row, column] = squashed if gain is None else gain[j] * squashed
    return y


def pool(x, window, step, of_window):
    """`of_window` (such as np.max) of each window that lies inside the map, one every `step` pixels."""
    rows = range(0, x.shape[2] - window + 1, step)
    columns = range(0, x.shape[3] - window + 1, step)
    y = np.zeros((*x.shape[:2], len(rows), len(columns)))
    for n, i, j, k in np.ndindex(y.shape):
        row, column = rows[j], columns[k]
        y[n, i, j, k] = of_window(x[n, i, row : row + window, column : column + window])
    return y


def root_mean_square(values):
    return math.sqrt(sum(value * value for value in values.ravel()) / values.size)


def channel_norm(x, gain, bias, eps, centred):
    """At each position: x, less its mean over channels if `centred`, over sqrt(its mean square + eps); g y + b."""
    y = np.zeros(x.shape)
    for n, j, k in np.ndindex(len(x), *x.shape[2:]):
        values = x[n, :, j, k] - (sum(x[n, :, j, k]) / x.shape[1] if centred else 0)
        y[n, :, j, k] = gain * values / math.sqrt(root_mean_square(values) ** 2 + eps) + bias
    return y


def gaussian(size, sigma=None):
    """exp(-(p^2 + q^2) / (2 sigma^2)), [size, size]; not normalised."""
    sigma = size / (4 * math.sqrt(2)) if sigma is None else sigma
    radius = size // 2
    w = np.zeros((size, size))
    for p, q in np.ndindex(w.shape):
        w[p, q] = math.exp(-((p - radius) ** 2 + (q - radius) ** 2) / (2 * sigma**2))
    return w


def pixel_at(index, size, border):
    """The pixel that is read at `index` of an axis, which may lie outside; None if it counts as 0 or not at all."""
    if border == "replicate":
        return min(max(index, 0), size - 1)
    if border == "reflect":
        if size == 1:
            return 0
        while not 0 <= index < size:
            index = -index if index < 0 else 2 * (size - 1) - index
        return index
    return index if 0 <= index < size else None


def local_mean(maps, window, border):
    """sum_ipq w_pq maps[i, j + p, k + q], with weights that sum to one over maps and window: [maps, h, w] -> [h, w]."""
    count, height, width = maps.shape
    radius = len(window) // 2
    weights = (window / (count * window.sum())).tolist()
    values = maps.tolist()
    mean = np.zeros((height, width))
    for j, k in np.ndindex(height, width):
        total = present = 0.0
        for p in range(-radius, radius + 1):
            row = pixel_at(j + p, height, border)
            for q in range(-radius, radius + 1):
                column = pixel_at(k + q, width, border)
                if row is None or column is None:
                    continue
                for i in range(count):
                    total += weights[p + radius][q + radius] * values[i][row][column]
                    present += weights[p + radius][q + radius]
        mean[j, k] = total / present if border == "renormalise" else total
    return mean


def centred_and_deviation(maps, kernel_size=9, sigma=None, border="zero"):
    """v [maps, h, w] and sigma [h, w] of one sample."""
    window = gaussian(kernel_size, sigma)
    v = maps - local_mean(maps, window, border)
    return v, np.sqrt(local_mean(v**2, window, border))


def local_contrast_norm(x, kernel_size=9, sigma=None, floor="mean", border="zero", across_maps=True):
    """v / max(c, sigma), sample by sample; 0 / 0 is 0."""
    y = np.zeros(x.shape)
    for n in range(len(x)):
        for maps in [slice(None)] if across_maps else [slice(i, i + 1) for i in range(x.shape[1])]:
            v, deviation = centred_and_deviation(x[n, maps], kernel_size, sigma, border)
            divisor = np.maximum(deviation, deviation.mean() if floor == "mean" else floor)
            y[n, maps] = v / np.where(divisor > 0, divisor, 1)
    return y


def assert_is_contrast_norm(implementation, x, **options):
    """`implementation(x, **options)` equals the definition to 1e-12; `x` is a float64 tensor."""
    y = implementation(x, **options)
    np.testing.assert_allclose(y.detach().numpy(), local_contrast_norm(x.numpy(), **options), rtol=0, atol=1e-12)


def assert_is_filter_bank(implementation, x, kernels, connections, **options):
    """`implementation(x, kernels, connections, **options)` equals the definition to 1e-12; all tensors are float64."""
    y = implementation(x, kernels, connections=connections, **options)
    arrays = {name: v.numpy() if hasattr(v, "numpy") else v for name, v in options.items()}
    expected = filter_bank(x.numpy(), kernels.detach().numpy(), connections.tolist(), **arrays)
    np.testing.assert_allclose(y.detach().numpy(), expected, rtol=0, atol=1e-12)
