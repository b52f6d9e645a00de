"""The checks against the definition are seen to fail: on mistakes found in published code, and on others."""

import sys
import types
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from layers import reference

from multistage.layers import contrast_norm as contrast_norm_module
from multistage.layers import eager, fast, filter_bank, local_contrast_norm
from multistage.layers.fast import contrast_norm as contrast_norm_fast

X = torch.randn(2, 3, 10, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
X[1] *= 4


def contrast_norm(x, border, mistake=None):
    """N for two of its borders, by dense convolution, with one mistake built in."""
    maps = x.shape[1]
    window = torch.from_numpy(reference.gaussian(9))
    if mistake == "random window":
        window = torch.rand(9, 9, dtype=x.dtype, generator=torch.Generator().manual_seed(1))
    if mistake == "width 2":
        window = torch.from_numpy(reference.gaussian(9, 2.0))
    window = window / (1 if mistake == "window not normalised" else window.sum())
    weight = window.expand(1, maps, 9, 9) / (1 if mistake == "sum over maps" else maps)
    padding = (5, 3, 4, 4) if mistake == "padding off by one" else (4, 4, 4, 4)

    def coverage():
        return F.conv2d(F.pad(torch.ones_like(x), padding), weight)

    def blur(values):
        if mistake == "each map by itself":
            return F.conv2d(F.pad(values, padding), window.expand(maps, 1, 9, 9), groups=maps)
        if mistake == "mirrored border":
            return F.conv2d(F.pad(values, padding, mode="reflect"), weight)
        total = F.conv2d(F.pad(values, padding), weight)
        return total / coverage() if border == "renormalise" and mistake != "zero where renormalised" else total

    mean = blur(x)
    v = x - mean
    square = blur(x.square() if mistake == "deviation of x" else v.square())
    deviation = square if mistake == "no square root" else square.sqrt()
    if mistake == "coverage divides the root":  # Torch7
        deviation = (square * coverage()).sqrt() / coverage()
    axes = {"floor over the batch": (0, 2, 3), "floor at each pixel": ()}.get(mistake, (2, 3))
    c = deviation.mean(axes, keepdim=True) if axes else blur(deviation.expand_as(x))
    if mistake == "constant floor":
        c = torch.tensor(1e-4, dtype=x.dtype)
    divisor = deviation + c if mistake == "floor added" else torch.maximum(deviation, c)
    return (x if mistake == "not centred" else v) / divisor


MISTAKES = [
    "no square root",
    "deviation of x",
    "floor over the batch",
    "floor at each pixel",
    "floor added",
    "constant floor",
    "each map by itself",
    "random window",
    "width 2",
    "padding off by one",
    "mirrored border",
    "not centred",
]
ONLY_WITH = {
    "zero": ["sum over maps", "window not normalised"],
    "renormalise": ["zero where renormalised", "coverage divides the root"],
}


@pytest.mark.parametrize("border", ONLY_WITH)
@pytest.mark.parametrize("right", [contrast_norm, local_contrast_norm], ids=["dense", "ours"])
def test_a_right_contrast_norm_passes(right, border):
    reference.assert_is_contrast_norm(right, X, border=border)


@pytest.mark.parametrize(
    ("border", "mistake"),
    [(border, mistake) for border, more in ONLY_WITH.items() for mistake in MISTAKES + more],
)
def test_a_wrong_contrast_norm_is_detected(border, mistake):
    def wrong(x, border):
        return contrast_norm(x, border, mistake)

    assert wrong(X, border).shape == X.shape
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        reference.assert_is_contrast_norm(wrong, X, border=border)


# The layer itself, with one piece of its source replaced


@pytest.fixture
def mutant(monkeypatch):
    """`local_contrast_norm` whose source has `old`, which must stand there once, replaced by `new`.

    It takes samples one by one, or, where they fit the cache, all at once.
    """

    def build(old, new, fit=False):
        originals = [eager, contrast_norm_module, contrast_norm_fast]  # each after those it imports from
        sources = [Path(module.__file__).read_text(encoding="utf-8") for module in originals]
        assert sum(source.count(old) for source in sources) == 1, f"stands in the source not once: {old}"
        mutants = []
        for original, source in zip(originals, sources, strict=True):
            module = types.ModuleType(f"mutant_{original.__name__.replace('.', '_')}")
            monkeypatch.setitem(sys.modules, module.__name__, module)
            for imported, mutant in zip(originals, mutants, strict=False):
                source = source.replace(f"from {imported.__name__} ", f"from {mutant.__name__} ")
            exec(compile(source.replace(old, new), module.__name__, "exec"), vars(module))
            mutants.append(module)
        monkeypatch.setattr(fast, "contrast_norm", mutants[-1])  # what `local_contrast_norm` imports
        if not fit:
            monkeypatch.setattr(mutants[0], "BLOCK_BYTES", X[0].nbytes)
        return mutants[1].local_contrast_norm

    return build


GRADIENT_X = torch.cat([X, X[:1] ** 2, torch.zeros_like(X[:1]), 1e15 + X[:1] / 4])
"""The last two are flat, one but for rounding; with zeros outside it would not be."""


def check_gradients(implementation, border):
    x = GRADIENT_X[: 5 if border == "renormalise" else 4]
    dy = torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(1))
    actual, expected = (
        torch.autograd.grad(function(at, border=border), at, dy)[0]
        for function in (implementation, contrast_norm_module.definition)
        for at in [x.clone().requires_grad_()]
    )
    torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-9)


