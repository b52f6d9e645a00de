"""Mistakes that one could make in the options of contrast normalisation: all are seen by the slow definition."""

import inspect
import sys
import textwrap
from unittest.mock import patch

import pytest
import torch
from layers import slow_contrast_norm as slow
from layers.cases import drawn
from layers.combinations import X, covering, inputs
from layers.mutation import mutants
from layers.test_mutants import REFUSALS, replace  # noqa: F401

from multistage import layers
from multistage.layers import contrast_norm_definition as plain
from multistage.layers import contrast_norm_groups as grouping
from multistage.layers.eager import is_ordinary
from multistage.layers.fast import contrast_norm_options as by_hand

N = layers.local_contrast_norm

MISTAKES = {
    "mask forgotten in the floor": (plain.floored, "mean_inside(deviation, mask)", "mean_inside(deviation)"),
    "floor over the batch": (plain.spatial, "range(2,", "range("),
    "floor of each row": (plain.spatial, "range(2,", "range(3,"),
    "floor over the whole of a masked map": (plain.mean_inside, "mean if mask is None else", "mean if True else"),
    "added for the larger": (plain.floored, 'larger if mode == "max" else deviation + c', "deviation + c"),
    "the larger for added": (plain.floored, 'larger if mode == "max" else deviation + c', "larger"),
    "a constant added for the larger": (plain.floored, 'clamp_min(floor) if mode == "max" else deviation', "detach()"),
    "pixels outside the mask are zeros": (plain.definition, "blur(map_) / share", "blur(map_)"),
    "pixels outside the mask are seen": (plain.definition, "torch.where(mask, wide, 0)", "wide"),
    "what stands outside comes out": (plain.definition, "torch.where(mask, blur(map_) / share, 0)", "blur(map_)"),
    "zeros beyond the border lose weight": (plain.weight_inside, "share + (1 - covered)", "share"),
    "the residual's deviation for the window's": (plain.definition, "if of_window:", "if False:"),
    "spread over maps forgotten": (plain.definition, "(wide - over_maps).square()", "(0 * wide)"),
    "variance not about the mean": (plain.definition, "square - local.square()", "square"),
    "deviation of x where it is only divided": (plain.definition, "if subtract else wide", "if True else wide"),
    "y where v should be left": (plain.definition, "if divide else", "if True else"),
    "Torch7's coverage divides the square": (plain.definition, "covered * share).sqrt()", "covered * share)"),
    "Torch7's coverage ignores the mask": (plain.definition, "covered * share)", "covered)"),
    "mean and deviation exchanged": (plain.definition, "mean.to(x.dtype), deviation.", "deviation.to(x.dtype), mean."),
    "statistics without gradient": (plain.definition, "mean.to(x.dtype)", "mean.detach()"),
    "own taps turned round": (plain.taps, "weights / total", "weights.flip(0) / total"),
    "box too small": (plain.taps, "gaussian_window(kernel_size), 1", "gaussian_window(kernel_size - 2), 1"),
    "coverage off by one": (plain.coverage, "source >= 0", "source > 0"),
    "groups off by one": (grouping.in_groups, "else x.reshape(", "else x.roll(1, -3).reshape("),
    "sizes of groups for their number": (grouping.in_groups, "maps // count, *sides", "count, *sides"),
    "the first mask for all": (grouping.inside_of, "inside.expand(", "inside[:1].expand(len(x), -1, -1, -1).expand("),
    "masks given to groups in turn": (
        grouping.inside_of,
        "inside.expand(-1, groups, *sides)",
        "inside.expand(-1, groups, *sides).mT.contiguous().mT.transpose(0, 1)",
    ),
}  # fmt: skip


def changed(function, old, new):
    text = textwrap.dedent(inspect.getsource(function))
    assert text.count(old) == 1, "the function no longer says so"
    found = {}
    exec(compile(text.replace(old, new), "<mutant>", "exec"), function.__globals__, found)
    return found[function.__name__]


def together(function, x, mask, options):
    """y, statistics and the gradients of x, of each by itself and of all, in one row of numbers."""
    x = x.detach().requires_grad_()
    found = function(x, mask=mask, **options)
    found = found if isinstance(found, tuple) else (found,)
    random = torch.Generator().manual_seed(1)
    upstream = [torch.randn(values.shape, dtype=values.dtype, generator=random) for values in found]
    gradients = torch.autograd.grad(found, x, upstream, retain_graph=True)
    for values, dy in zip(found, upstream, strict=True) if len(found) > 1 else ():
        gradients += torch.autograd.grad(values, x, dy, retain_graph=True)
    return torch.cat([values.detach().flatten() for values in (*found, *gradients)])


