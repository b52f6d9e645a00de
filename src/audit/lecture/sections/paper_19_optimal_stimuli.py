"""paper-19: optimal stimuli of random pooled units are oriented gratings, and tolerate shifts (the paper's Fig. 4)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from audit.instruments import gratings
from audit.instruments.stimuli import CentralUnits, Optimum, climb, shift_tolerance
from audit.lecture import drawing
from audit.lecture.material import Material
from audit.lecture.section import Figure, Found, Table
from multistage.filters.orientation import selectivity
from multistage.layers import AveragePool, FilterBank, LocalContrastNorm, Rectify
from multistage.network.randomness import generator
from multistage.records.intervals import Measured
from multistage.settings.tree import parse
from multistage.train.restore import make_network

SIDE, WINDOW, STEP = 38, 10, 5
"""Pixels: of images, so that the central unit sees nothing of their border; of the paper's first pooling."""

SHIFTS, FAR = 8, 4

ASCENT, SPECTRUM = 40, 37
"""Steps; frequencies along each axis that are tried, four times as many as a filter has pixels."""

PROPERTIES: Mapping[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor, Tensor], float]]] = {
    "orientation": (gratings.orientation, gratings.circular_correlation),
    "frequency": (partial(torch.linalg.vector_norm, dim=1), gratings.correlation),
}
"""What a grating has, and how two lists of it are compared."""

WORDS = {"random": "random filters", "psd": "PSD filters", "refined": "refined filters"}


@dataclass(frozen=True)
class Kind:
    """Filters of one origin, and what their units like best.

    Attributes:
        filters: k, [maps, 9, 9].
        run: That learned them; empty if none did.
        optimum: By gradient ascent.
        tolerance: Of the stimuli to shifts, [maps, shifts + 1].
        best: Response of each unit to its best grating, [maps].
        chosen: Frequency of that grating, [maps, 2].
    """

    filters: Tensor
    run: str
    optimum: Optimum
    tolerance: Tensor
    best: Tensor
    chosen: Tensor


def measure(material: Material) -> Found:
    """Climb for every map of every kind of filters that is published."""
    kinds = {name: _kind(*origin) for name, origin in _filters(material).items()}
    random = kinds["random"]
    unpooled = CentralUnits(nn.Sequential(*list(_stage(random.filters))[:-1]))
    alone = shift_tolerance(unpooled, climb(unpooled, SIDE - 1, ASCENT).images, SHIFTS)  # an odd side has a middle
    figures: dict[str, Figure] = {
        "maps": len(random.filters),
        "side": SIDE,
        "gratings": len(gratings.frequencies(SPECTRUM)),
        "far": FAR,
        "unpooled_far": alone[:, FAR],
        "noise_oriented": _oriented(_noise()),
        **_predictions(random),
    }
    for name, kind in kinds.items():
        figures |= {f"{name}_{what}": values for what, values in _figures(kind).items()}
    return Found(
        figures,
        pictures={
            **{name: _stimuli(kind.optimum.images[:, 0]) for name, kind in kinds.items()},
            "shifts": _shifts({name: kind.tolerance for name, kind in kinds.items()}, alone),
            "peaks": _peaks(random),
        },
        tables={"kinds": _table(kinds)},
        names={f"{name}_run": kind.run for name, kind in kinds.items()},
    )


def _filters(material: Material) -> dict[str, tuple[Tensor, str]]:
    """First-stage filters on Caltech-101 by kind, with the run that they are of, if any."""
    bank = make_network(parse(material.config("data=caltech101", "stages=1")), 102).filter_banks[0]
    psd, refined = (material.filters("psd", refine) for refine in (False, True))
    return {
        "random": (bank.kernels.detach()[:, 0], ""),
        "psd": (psd.after, psd.run),
        "refined": (refined.after, refined.run),
    }


def _stage(kernels: Tensor, squash: str = "none", middle: type[nn.Module] = LocalContrastNorm) -> nn.Sequential:
    """The stage with given filters, gains of one, and N or something else between rectification and pooling."""
    bank = FilterBank(1, len(kernels), kernels.shape[-1], squash="tanh" if squash == "tanh" else "none", gain=False)
    bank.kernels.data.copy_(kernels[:, None])
    return nn.Sequential(bank, Rectify(), middle(), AveragePool(WINDOW, STEP)).requires_grad_(False)


class Square(nn.Module):
    """Squares of rectified values."""

    def forward(self, x: Tensor) -> Tensor:
        return x.square()


def _kind(kernels: Tensor, run: str) -> Kind:
    units = CentralUnits(_stage(kernels))
    optimum = climb(units, SIDE, ASCENT)
    best, chosen = _best_grating(units)
    return Kind(kernels, run, optimum, shift_tolerance(units, optimum.images, SHIFTS), best, chosen)


