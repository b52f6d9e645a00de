"""Divisive normalisation: what is learned, graphs, shapes, refusals."""

import pytest
import torch
import torch.nn.functional as F
from layers.cases import drawn, with_gradients
from layers.test_divisive_norm import X, assert_same

from multistage.layers import DivisiveNorm2d, divisive_norm

LEARN = ["floor", "exponent", "weights"]


@pytest.mark.parametrize("weights", ["mean", "each"])
@pytest.mark.parametrize("learned", [(), ("floor",), ("exponent",), ("weights",), tuple(LEARN)])
def test_what_is_learned_begins_with_what_is_fixed_and_is_the_whole_state(learned, weights):
    options = {"kernel_size": 3, "floor": 0.2, "exponent": 2.5, "weights": weights}
    norm = DivisiveNorm2d(4, **options, **{f"learn_{name}": name in learned for name in LEARN})
    assert sorted(norm.state_dict()) == sorted(f"raw_{name}" for name in learned)
    assert_same([norm.float()(X.float())], [divisive_norm(X.float(), **options)], 1e-5)
    fixed = {"floor": 0.2, "exponent": 2.5, "weights": weights}
    assert [name for name in LEARN if isinstance(getattr(norm, name), torch.Tensor)] == [
        n for n in LEARN if n in learned
    ]
    assert all(getattr(norm, name) == fixed[name] for name in LEARN if name not in learned)
    for name in learned:
        assert getattr(norm, f"raw_{name}").requires_grad


def test_parameters_stay_possible_wherever_they_are_driven():
    norm = DivisiveNorm2d(4, 3, learn_exponent=True)
    for far in (-1e4, 1e4):
        for parameter in norm.parameters():
            parameter.data.fill_(far)
        assert (norm.floor > 0).all()
        assert (norm.exponent >= 1).all()
        assert (norm.weights >= 0).all()
        y = norm(X.float())
        assert y.isfinite().all()


def test_it_learns_the_norm_that_made_its_targets():
    torch.manual_seed(0)
    teacher, pupil = (
        DivisiveNorm2d(4, 3, floor=c, exponent=p, learn_exponent=True) for c, p in ((0.2, 3.0), (1.0, 2.0))
    )
    x = drawn(8, 4, 8, 8, seed=5).float()
    optimizer = torch.optim.Adam(pupil.parameters(), 0.1)
    losses = []
    for _step in range(120):
        optimizer.zero_grad()
        loss = F.mse_loss(pupil(x), teacher(x).detach())
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 1e-2 * losses[0]


# Graphs, shapes, words


def test_graphs_and_traces_give_the_same():
    norm = DivisiveNorm2d(4, 5, learn_exponent=True).double()
    torch.compiler.reset()
    compiled = torch.compile(norm, fullgraph=True, backend="aot_eager")
    for x in (X, torch.zeros_like(X)):
        actual, expected = (with_gradients(call, x) for call in (compiled, norm))
        assert_same(actual, expected)
    exported = torch.export.export(norm, (X,), dynamic_shapes=({0: torch.export.Dim("n")},)).module()
    traced = torch.fx.symbolic_trace(norm)
    for each in (exported, traced):
        assert_same([each(torch.cat([X, X]))], [norm(torch.cat([X, X]))])


def test_unbatched_and_empty():
    norm = DivisiveNorm2d(4, 5).double()
    assert_same([norm(X[1])], [norm(X)[1]])
    for x in (X[:0], X[:, :, :0], X[..., :0], X[0, ..., :0]):
        y, dx = with_gradients(norm, x)
        assert y.shape == dx.shape == x.shape


REFUSED = [
    ({"kernel_size": 4}, "kernel_size must be odd"),
    ({"kernel_size": (3, 3)}, "kernel_size must be one odd whole number"),
    ({"window": "hann"}, "window must be 'gaussian', 'box' or a row of weights"),
    ({"window": "box", "sigma": 1.0}, "sigma needs window='gaussian'"),
    ({"border": "torch7"}, "border must be one of zero, renormalise, reflect, replicate, not 'torch7'"),
    ({"floor": 0.0}, "floor must be a positive number, not 0.0"),
    ({"exponent": 0.5}, "exponent must be a number of at least 1, not 0.5"),
    ({"weights": "all"}, "weights must be 'mean', 'each' or a tensor, not 'all'"),
]


@pytest.mark.parametrize(("options", "words"), REFUSED, ids=str)
def test_impossible_options_are_refused_in_one_line(options, words):
    for call in (lambda **options: DivisiveNorm2d(4, **options), lambda **options: divisive_norm(X, **options)):
        with pytest.raises(ValueError, match=words) as refusal:
            call(**options)
        assert "\n" not in str(refusal.value)


def test_wrong_inputs_are_refused_in_one_line():
    for x in (X[0, 0], X.int(), X[None]):
        with pytest.raises(ValueError, match=r"x must be floating point \[n, channels, height, width\] or"):
            divisive_norm(x)
    for name, value in (("floor", X[0, :3, 0, 0]), ("weights", X[0, 0]), ("exponent", X[0, :, 0, 0])):
        with pytest.raises(ValueError, match=rf"x has 4 channels, {name} is \["):
            divisive_norm(X, **{name: value})
    with pytest.raises(ValueError, match=r"x has 4 channels, floor is \[5\]"):
        DivisiveNorm2d(5)(X)
    for options, words in (
        ({"channels": 0}, "channels must be at least 1"),
        ({"channels": 4, "floor": 1e-7}, "must start above 1e-06, not at 1e-07"),
        ({"channels": 4, "exponent": 1.0, "learn_exponent": True}, "must start above 1"),
    ):
        with pytest.raises(ValueError, match=words):
            DivisiveNorm2d(**options)


def test_the_representation_says_what_is_learned():
    assert repr(DivisiveNorm2d(4, window=[1, 2, 1], learn_weights=False)) == (
        "DivisiveNorm2d(4, kernel_size=3, floor=0.5, border='zero', exponent=2.0, weights='mean', window=(1, 2, 1), "
        "subtract=True, learned: floor)"
    )
    assert "weights='each', sigma=2.0, subtract" in repr(DivisiveNorm2d(4, 5, 2.0, weights="each"))
    assert repr(DivisiveNorm2d(4, learn_floor=False, learn_weights=False)).endswith("learned: nothing)")
