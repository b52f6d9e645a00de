"""Contrast normalisation of signals and volumes: the slow definition, identities between numbers of axes, mistakes."""

import pytest
import torch
from layers import slow_contrast_norm as slow
from layers.cases import drawn
from layers.combinations import arguments, covering, name
from layers.mutation import mutants
from layers.test_contrast_norm_mutants import changed, together
from layers.test_mutants import REFUSALS, replace  # noqa: F401

from multistage.layers import LocalContrastNorm, LocalContrastNorm1d, LocalContrastNorm3d, contrast_norm_axes
from multistage.layers import contrast_norm_definition as plain
from multistage.layers import contrast_norm_groups as grouping

LAYERS = {1: LocalContrastNorm1d, 2: LocalContrastNorm, 3: LocalContrastNorm3d}
SIDES = {1: (17,), 3: (3, 5, 4)}
FORMATS = {1: torch.contiguous_format, 3: torch.channels_last_3d}
CHOICES = list(covering(2))
each_number = pytest.mark.parametrize("axes", SIDES)


def layer(x, mask=None, axes=3, **options):
    return LAYERS[axes](**options)(x, mask)


def inputs(choice, axes, dtype=torch.float64):
    options, of_mask, layout = arguments(choice)
    if options.get("kernel_size") == 15:
        options["kernel_size"] = 9  # wider than the volume, too, and five times less to sum
    x, mask = drawn(2, 4, *SIDES[axes]), None
    x[1] *= 4
    if of_mask:
        mask = drawn(2, 1, *SIDES[axes], seed=3) > -0.5
        mask = mask[:1] if of_mask == "shared" else mask.to(dtype)
        x = torch.where(mask != 0, x, torch.nan)
    x = x.contiguous(memory_format=FORMATS[axes]) if layout == "channels last" else x
    if layout == "unbatched":
        x, mask = x[0], None if mask is None else mask[0]
    return x.to(dtype), mask, options | {"axes": axes}


def assert_same(actual, expected, tolerance=1e-9):
    torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)


@each_number
@pytest.mark.parametrize("choice", CHOICES, ids=name)
def test_options_are_those_of_the_slow_definition(choice, axes):
    x, mask, options = inputs(choice, axes)
    assert_same(together(layer, x, mask, options), together(slow.local_contrast_norm, x, mask, options))


@each_number
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32], ids=str)
def test_sums_are_wide_whatever_is_stored(dtype, axes):
    x, _, _ = inputs(CHOICES[0] | {"mask": None, "layout": "contiguous"}, axes)
    x = x.to(dtype).requires_grad_()
    wide = x.detach().double().requires_grad_()
    for options in ({}, {"floor_mode": "add", "floor": 0.3, "deviation_of": "window", "return_statistics": True}):
        y, truth = layer(x, axes=axes, **options), layer(wide, axes=axes, **options)
        y, truth = (y[0], truth[0]) if options else (y, truth)
        assert y.dtype == dtype
        gradients = torch.autograd.grad(y.float().sin().sum(), x)[0], torch.autograd.grad(truth.sin().sum(), wide)[0]
        for values, expected in ((y.detach(), truth.detach()), gradients):
            assert_same(values.double(), expected, 8 * torch.finfo(dtype).eps * float(1 + expected.abs().max()))


# What other numbers of axes say


BORDERS = ["zero", "renormalise", "reflect", "replicate", "torch7"]
CONTINUED = BORDERS[1:4]
OPTIONS = [{"kernel_size": 5}, {"window": (1, 3, 1), "floor": 0.4, "floor_mode": "add", "deviation_of": "window"}]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("border", CONTINUED)
def test_axes_along_which_nothing_changes_do_not_matter(border, options):
    """Beyond the border such maps go on as they are, unless there are zeros: a window of the axis then sums to one."""
    x = drawn(2, 3, 6, 7)
    plane = LocalContrastNorm(border=border, **options)
    for depth in (1, 4):
        volume = x[:, :, None].expand(-1, -1, depth, -1, -1)
        y = LocalContrastNorm3d(border=border, **options)(volume)
        assert_same(y, plane(x)[:, :, None].expand_as(y))
    for height in (1, 5):
        row = x[:, :, :1].expand(-1, -1, height, -1)
        assert_same(plane(row)[:, :, 0], LocalContrastNorm1d(border=border, **options)(x[:, :, 0]))


def test_with_zeros_outside_they_do():
    x = drawn(2, 3, 6, 7)
    assert (LocalContrastNorm3d(5)(x[:, :, None])[:, :, 0] - LocalContrastNorm(5)(x)).abs().max() > 0.1


@pytest.mark.parametrize("border", BORDERS)
def test_axes_are_alike(border):
    x = drawn(1, 2, 4, 6, 5)
    norm = LocalContrastNorm3d(5, border=border)
    for order in ((0, 1, 4, 2, 3), (0, 1, 3, 2, 4)):
        assert_same(norm(x.permute(order)), norm(x).permute(order))
    constant = LocalContrastNorm(5, border=border)(x[:, :, 0])
    assert_same(constant.mT, LocalContrastNorm(5, border=border)(x[:, :, 0].mT))


# Graphs, gradients, what is empty or refused


@each_number
def test_gradients_are_those_of_differences(axes):
    x = inputs(CHOICES[0] | {"mask": None, "layout": "contiguous"}, axes)[0][:1, :2].contiguous().requires_grad_()
    assert torch.autograd.gradcheck(LAYERS[axes](3), [x])
    assert torch.autograd.gradgradcheck(LAYERS[axes](3, floor=0.5, floor_mode="add"), [x[..., :3]])