LOUD = torch.cat([drawn(1, 2, 4, 12) / 10, 1e15 * drawn(1, 2, 4, 12, seed=1)], 3)
CASES = [
    (LOUD, None, {"kernel_size": 5, "subtract": False, "floor": 0.0}),  # what is quiet is no rounding of what is loud
    (drawn(1, 1, 1, 5), None, {"window": (1, 0, 1), "border": "torch7", "return_statistics": True}),  # none inside
    *(
        (gray * torch.ones(1, 2, 6, 5).double(), None, {"border": "replicate", "floor_mode": mode})
        for gray in (0.1, 0.3, -0.3, 0.7)
        for mode in ("add", "max")
    ),
    (1e-20 * X, None, {}),
    (torch.cat([X[:1], 1e18 * X[:1]]), None, {"floor_mode": "add"}),  # each sample has its own rounding
    *(inputs(choice) for first in range(11) for choice in list(covering(3))[first::11]),
]
EXPECTED = {}


def check(mutated=None):
    """By the definition, and with gradients by hand, where there are such; first what is mutated."""
    ways = [lambda _: False, is_ordinary]
    for ordinary in reversed(ways) if getattr(mutated, "__module__", None) == by_hand.__name__ else ways:
        with patch.object(sys.modules[N.__module__], "is_ordinary", ordinary):
            for i, case in enumerate(CASES):
                if i not in EXPECTED:
                    EXPECTED[i] = together(slow.local_contrast_norm, *case)
                found = together(layers.local_contrast_norm, *case)
                torch.testing.assert_close(found, EXPECTED[i], rtol=1e-9, atol=1e-9)


def test_the_functions_themselves_pass():
    check()


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_detected(mistake, replace):  # noqa: F811
    function, old, new = MISTAKES[mistake]
    replace(function, changed(function, old, new))
    with pytest.raises((*REFUSALS, NameError)):
        check()


FUNCTIONS = [
    *(plain.definition, plain.floored, plain.coverage, plain.weight_inside, plain.mean_inside),
    *(by_hand.contrast_norm, by_hand.forward, by_hand.backward, by_hand._of_sigma),
]
EQUIVALENT = {  # no mistakes in float64, or seen by `test_mutants`
    "definition: torch.float64 if of_window else wide.dtype -> wide.dtype",
    "definition: torch.float64 if of_window else wide.dtype -> torch.float64",
    "definition: torch.float64 if autocasts(x) else statistic -> statistic",
    "definition: torch.float64 if autocasts(x) else statistic -> torch.float64",
    "mean_inside: positive(mask.to(mean).mean(spatial(mask), keepdim=True)) -> "
    "mask.to(mean).mean(spatial(mask), keepdim=True)",
    "contrast_norm: torch.float64 if form.of_window else accumulator(x.dtype) -> accumulator(x.dtype)",
    "contrast_norm: torch.float64 if form.of_window else accumulator(x.dtype) -> torch.float64",
    "forward: y[block] if y.dtype == dtype else scratch -> scratch",  # slower
    "forward: y.dtype == dtype -> y.dtype != dtype",
    "forward: y[block] if y.dtype == dtype else scratch -> y[block]",
    # of flat samples, whose y is rounding:
    "_of_sigma: g_divisor.masked_fill_(deviation + c != divisor, 0) -> g_divisor",
    "_of_sigma: ((divisor - c).abs_() <= 0.001 * c).logical_and_(elsewhere) -> elsewhere",
    "_of_sigma: (divisor - c).abs_() -> divisor - c",
    "_of_sigma: 0.001 * c -> 0.001",
    "_of_sigma: 0.001 * c -> c",
    "backward: average.cleared(_joined(products)) -> _joined(products)",  # only gradients that are NaN outside tell
    "backward: average.cleared(_mean(dy, dtype)) -> _mean(dy, dtype)",
}
MUTANTS = [(text, function, wrong) for function in FUNCTIONS for text, wrong in mutants(function)]


@pytest.mark.parametrize(("text", "function", "wrong"), MUTANTS, ids=[text for text, *_ in MUTANTS])
def test_a_mutant_is_detected(text, function, wrong, replace):  # noqa: F811
    replace(function, wrong)
    if text in EQUIVALENT:
        check(function)
    else:
        with pytest.raises((*REFUSALS, NameError)):
            check(function)


def test_what_is_no_mistake_is_still_there():
    assert {text for text, *_ in MUTANTS} >= EQUIVALENT
    assert N is sys.modules["multistage.layers.contrast_norm"].local_contrast_norm
