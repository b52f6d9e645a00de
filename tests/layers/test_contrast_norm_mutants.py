"""Mistakes that one could make in the options of contrast normalisation: all are seen by the slow definition."""

import inspect
import sys
import textwrap

import pytest
import torch
from layers import slow_contrast_norm as slow
from layers.cases import drawn
from layers.combinations import X, covering, inputs
from layers.mutation import mutants
from layers.test_mutants import REFUSALS, replace  # noqa: F401

from multistage import layers
from multistage.layers import contrast_norm_definition as plain
from multistage.layers import contrast_norm_refusals as refusals

N = layers.local_contrast_norm

MISTAKES = {
    "mask forgotten in the floor": (plain.floored, "mask is not None", "False"),
    "floor over the batch": (plain.spatial, "range(2,", "range("),
    "floor of each row": (plain.spatial, "range(2,", "range(3,"),
    "floor over the whole of a masked map": (plain.floored, "positive(mask.to(c).mean(axes, keepdim=True))", "1"),
    "added for the larger": (plain.floored, 'larger if mode == "max" else deviation + c', "deviation + c"),
    "the larger for added": (plain.floored, 'larger if mode == "max" else deviation + c', "larger"),
    "a constant added for the larger": (plain.floored, 'clamp_min(floor) if mode == "max" else deviation', "detach()"),
    "pixels outside the mask are zeros": (plain.definition, "blur(map_) / share", "blur(map_)"),
    "pixels outside the mask are seen": (plain.definition, "torch.where(mask, wide, 0)", "wide"),
    "what stands outside comes out": (plain.definition, "torch.where(mask, blur(map_) / share, 0)", "blur(map_)"),
    "zeros beyond the border lose weight under a mask": (plain.definition, "share + (1 - covered())", "share"),
    "the residual's deviation for the window's": (plain.definition, "if of_window:", "if False:"),
    "spread over maps forgotten": (plain.definition, "(wide - over_maps).square()", "(0 * wide)"),
    "variance not about the mean": (plain.definition, "square - local.square()", "square"),
    "deviation of x where it is only divided": (plain.definition, "if subtract else wide", "if True else wide"),
    "y where v should be left": (plain.definition, "    if divide:", "    if True:"),
    "Torch7's coverage divides the square": (plain.definition, "covered() * share).sqrt()", "covered() * share)"),
    "Torch7's coverage ignores the mask": (plain.definition, "covered() * share)", "covered())"),
    "mean and deviation exchanged": (plain.definition, "mean.to(x.dtype), deviation.", "deviation.to(x.dtype), mean."),
    "statistics without gradient": (plain.definition, "mean.to(x.dtype)", "mean.detach()"),
    "own taps turned round": (plain.taps, "weights / total", "weights.flip(0) / total"),
    "box too small": (plain.taps, "gaussian_window(kernel_size), 1", "gaussian_window(kernel_size - 2), 1"),
    "coverage off by one": (plain.coverage, "source >= 0", "source > 0"),
    "groups off by one": (N, "else x.reshape(", "else x.roll(1, -3).reshape("),
    "sizes of groups for their number": (N, "maps // count, *sides", "count, *sides"),
    "the first mask for all": (refusals.inside_of, "inside.expand(", "inside[:1].expand(len(x), -1, -1, -1).expand("),
    "masks given to groups in turn": (
        refusals.inside_of,
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
    """y, statistics and the gradient of x, in one row of numbers."""
    x = x.detach().requires_grad_()
    found = function(x, mask=mask, **options)
    found = torch.cat([values.flatten() for values in (found if isinstance(found, tuple) else (found,))])
    upstream = torch.randn(found.shape, dtype=found.dtype, generator=torch.Generator().manual_seed(1))
    (dx,) = torch.autograd.grad(found, x, upstream)
    return torch.cat([found.detach(), dx.flatten()])


LOUD = torch.cat([drawn(1, 2, 4, 12) / 10, 1e15 * drawn(1, 2, 4, 12, seed=1)], 3)
CASES = [
    (LOUD, None, {"kernel_size": 5, "subtract": False, "floor": 0.0}),  # what is quiet is no rounding of what is loud
    (drawn(1, 1, 1, 5), None, {"window": (1, 0, 1), "border": "torch7", "return_statistics": True}),  # none inside
    *(
        (gray * torch.ones(1, 2, 6, 5).double(), None, {"border": "replicate", "floor_mode": "add"})
        for gray in (0.3, -0.3)
    ),
    (1e-20 * X, None, {}),
    (torch.cat([X[:1], 1e18 * X[:1]]), None, {"floor_mode": "add"}),  # each sample has its own rounding
    *(inputs(choice) for first in range(11) for choice in list(covering(3))[first::11]),
]
EXPECTED = {}


def check():
    for i, case in enumerate(CASES):
        if i not in EXPECTED:
            EXPECTED[i] = together(slow.local_contrast_norm, *case)
        torch.testing.assert_close(together(layers.local_contrast_norm, *case), EXPECTED[i], rtol=1e-9, atol=1e-9)


def test_the_functions_themselves_pass():
    check()


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_detected(mistake, replace):  # noqa: F811
    function, old, new = MISTAKES[mistake]
    replace(function, changed(function, old, new))
    with pytest.raises((*REFUSALS, NameError)):
        check()


FUNCTIONS = [plain.definition, plain.floored, plain.coverage]
EQUIVALENT = {  # no mistakes in float64, or seen by `test_mutants`
    "definition: torch.float64 if of_window else wide.dtype -> wide.dtype",
    "definition: torch.float64 if of_window else wide.dtype -> torch.float64",
    "definition: torch.float64 if autocasts(x) else statistic -> statistic",
    "definition: torch.float64 if autocasts(x) else statistic -> torch.float64",
    "floored: mean.abs().amax(axes, keepdim=True) -> mean.abs()",
    "floored: positive(mask.to(c).mean(axes, keepdim=True)) -> mask.to(c).mean(axes, keepdim=True)",
}
MUTANTS = [(text, function, wrong) for function in FUNCTIONS for text, wrong in mutants(function)]


@pytest.mark.parametrize(("text", "function", "wrong"), MUTANTS, ids=[text for text, *_ in MUTANTS])
def test_a_mutant_is_detected(text, function, wrong, replace):  # noqa: F811
    replace(function, wrong)
    if text in EQUIVALENT:
        check()
    else:
        with pytest.raises((*REFUSALS, NameError)):
            check()


def test_what_is_no_mistake_is_still_there():
    assert {text for text, *_ in MUTANTS} >= EQUIVALENT
    assert N is sys.modules["multistage.layers.contrast_norm"].local_contrast_norm