def test_graphs_and_traces_give_the_same():
    """Of a volume and its mask; `test_every_layer` has signals and volumes alone."""
    x, mask = drawn(2, 4, *SIDES[3]), drawn(2, 1, *SIDES[3], seed=3) > -0.5
    norm = LocalContrastNorm3d(5, groups=2, floor_mode="add")
    torch.compiler.reset()
    compiled = torch.compile(norm, fullgraph=True, backend="aot_eager")
    assert_same(together(compiled, x, mask, {}), together(norm, x, mask, {}))
    batch = {0: torch.export.Dim("n")}
    exported = torch.export.export(norm, (x, mask), dynamic_shapes=(batch, batch)).module()
    for each in (exported, torch.fx.symbolic_trace(norm)):
        assert_same(
            each(torch.cat([x, 2 * x]), torch.cat([mask, mask])),
            norm(torch.cat([x, 2 * x]), mask.repeat(2, 1, 1, 1, 1)),
        )


@each_number
def test_empty_signals_and_volumes_give_empty_ones(axes):
    for x in (drawn(0, 4, *SIDES[axes]), drawn(2, 4, *SIDES[axes][1:], 0), drawn(2, 0, *SIDES[axes])):
        x.requires_grad_()
        norm = LAYERS[axes](5, return_statistics=True)
        y, *statistics = norm(x)
        assert y.shape == x.shape
        assert [list(s.shape) for s in statistics] == 2 * [[len(x), 1, *x.shape[2:]]]
        assert torch.autograd.grad(LAYERS[axes](5)(x).sum(), x)[0].shape == x.shape


@each_number
def test_what_cannot_be_is_refused_in_one_line(axes):
    x, sides = drawn(2, 4, *SIDES[axes]), grouping.AXES[axes]
    for wrong in (x[0, 0], x[None], x.int()):
        with pytest.raises(
            ValueError, match=rf"x must be floating point \[n, maps, {sides}\] or \[maps, {sides}\], not"
        ):
            LAYERS[axes]()(wrong)
    with pytest.raises(ValueError, match="groups must divide the 4 maps of x, not be 3"):
        LAYERS[axes](groups=3)(x)
    for mask, of_x, of_one in ((x, x, "n or 1, 1"), (x[:1, 0], x, "n or 1, 1"), (x[:1, :1], x[0], "1")):
        with pytest.raises(ValueError, match=rf"mask must be \[{of_one}, {sides}\] for x"):
            LAYERS[axes]()(of_x, mask)
    with pytest.raises(ValueError, match="kernel_size must be odd"):
        LAYERS[axes](4)


def test_representations_and_presets_are_those_of_images():
    assert repr(LocalContrastNorm3d(5, groups=2)) == (
        "LocalContrastNorm3d(kernel_size=5, floor='mean', border='zero', groups=2)"
    )
    assert LocalContrastNorm1d.mscn().options() == LocalContrastNorm.mscn().options()
    assert not LocalContrastNorm3d().state_dict()


# Mistakes


MISTAKES = {
    "the last axis is not blurred": (plain.along_axes, "x = x @ matrix.T", "x = x"),
    "the last axis is blurred backwards": (plain.along_axes, "x @ matrix.T", "x @ matrix"),
    "depth is blurred backwards": (plain.along_axes, "matrix @ x.flatten", "matrix.T @ x.flatten"),
    "the first matrix for all axes": (plain.along_axes, "enumerate(matrices,", "enumerate([matrices[0]] * 3,"),
    "floor of each slice": (plain.spatial, "range(2,", "range(3,"),
    "floor over the batch": (plain.spatial, "range(2,", "range("),
    "coverage of depth forgotten": (plain.coverage, "covered[..., None] * (", "0 * covered[..., None] + ("),
    "groups off by one": (grouping.in_groups, "x.reshape(-1, maps", "x.roll(1, -axes - 1).reshape(-1, maps"),
    "the number of groups for their size": (grouping.in_groups, "-1, maps // count,", "-1, count,"),
    "one group in any case": (contrast_norm_axes.normalised, 'options["groups"] or', "None or"),
    "each map by itself forgotten": (contrast_norm_axes.normalised, 'options["across_maps"]', "True"),
    "the mask left out": (contrast_norm_axes.normalised, "mask=inside", "mask=None"),
    "the first mask for all": (grouping.inside_of, "inside.expand(", "inside[:1].expand(len(x), 1, *sides).expand("),
}  # fmt: skip
CASES = [inputs(choice, axes) for axes in (3, 1) for first in range(5) for choice in CHOICES[first::5]]
EXPECTED = {}


def check():
    for i, case in enumerate(CASES):
        if i not in EXPECTED:
            EXPECTED[i] = together(slow.local_contrast_norm, *case)
        assert_same(together(layer, *case), EXPECTED[i])


def test_the_functions_themselves_pass():
    check()


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_detected(mistake, replace):  # noqa: F811
    function, old, new = MISTAKES[mistake]
    replace(function, changed(function, old, new))
    with pytest.raises(REFUSALS):
        check()


MUTANTS = [(text, f, wrong) for f in (plain.along_axes, plain.spatial) for text, wrong in mutants(f)]


@pytest.mark.parametrize(("text", "function", "wrong"), MUTANTS, ids=[text for text, *_ in MUTANTS])
def test_a_mutant_is_detected(text, function, wrong, replace):  # noqa: F811
    replace(function, wrong)
    with pytest.raises(REFUSALS):
        check()
