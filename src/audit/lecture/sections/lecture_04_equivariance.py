"""lecture-04: shared filters are equivariant; through pooling only by multiples of the step."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from audit.instruments.invariance import equivariance_error
from audit.lecture import drawing
from audit.lecture.material import Material
from audit.lecture.section import Picture, Section
from audit.lecture.stage import Function, chain, filtered, framed, random_kernels, rectified
from multistage.layers import average_pool, local_contrast_norm, max_pool
from multistage.network.randomness import generator
from multistage.records.intervals import Measured, mean_of

COUNT, DIGITS = 20, 100
SHIFTS, ROOM, STEP = range(11), 10, 5
"""Pixels that content moves to the right; pixels that views are smaller than images; the first stage's step, pixels."""

NETWORK_SHIFTS, NETWORK_STEP = range(9), 4
BORDER, NETWORK_BORDER = 8, 4
"""Positions at each side of a map that depend on what N takes to lie outside: two blurs of radius 4 in a stage; after
both stages of the MNIST network."""

Line = tuple[Tensor, str, dict[str, Any]]
"""Errors [shifts, images], matplotlib's format, and its further arguments."""

TEXT = (
    "If the image moves, the map moves: two views were cut out of each of {images} Caltech-101 images, one of them "
    "shifted by up to ten pixels, and their maps compared where both see the same, after moving them back (zero: the "
    "same; one: unrelated). A bank of {filters} learned filters errs by {bank:.1g}; fields of the same size whose "
    "weights differ from position to position err by {unshared:.2f}. Contrast normalisation errs by {norm:.1g}, as "
    "its floor is a mean over the whole view. Pooling keeps equivariance for multiples of its step only: with a step "
    "of five pixels, mean pooling over 10x10 errs by {mean_step:.1g} at five pixels and {mean_between:.2f} at two, "
    "max pooling over 5x5 by {max_step:.1g} and {max_between:.2f} (random filters: {mean_between_random:.2f} and "
    "{max_between_random:.2f} at two). Steps multiply: in whole networks on {digits} MNIST digits, whose steps of two "
    "pixels make one of four, `maxpool` errs by {maxpool_step:.1g} at four pixels and {maxpool_between:.2f} at two "
    "({maxpool_untrained:.2f} before training). The paper's network, `abs_lcn_avgpool`, errs by {paper_between:.2f} "
    "at two ({paper_untrained:.2f} before training), and on so small images by {paper_step:.2f} at four too: "
    "normalisation takes zeros to lie outside its maps, and the border stays where it is when the digit moves. Where "
    "no border is near, it errs by {paper_inside:.1g} at four."
)