LAST_OF_WINDOW = "return window / window.sum()"
WEIGHT_OF_A_MAP = "(1, maps), 1 / maps"
OF_BLUR = "rows @ map_ @ columns.T"
OF_SIGMA = "deviation = _blur(square, rows, columns).sqrt_()"
OF_SQUARES = "local_mean[block], 0, out"
OF_FLOOR = "divisor = torch.where(deviation >= c, deviation, c)"
FORWARD = {
    "no square root": (OF_SIGMA, "deviation = _blur(square, rows, columns)"),
    "deviation of x": (OF_SQUARES, "torch.zeros_like(local_mean[block]), 0, out"),
    "floor over the batch": (
        "c = deviation.mean((2, 3), keepdim=True)\n        c = c",
        "c = deviation.mean()\n        c = c",
    ),
    "each map by itself": ("if not across_maps:", "if x.shape[1] > 1:"),
    "window not normalised": (LAST_OF_WINDOW, "return window"),
    "padding off by one": ("source = pixel[:, None] + tap", "source = pixel[:, None] + tap + 1"),
    "renormalised instead of zero": ('if border == "renormalise" else', 'if border == "zero" else'),
    "width 2": ("kernel_size / (4 * math.sqrt(2)) if", "2 if"),
    "sum over maps": (WEIGHT_OF_A_MAP, "(1, maps), 1"),
    "floor added": (OF_FLOOR, "divisor = deviation + c"),
    "smaller of the two": (OF_FLOOR, "divisor = torch.where(deviation < c, deviation, c)"),
    "no floor": (OF_FLOOR, "divisor = deviation"),
    "not centred": ("torch.mul(local_mean, inverse).neg_()", "torch.zeros_like(inverse)"),
    "mean not divided": ("torch.mul(local_mean, inverse).neg_()", "-local_mean"),
    "blur of rows only": (OF_BLUR, "rows @ map_"),
}
WHERE_ALL_FIT = {
    "no square root": FORWARD["no square root"],
    "deviation of x": ("_mean(y.square(), rows.dtype)", "_mean(x.square(), rows.dtype)"),
    "not centred": ("y.div_(divisor)", "y = x / divisor"),
    "not divided": ("y.div_(divisor)", "pass"),
    "sum over maps": ("x.mean(1, keepdim=True)", "x.sum(1, keepdim=True)"),
}
Q = "q = _blur(g_sigma.div_(deviation).masked_fill_(deviation == 0, 0), rows.T, columns.T)"
G_D = "g_d = _joined(products).mul_(inverse).neg_()"
G_MEAN = "g_mean = _blur(torch.addcmul(_mean(dy, rows.dtype).mul_(inverse), offset, q), rows.T, columns.T)"
OF_C = "g_d.mul_(c_divides).mean((2, 3), keepdim=True)"
C_DIVIDES = "((divisor - c).abs_() <= 1e-3 * c).logical_and_(elsewhere)"
DX = "dx = torch.addcmul(g_mean.neg_(), y, q.mul_(divisor))"
BACKWARD = {
    "no gradient by way of the mean's deviation": (G_MEAN, G_MEAN.replace("offset, q", "offset, 0 * q")),
    "no gradient by way of the mean": (DX, DX.replace("g_mean.neg_()", "0 * g_mean")),
    "no gradient by way of sigma": (DX, DX.replace("q.mul_(divisor)", "0 * q")),
    "no gradient by way of c": ("if through_floor:", "if False:"),
    "floor_gradient inverted": ('floor == "mean" and floor_gradient', 'floor == "mean" and not floor_gradient'),
    "c is a sum": (OF_C, OF_C.replace(".mean(", ".sum(")),
    "c divides everywhere": (C_DIVIDES, C_DIVIDES.replace(".logical_and_(elsewhere)", "")),
    "flat samples have a c": (C_DIVIDES, "elsewhere"),
    "sigma divides elsewhere": ("elsewhere = deviation != divisor", "elsewhere = deviation == divisor"),
    "sigma may be 0": (Q, Q.replace(".masked_fill_(deviation == 0, 0)", "")),
    "sigma not divided by": (Q, Q.replace(".div_(deviation)", "")),
    "blur of sigma not transposed": (Q, Q.replace("rows.T, columns.T", "rows, columns")),
    "blur of the mean not transposed": (G_MEAN, G_MEAN.replace("rows.T, columns.T", "rows, columns")),
    "wrong sign of d": (G_D, G_D.replace(".neg_()", "")),
    "wrong sign of the mean": (DX, DX.replace(".neg_()", "")),
    "d not divided by": (G_D, G_D.replace(".mul_(inverse)", "")),
    "dy not divided": ("dx.addcmul_(dy, inverse)", "dx.add_(dy)"),
    "mean of dy not divided": (G_MEAN, G_MEAN.replace(".mul_(inverse)", "")),
    "v is y": (DX, DX.replace("q.mul_(divisor)", "q")),
    "square of y": ("torch.mul(dy[block].to(rows.dtype), y[block]", "torch.mul(y[block].to(rows.dtype), y[block]"),
}
ONLY_IN = {  # with zeros outside the blur is its own transpose, and no sample flat but the black
    "window not normalised": "zero",
    "renormalised instead of zero": "zero",
    "blur of sigma not transposed": "renormalise",
    "blur of the mean not transposed": "renormalise",
    "flat samples have a c": "renormalise",
}


