"""paper-19: optimal stimuli of random pooled units are oriented gratings, and tolerate shifts (the paper's Fig. 4)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from audit.instruments import gratings
from audit.instruments.stimuli import CentralUnits, Optimum, climb, shift_tolerance
from audit.lecture import Found, Material, Table, drawing
from audit.lecture.section import Figure
from multistage.filters.orientation import selectivity
from multistage.layers import AveragePool, FilterBank, LocalContrastNorm, Rectify
from multistage.layers.filter_bank import Squash
from multistage.network.randomness import generator
from multistage.records.intervals import Measured

SIDE, WINDOW, STEP = 38, 10, 5
"""Sides in pixels: of images, so that the central unit does not see their border, and of the paper's first pooling."""

SHIFTS, FAR = 8, 4

ASCENT, SPECTRUM = 40, 37
"""Gradient steps; frequencies tried along each axis, four times as many as a filter has pixels."""

PROPERTIES: Mapping[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor, Tensor], float]]] = {
    "orientation": (gratings.orientation, gratings.circular_correlation),
    "frequency": (partial(torch.linalg.vector_norm, dim=1), gratings.correlation),
}
"""Properties of a grating, and how two lists of each are compared."""

WORDS = {"random": "random filters", "psd": "PSD filters", "refined": "refined filters"}


@dataclass(frozen=True)
class Kind:
    """Filters of one origin, and the stimuli that excite their units most.

    Attributes:
        filters: k, [maps, 9, 9].
        peak: Frequency at which the spectrum of each filter is largest, [maps, 2].
        optimum: Optimal stimuli by gradient ascent.
        tolerance: Fraction of the response left after shifts of the stimuli, [maps, shifts + 1].
        best: Response of each unit to its best grating, [maps].
        chosen: Frequency of that grating, [maps, 2].
    """

    filters: Tensor
    peak: Tensor
    optimum: Optimum
    tolerance: Tensor
    best: Tensor
    chosen: Tensor

    @property
    def figures(self) -> dict[str, Tensor]:
        """Return the measurements of every kind, [maps] each."""
        return {
            "response": self.optimum.responses,
            "noise": self.optimum.start,
            "grating": self.best,
            "oriented": _oriented(self.optimum.images),
            "far": self.tolerance[:, FAR],
        }


def measure(material: Material) -> Found:
    """Find optimal stimuli for every map of every published kind of filters."""
    psd, refined = (material.filters("psd", refine) for refine in (False, True))
    random = _kind(material.begun("stages=1").filter_banks[0].kernels[:, 0])
    kinds = {"random": random, "psd": _kind(psd.after), "refined": _kind(refined.after)}
    unpooled = CentralUnits(_stage(random.filters)[:-1])
    alone = shift_tolerance(
        unpooled, climb(unpooled, SIDE - 1, ASCENT).images, SHIFTS
    )  # an odd side has a central pixel
    noise = torch.randn(64, 1, SIDE, SIDE, generator=generator(0, "noise images"))
    return Found(
        {
            "maps": len(random.filters),
            "side": SIDE,
            "gratings": len(gratings.frequencies(SPECTRUM)),
            "far": FAR,
            "unpooled_far": alone[:, FAR],
            "noise_oriented": _oriented(noise),
            **_predictions(random),
            **{f"{name}_{what}": values for name, kind in kinds.items() for what, values in kind.figures.items()},
        },
        pictures={
            **{name: _stimuli(kind.optimum.images[:, 0]) for name, kind in kinds.items()},
            "shifts": _shifts({WORDS[name]: kind.tolerance.T for name, kind in kinds.items()}, alone.T),
            "peaks": _peaks(random),
        },
        tables={"kinds": _table(kinds)},
        names={"psd_run": psd.run, "refined_run": refined.run},
    )


def _stage(kernels: Tensor, middle: nn.Module | None = None, squash: Squash = "none") -> nn.Sequential:
    """Return the stage with given filters, gains of one, and N or another layer between rectification and pooling."""
    bank = FilterBank(1, len(kernels), kernels.shape[-1], squash=squash, gain=False)
    bank.kernels.data.copy_(kernels[:, None])
    parts = (bank, Rectify(), middle or LocalContrastNorm(), AveragePool(WINDOW, STEP))
    return nn.Sequential(*parts).requires_grad_(False)


