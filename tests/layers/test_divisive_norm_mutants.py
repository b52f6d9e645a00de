"""Mistakes that one could make in divisive normalisation: all are seen by the slow definition."""

import pytest
from layers.mutation import mutants
from layers.test_contrast_norm_mutants import changed
from layers.test_divisive_norm import cases, check
from layers.test_mutants import REFUSALS, replace  # noqa: F401

from multistage.layers import contrast_norm_definition as plain
from multistage.layers import divisive_norm

MISTAKES = {
    "the floor is not raised to the power": (divisive_norm, "c.to(pooled) ** p", "c"),
    "the root is a square root whatever the power": (divisive_norm, "1 / p", "1 / 2"),
    "a square whatever the power": (divisive_norm, "exponent == 2", "True"),
    "weights turned round": (divisive_norm, "rows.expand(", "rows.T.expand("),
    "sum over channels for their mean": (divisive_norm, "powers.mean(1", "powers.sum(1"),
    "powers of x, not of what is left": (divisive_norm, "v.abs().to(", "(maps / unit).abs().to("),
    "power of what is blurred": (divisive_norm, "powers if each else powers.mean(1, keepdim=True))", "v).pow(p)"),
    "signs lost": (divisive_norm, "y = v /", "y = v.abs() /"),
    "own mean subtracted where channels go together": (divisive_norm, "blur(v if each else", "blur(v if True else"),
    "shared mean subtracted where each is by itself": (divisive_norm, "blur(v if each else", "blur(v if False else"),
    "the unit forgotten in the floor": (divisive_norm, "c, v = c / unit,", "c, v = c,"),
    "floors of channels taken for those of columns": (divisive_norm, "reshape(-1, 1, 1)", "mean()"),
    "the last axis is not blurred": (plain.along_axes, "x = x @ matrix.T", "x = x"),
}  # fmt: skip


def test_the_function_itself_passes():
    check()


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_detected(mistake, replace):  # noqa: F811
    cases()  # while everything is right
    function, old, new = MISTAKES[mistake]
    replace(function, changed(function, old, new))
    with pytest.raises(REFUSALS):
        check()


EQUIVALENT = {  # no mistakes in float64
    "divisive_norm: v.dtype if squares and (not autocasts(x)) else torch.float64 -> torch.float64",
    "divisive_norm: v.dtype if squares and (not autocasts(x)) else torch.float64 -> v.dtype",
    "divisive_norm: squares and (not autocasts(x)) -> squares",
    "divisive_norm: squares and (not autocasts(x)) -> not autocasts(x)",
    "divisive_norm: not autocasts(x) -> autocasts(x)",
    "divisive_norm: isinstance(exponent, Tensor) -> exponent",  # a power in place of a square, like the next
    "divisive_norm: isinstance(exponent, Tensor) -> Tensor",
    "divisive_norm: isinstance(exponent, float | int) -> exponent",
    "divisive_norm: isinstance(exponent, float | int) -> float | int",
    "divisive_norm: float | int -> float",  # `test_divisive_norm` has a whole number
    "divisive_norm: exponent if isinstance(exponent, float | int) else exponent.to(of_sums) -> exponent",
    "divisive_norm: v.square() if squares else v.abs().to(of_sums).pow(p) -> v.abs().to(of_sums).pow(p)",
    "divisive_norm: rows.expand(maps.shape[0], -1, -1) -> rows",
    "divisive_norm: given[:1] if _all_alike(given, x) else given -> given",  # one blur in place of many
    "divisive_norm: c.detach() -> c",  # in whatever unit
}
MUTANTS = list(mutants(divisive_norm))


@pytest.mark.parametrize(("text", "wrong"), MUTANTS, ids=[text for text, _ in MUTANTS])
def test_a_mutant_is_detected(text, wrong, replace):  # noqa: F811
    cases()
    replace(divisive_norm, wrong)
    if text in EQUIVALENT:
        check()
    else:
        with pytest.raises(REFUSALS):
            check()


def test_what_is_no_mistake_is_still_there():
    assert {text for text, _ in MUTANTS} >= EQUIVALENT