def section(material: Material) -> Section:
    """Shift, filter, shift back."""
    x = material.images("caltech101", COUNT)
    learned = material.filters("psd", False).after[::4]
    of_layers = {name: _curve(f, x, step, margin) for name, (f, step, margin) in _layers(learned).items()}
    of_random = _layers(random_kernels(len(learned), learned.shape[-1]))
    digits = framed(material.images("mnist", DIGITS), ROOM // 2)
    nets = {
        (model, state): _network_curve(net.stages, digits)
        for model in ("maxpool", "abs_lcn_avgpool")
        for state, net in (("untrained", material.untrained(model)), ("trained", material.trained(model)))
    }

    def at(curve: Tensor, shift: int, of: str) -> Measured:
        return mean_of(curve[shift].tolist(), f"equivariance error at a shift of {shift} px, {of}")

    def random(name: str) -> Measured:
        f, step, margin = of_random[name]
        errors = equivariance_error(f, x, (0, 2), ROOM, step, margin)
        return mean_of(errors.tolist(), f"equivariance error at a shift of 2 px, {name}, random filters")

    mean, maximum = "F-R_abs-P_A, 10x10 step 5", "F-R_abs-P_M, 5x5"
    paper = "abs_lcn_avgpool"
    return Section(
        claim="lecture-04",
        title="Shared filters are equivariant; pooled maps only by multiples of the step",
        text=TEXT,
        measured={
            "images": Measured(COUNT, "Caltech-101 images"),
            "digits": Measured(DIGITS, "MNIST digits"),
            "filters": Measured(len(learned), "learned filters, every fourth of the bank"),
            "bank": at(of_layers["F"], 3, "filter bank"),
            "unshared": at(of_layers["fields not shared"], 3, "fields with weights of their own"),
            "norm": at(of_layers["F-R_abs-N"], 3, "F-R_abs-N, border left out"),
            "mean_step": at(of_layers[mean], STEP, mean),
            "mean_between": at(of_layers[mean], 2, mean),
            "max_step": at(of_layers[maximum], STEP, maximum),
            "max_between": at(of_layers[maximum], 2, maximum),
            "mean_between_random": random(mean),
            "max_between_random": random(maximum),
            "maxpool_step": at(nets["maxpool", "trained"], NETWORK_STEP, "trained maxpool, both stages"),
            "maxpool_between": at(nets["maxpool", "trained"], 2, "trained maxpool, both stages"),
            "maxpool_untrained": at(nets["maxpool", "untrained"], 2, "untrained maxpool, both stages"),
            "paper_step": at(nets[paper, "trained"], NETWORK_STEP, f"trained {paper}, both stages"),
            "paper_inside": mean_of(
                _inside(material.trained(paper).stages, material.images("mnist", DIGITS)).tolist(),
                f"the same in larger views, {NETWORK_BORDER} positions at each side left out",
            ),
            "paper_between": at(nets[paper, "trained"], 2, f"trained {paper}, both stages"),
            "paper_untrained": at(nets[paper, "untrained"], 2, f"untrained {paper}, both stages"),
        },
        pictures=[_layer_picture(of_layers), _network_picture(nets)],
    )


def _layers(kernels: Tensor) -> dict[str, tuple[Function, int, int]]:
    """Functions with their step and margin, by name."""
    bank = filtered(kernels)
    return {
        "fields not shared": (_unshared(kernels), 1, 0),
        "F": (bank, 1, 0),
        "F-R_abs-N": (chain(bank, rectified(), local_contrast_norm), 1, BORDER),
        "F-R_abs-P_A, 10x10 step 5": (chain(bank, rectified(), lambda x: average_pool(x, 10, STEP)), STEP, 0),
        "F-R_abs-P_M, 5x5": (chain(bank, rectified(), lambda x: max_pool(x, STEP)), STEP, 0),
    }


def _unshared(kernels: Tensor) -> Function:
    """Every position has one of the filters, drawn at random, as its own; as many maps as there are filters."""
    bank = filtered(kernels)

    def fields(x: Tensor) -> Tensor:
        maps = bank(x)
        random = generator(0, "fields")
        choice = torch.randint(len(kernels), (1, *maps.shape[1:]), generator=random)
        return maps.gather(1, choice.expand(len(maps), -1, -1, -1))

    return fields


def _curve(f: Function, x: Tensor, step: int, margin: int) -> Tensor:
    """Errors [shifts, images]."""
    return torch.stack([equivariance_error(f, x, (0, shift), ROOM, step, margin) for shift in SHIFTS])


def _network_curve(stages: Function, digits: Tensor) -> Tensor:
    room = NETWORK_SHIFTS[-1]
    return torch.stack([equivariance_error(stages, digits, (0, s), room, NETWORK_STEP) for s in NETWORK_SHIFTS])


def _inside(stages: Function, digits: Tensor) -> Tensor:
    """Errors at a shift by the networks' step, where no border is near, [images]."""
    wide, room = framed(digits, 24), NETWORK_SHIFTS[-1]
    return equivariance_error(stages, wide, (0, NETWORK_STEP), room, NETWORK_STEP, NETWORK_BORDER)


def _layer_picture(curves: Mapping[str, Tensor]) -> Picture:
    lines: dict[str, Line] = {
        drawing.formula(name): (curve, style, {})
        for (name, curve), style in zip(curves.items(), ("k:", "o-", "^--", "s-", "D-"), strict=True)
    }
    caption = (
        "Equivariance error against shift, learned filters: none for shared filters, and for pooled maps a zero at "
        "every multiple of the step, five pixels."
    )
    return _picture("lecture-04-layers", SHIFTS, lines, 3.3, caption)


def _network_picture(curves: Mapping[tuple[str, str], Tensor]) -> Picture:
    lines: dict[str, Line] = {}
    for ((model, state), curve), style in zip(curves.items(), ("o--", "o-", "s--", "s-"), strict=True):
        colour = drawing.COLOURS[0] if model == "maxpool" else drawing.COLOURS[1]
        look = {"color": colour, "fillstyle": "full" if state == "trained" else "none"}
        lines[f"{model}, {state}"] = curve, style, look
    caption = (
        "The same through both stages of networks for MNIST, whose steps make four pixels, before and after training."
    )
    return _picture("lecture-04-networks", NETWORK_SHIFTS, lines, 3.1, caption)


def _picture(name: str, shifts: range, lines: Mapping[str, Line], height: float, caption: str) -> Picture:
    """Mean errors against shift, by their labels."""
    with drawing.figure(height=height) as (drawn, axes):
        ax = axes[0, 0]
        for label, (curve, style, look) in lines.items():
            ax.plot(shifts, curve.mean(1), style, label=label, clip_on=False, **look)
        ax.set_xlabel("shift, pixels")
        ax.set_ylabel("equivariance error")
        ax.set_xlim(0, shifts[-1])
        ax.set_ylim(-0.02, 1.1)
        drawn.legend(loc="outside upper left", ncols=2)
        return Picture(name, drawing.png(drawn), caption)