def _best_grating(units: nn.Module) -> tuple[Tensor, Tensor]:
    """Response of each unit to its best grating, and that grating's frequency."""
    best = gratings.responses(units, gratings.frequencies(SPECTRUM), SIDE).max(1)
    return best.values, gratings.frequencies(SPECTRUM)[best.indices]


def _peak(images: Tensor) -> Tensor:
    """Frequency at which the spectra of images or filters [n, height, width] are largest, [n, 2]."""
    return gratings.frequencies(SPECTRUM)[gratings.amplitude(images, gratings.frequencies(SPECTRUM)).argmax(1)]


def _noise() -> Tensor:
    return torch.randn(64, 1, SIDE, SIDE, generator=generator(0, "noise images"))


def _oriented(images: Tensor) -> Tensor:
    """Orientation score of the part of images that units see, [n]."""
    return selectivity(images[:, 0, 3:-3, 3:-3])


def _figures(kind: Kind) -> dict[str, Tensor]:
    optimum = kind.optimum
    return {
        "response": optimum.responses,
        "noise": optimum.start,
        "grating": kind.best,
        "oriented": _oriented(optimum.images),
        "far": kind.tolerance[:, FAR],
    }


def _predictions(random: Kind) -> dict[str, Figure]:
    """How best gratings of random units agree with their filters' spectra, by what stands before pooling."""
    peak = _peak(random.filters)
    tries = {
        "square": _best_grating(CentralUnits(_stage(random.filters, middle=Square)))[1],
        "plain": _best_grating(CentralUnits(_stage(random.filters, middle=nn.Identity)))[1],
        "n": random.chosen,
        "strong": _best_grating(CentralUnits(_stage(random.filters, "tanh")))[1],
        "climb": _peak(random.optimum.images[:, 0]),
    }
    figures: dict[str, Figure] = {}
    for name, chosen in tries.items():
        figures[f"{name}_exact"] = 100 * float((chosen == peak).all(1).double().mean())
        for property_, (of, statistic) in PROPERTIES.items():
            a, b = of(peak), of(chosen)
            low, high = gratings.resampled(statistic, a, b)
            key = f"{name}_{property_}"
            figures[key] = Measured(statistic(a, b), "", interval=(low, high), n=len(a))
            if name == "n":
                figures |= {f"{key}_low": low, f"{key}_high": high}
    return figures


def _table(kinds: dict[str, Kind]) -> Table:
    rows = []
    for name, kind in kinds.items():
        peak = _peak(kind.filters)
        means = [fmean(values.tolist()) for values in _figures(kind).values()]
        agree = [statistic(of(peak), of(kind.chosen)) for of, statistic in PROPERTIES.values()]
        rows.append([WORDS[name], *(f"{value:.2f}" for value in (*means, *agree))])
    heads = ["filters", "response", "to noise", "to a grating", "oriented", "after shift", *PROPERTIES]
    return Table(heads, rows)


def _stimuli(images: Tensor) -> bytes:
    images = images / images.abs().amax((1, 2), keepdim=True)
    framed = F.pad(images, (1, 1, 1, 1), value=1.0)
    size = SIDE + 2
    rows = len(framed) // 8
    sheet = framed[: 8 * rows].reshape(rows, 8, size, size).transpose(1, 2).reshape(rows * size, 8 * size)
    return drawing.picture(height=4.6 * rows / 8, colours=32)(drawing.gray)(sheet, limit=1.0)


@drawing.picture(height=2.7)
def _shifts(ax: Any, tolerance: dict[str, Tensor], alone: Tensor) -> None:
    for (name, kept), marker in zip(tolerance.items(), "os^", strict=True):
        ax.plot(range(SHIFTS + 1), kept.mean(0), f"{marker}-", label=WORDS[name])
    ax.plot(range(SHIFTS + 1), alone.mean(0), "k:", label="random, before pooling")
    ax.axhline(0, color="#555555", linewidth=1)
    ax.set(xlabel="stimulus shifted by, pixels", ylabel="response kept")
    ax.legend(loc="lower left", bbox_to_anchor=(0.1, 0.06))


@drawing.picture(1, 2, 2.6)
def _peaks(axes: Any, random: Kind) -> None:
    peak, chosen = _peak(random.filters), random.chosen
    degrees = [torch.rad2deg(gratings.orientation(f)) for f in (peak, chosen)]
    for ax, (a, b), label, limit in (
        (axes[0], degrees, "orientation, degrees", 180),
        (axes[1], (peak.norm(dim=1), chosen.norm(dim=1)), "frequency, cycles a pixel", 0.7),
    ):
        ax.plot([0, limit], [0, limit], color="#555555", linewidth=1)
        ax.plot(a, b, "o", alpha=0.6)
        ax.set(xlim=(0, limit), ylim=(0, limit), aspect="equal", title=label, xlabel="filter's peak")
    axes[0].set_ylabel("best grating")
