import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.kernel_ridge import KernelRidge as SklearnKernelRidge
from sklearn.linear_model import Ridge as SklearnRidge

from multistage.readout import PENALTIES, Task, kernel_ridge, readouts
from multistage.registry.errors import MultistageError

CLOSED = ("ridge", "kernel")


def samples(n, f, classes=3, seed=0):
    """Clouds around a centre a class, far from the origin."""
    random = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % classes
    centres = torch.randn(classes, f, generator=torch.Generator().manual_seed(9))
    return 5 + centres[labels] + 0.7 * torch.randn(n, f, generator=random), labels


@pytest.mark.parametrize(("n", "f"), [(20, 60), (60, 20), (20, 20)])
@pytest.mark.parametrize("penalty", [1e-4, 0.3])
def test_ridge_is_scikit_learns_on_features_of_unit_scale(n, f, penalty):
    x, y = samples(n, f)
    x, others = x[: n - 5], x[n - 5 :]
    layer = readouts["ridge"](penalty=penalty).fit(Task(x, y[: n - 5], 3))
    scale = (x - x.mean(0)).square().mean().sqrt()
    model = SklearnRidge(alpha=penalty * len(x), solver="svd").fit((x / scale).double(), F.one_hot(y[: n - 5]))
    expected = model.predict((others / scale).double())
    np.testing.assert_allclose(layer(others).detach().numpy(), expected, atol=2e-4)


@pytest.mark.parametrize("width", [0.5, 2.0])
def test_kernel_is_scikit_learns(width):
    x, y = samples(30, 8)
    others, _ = samples(7, 8, seed=1)
    model = readouts["kernel"](width=width, penalty=1e-2).fit(Task(x, y, 3))
    distances = torch.pdist(x.double())
    gamma = 1 / (2 * (width * float(distances.median())) ** 2)
    targets = F.one_hot(y).double().numpy()
    expected = SklearnKernelRidge(alpha=1e-2 * 30, kernel="rbf", gamma=gamma).fit(x.double(), targets - targets.mean(0))
    np.testing.assert_allclose(model(others).numpy(), expected.predict(others.double()) + targets.mean(0), atol=1e-4)


@pytest.mark.parametrize("name", CLOSED)
def test_the_penalty_is_chosen_on_validation_images_and_told(name):
    x, y = samples(24, 40)
    x[:, ::2] += 3 * torch.randn(24, 20, generator=torch.Generator().manual_seed(5))  # so that it matters
    held_out = samples(90, 40, seed=3)
    chosen = {}
    readouts[name]().fit(Task(x, y, 3, held_out=held_out, note=chosen.__setitem__))
    right = {}
    for penalty in PENALTIES:
        scores = readouts[name](penalty=penalty).fit(Task(x, y, 3))(held_out[0])
        right[penalty] = int((scores.argmax(1) == held_out[1]).sum())
    assert chosen["penalty"] in PENALTIES
    assert abs(right[chosen["penalty"]] - max(right.values())) <= 1  # one image may lie on a border, by rounding
    readouts[name]().fit(Task(x, y, 3, note=chosen.__setitem__))
    assert chosen["penalty"] == {"ridge": 1.0, "kernel": 1e-4}[name]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_kernel_can_change_its_type(dtype):
    x, y = samples(30, 5)
    model = readouts["kernel"](penalty=1e-2).fit(Task(x, y, 3))
    expected = model(x)
    found = model.to(dtype)(x.to(dtype))
    assert found.dtype == dtype
    torch.testing.assert_close(found.to(expected.dtype), expected, rtol=0.1, atol=0.1)


def test_a_kernel_that_is_loaded_reads_the_new_samples():
    (x, y), (z, other) = samples(30, 5), samples(30, 5, seed=1)
    model, loaded = (readouts["kernel"](penalty=1e-2).fit(Task(*pair, 3)) for pair in ((x, y), (z, other)))
    loaded.load_state_dict(model.state_dict())
    assert torch.equal(loaded(x), model(x))


def test_a_kernel_of_too_many_samples_is_refused(monkeypatch):
    monkeypatch.setattr(kernel_ridge, "MOST", 5)
    with pytest.raises(MultistageError, match=r"at most 5: .*readout=ridge"):
        readouts["kernel"]().fit(Task(*samples(6, 2), 3))