def in_borders(mistakes):
    cases = [(border, name) for border in ONLY_WITH for name in mistakes if ONLY_IN.get(name, border) == border]
    return pytest.mark.parametrize(("border", "mistake"), cases)


@pytest.mark.parametrize("border", ONLY_WITH)
@pytest.mark.parametrize("fit", [False, True], ids=["one by one", "all at once"])
def test_the_layer_itself_passes(fit, border, mutant):
    same = mutant(LAST_OF_WINDOW, LAST_OF_WINDOW, fit)
    assert same is not local_contrast_norm
    reference.assert_is_contrast_norm(same, X, border=border)
    check_gradients(same, border)


@in_borders(FORWARD)
def test_a_wrong_layer_is_detected(border, mistake, mutant):
    wrong = mutant(*FORWARD[mistake])
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        reference.assert_is_contrast_norm(wrong, X, border=border)


@in_borders(WHERE_ALL_FIT)
def test_a_wrong_layer_is_detected_where_all_samples_fit_the_cache(border, mistake, mutant):
    wrong = mutant(*WHERE_ALL_FIT[mistake], fit=True)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        reference.assert_is_contrast_norm(wrong, X, border=border)


@in_borders(BACKWARD)
def test_a_wrong_gradient_is_detected(border, mistake, mutant):
    wrong = mutant(*BACKWARD[mistake])
    reference.assert_is_contrast_norm(wrong, X, border=border)  # values are right
    with pytest.raises(AssertionError, match="Tensor-likes are not close"):
        check_gradients(wrong, border)


KERNELS = torch.randn(4, 2, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) / 3
CONNECTIONS = torch.tensor([[0, 2], [1, 0], [2, 2], [0, 1]])
GAIN, BIAS = torch.tensor([[0.5, 2, -1, 3], [0.1, -0.2, 0.3, 0.4]], dtype=torch.float64)


def correlation(x, kernels, **rest):
    return filter_bank(x, kernels.flip(-2, -1), **rest)


def turned_kernels(x, kernels, **rest):
    return filter_bank(x, kernels.mT, **rest)


def gain_inside(x, kernels, gain, bias, **rest):
    return filter_bank(x, kernels * gain.view(-1, 1, 1, 1), bias=bias * gain, **rest)


def bias_outside(x, kernels, gain, bias, **rest):
    return filter_bank(x, kernels, gain, **rest) + (gain * bias).view(-1, 1, 1)


def repeats_overwritten(x, kernels, connections, **rest):
    dense = kernels.new_zeros(4, 3, 3, 3)
    dense[torch.arange(4)[:, None], connections] = kernels
    return filter_bank(x, dense, **rest)


def other_sources(x, kernels, connections, **rest):
    return filter_bank(x, kernels, connections=connections.flip(1), **rest)


def no_tanh(x, kernels, **rest):
    return filter_bank(x, kernels, squash="none", **rest)


def check_filter_bank(implementation):
    reference.assert_is_filter_bank(implementation, X, KERNELS, CONNECTIONS, gain=GAIN, bias=BIAS)


def test_a_right_filter_bank_passes():
    check_filter_bank(filter_bank)


@pytest.mark.parametrize(
    "wrong",
    [correlation, turned_kernels, gain_inside, bias_outside, repeats_overwritten, other_sources, no_tanh],
    ids=lambda f: f.__name__,
)
def test_a_wrong_filter_bank_is_detected(wrong):
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        check_filter_bank(wrong)