def _kind(kernels: Tensor) -> Kind:
    units = CentralUnits(_stage(kernels))
    optimum = climb(units, SIDE, ASCENT)
    tolerance = shift_tolerance(units, optimum.images, SHIFTS)
    return Kind(kernels, _peak(kernels), optimum, tolerance, *_best_grating(units))


def _best_grating(units: nn.Module) -> tuple[Tensor, Tensor]:
    """Return the response of each unit to its best grating, and that grating's frequency."""
    tried = gratings.frequencies(SPECTRUM)
    best = gratings.responses(units, tried, SIDE).max(1)
    return best.values, tried[best.indices]


def _peak(images: Tensor) -> Tensor:
    """Return the peak frequencies of images or filters [n, height, width], [n, 2]."""
    tried = gratings.frequencies(SPECTRUM)
    return tried[gratings.amplitude(images, tried).argmax(1)]


def _oriented(images: Tensor) -> Tensor:
    """Return the orientation score of the part of images that units see, [n]."""
    return selectivity(images[:, 0, 3:-3, 3:-3])


def _predictions(random: Kind) -> dict[str, Figure]:
    """Compare best gratings of random units with their filters' spectra, by the layer before pooling."""
    stages = {
        "square": _stage(random.filters, Rectify("square")),
        "plain": _stage(random.filters, nn.Identity()),
        "strong": _stage(random.filters, squash="tanh"),
    }
    tries = {name: _best_grating(CentralUnits(stage))[1] for name, stage in stages.items()}
    tries |= {"n": random.chosen, "climb": _peak(random.optimum.images[:, 0])}
    figures: dict[str, Figure] = {}
    for name, chosen in tries.items():
        figures[f"{name}_exact"] = 100 * float((chosen == random.peak).all(1).double().mean())
        for what, (of, statistic) in PROPERTIES.items():
            a, b = of(random.peak), of(chosen)
            interval = gratings.resampled(statistic, a, b)
            figures[f"{name}_{what}"] = Measured(statistic(a, b), "", interval=interval, n=len(a))
            if name == "n":
                figures |= {f"n_{what}_low": interval[0], f"n_{what}_high": interval[1]}
    return figures


def _table(kinds: Mapping[str, Kind]) -> Table:
    rows = []
    for name, kind in kinds.items():
        means = [float(values.double().mean()) for values in kind.figures.values()]
        agree = [statistic(of(kind.peak), of(kind.chosen)) for of, statistic in PROPERTIES.values()]
        rows.append((WORDS[name], *means, *agree))
    heads = ["filters", "response", "to noise", "to a grating", "oriented", "after shift", *PROPERTIES]
    return Table(heads, rows, ".2f")


def _stimuli(images: Tensor) -> bytes:
    """Arrange images, eight per row, each scaled to its largest value."""
    framed = F.pad(images / images.abs().amax((1, 2), keepdim=True), (1, 1, 1, 1), value=1.0)
    rows, size = len(framed) // 8, SIDE + 2
    sheet = framed[: 8 * rows].reshape(rows, 8, size, size).transpose(1, 2).reshape(rows * size, 8 * size)
    return drawing.picture(height=4.6 * rows / 8, colours=32)(drawing.gray)(sheet, limit=1.0)


@drawing.picture(height=2.7)
def _shifts(ax: drawing.Axes, tolerance: Mapping[str, Tensor], alone: Tensor) -> None:
    curves = {**tolerance, "random, before pooling": alone}
    drawing.lines(ax, range(SHIFTS + 1), curves, ("o-", "s-", "^-", "k:"))
    ax.axhline(0, **drawing.RULE)
    ax.set(xlabel="stimulus shifted by, pixels", ylabel="response kept")
    ax.legend(loc="lower left", bbox_to_anchor=(0.1, 0.06))


@drawing.picture(1, 2, 2.6)
def _peaks(axes: drawing.Axes, random: Kind) -> None:
    angles = [torch.rad2deg(gratings.orientation(f)) for f in (random.peak, random.chosen)]
    sizes = [f.norm(dim=1) for f in (random.peak, random.chosen)]
    looks = (("orientation, degrees", 180), ("frequency, cycles a pixel", 0.7))
    for ax, pair, (title, limit) in zip(axes, (angles, sizes), looks, strict=True):
        ax.plot([0, limit], [0, limit], **drawing.RULE)
        ax.plot(*pair, "o", alpha=0.6)
        ax.set(xlim=(0, limit), ylim=(0, limit), aspect="equal", title=title, xlabel="filter's peak")
    axes[0].set_ylabel("best grating")
