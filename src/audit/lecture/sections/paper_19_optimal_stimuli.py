"""paper-19: optimal stimuli of random pooled units are oriented gratings, and tolerate shifts (the paper's Fig. 4)."""

from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from audit.instruments import gratings
from audit.instruments.stimuli import CentralUnits, Optimum, climb, shift_tolerance
from audit.lecture import drawing
from audit.lecture.material import Material
from audit.lecture.section import Picture, Section, Table
from multistage.filters.orientation import selectivity
from multistage.layers import AveragePool, FilterBank, LocalContrastNorm, Rectify
from multistage.network.randomness import generator
from multistage.records.intervals import Measured, mean_of
from multistage.registry.errors import MultistageError
from multistage.settings.tree import parse
from multistage.train.restore import make_network

SIDE, WINDOW, STEP = 38, 10, 5
"""Pixels: of images, so that the central unit sees nothing of their border; of the paper's first pooling."""

SHIFTS, FAR = 8, 4

ASCENT, SPECTRUM = 40, 37
"""Steps; frequencies along each axis that are tried, four times as many as a filter has pixels."""

WORDS = {"random": "random filters", "psd": "PSD filters", "refined": "refined filters"}

TEXT = (
    "One stage `F-R_abs-N-P_A` of the paper's Caltech-101 network: for each of its {maps} maps, gradient ascent "
    "on an image of {side}x{side} pixels and fixed energy, from white noise, until the map's central pooled unit "
    "responds most. Tanh was left out: to faint images it is linear, and N does not care how faint. {found} With "
    "random filters the stimulus drives its unit to {random_response:.2f}, noise to {random_noise:.2f}, the best "
    "of {gratings} gratings of the same energy to {random_grating:.2f}. Are the stimuli oriented? A score from "
    "zero (no orientation) to one (a grating) is {random_oriented:.2f} for them and {noise_oriented:.2f} for "
    "noise{others}: gratings, but impure ones. Do they tolerate shifts? Moved by {far} pixels, a stimulus keeps "
    "{random_far:.2f} of the response; that of a unit before pooling keeps {unpooled_far:.2f} of its own. Saxe et "
    "al. (ICML) predict why: for a unit that pools squares, the best input is a grating where its filter's "
    "spectrum has its peak. For squares, that is so in {square_exact:.0f} of the {maps} units here, and for "
    "absolute values without N in {plain_exact:.0f}. With N, where maps compete, it is so in {n_exact:.0f}: "
    "orientations of best grating and spectral peak correlate by {n_orientation:.2f} (interval "
    "{n_orientation_low:.2f} to {n_orientation_high:.2f}, circular), frequencies by {n_frequency:.2f} "
    "({n_frequency_low:.2f} to {n_frequency_high:.2f}). With tanh and images of unit deviation, they correlate by "
    "{strong_orientation:.2f} and {strong_frequency:.2f}. What the ascent finds is better than a grating and no "
    "pure one: its own strongest frequency agrees less with the peak, orientation by {climb_orientation:.2f}, "
    "frequency by {climb_frequency:.2f}. So a random unit is selective because its filter's spectrum has a peak, "
    "as predicted, and N, under which maps compete, moves some units elsewhere."
)


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


def section(material: Material) -> Section:
    """Climb for every map of every kind of filters that is published."""
    filters, missing = _filters(material)
    kinds = {name: _kind(*origin) for name, origin in filters.items()}
    random = kinds["random"]
    unpooled = CentralUnits(nn.Sequential(*list(_stage(random.filters))[:-1]))
    alone = shift_tolerance(unpooled, climb(unpooled, SIDE - 1, ASCENT).images, SHIFTS)  # an odd side has a middle
    measured = {
        "maps": Measured(len(random.filters), "maps, each with its own stimulus"),
        "side": Measured(SIDE, "side of the images, pixels"),
        "gratings": Measured(len(gratings.frequencies(SPECTRUM)), "gratings of other frequencies that were tried"),
        "far": Measured(FAR, "pixels of the shift that is compared"),
        "unpooled_far": mean_of(alone[:, FAR].tolist(), "response kept at that shift by units before pooling"),
        "noise_oriented": mean_of(_oriented(_noise()), "orientation score of white noise"),
        **_predictions(random),
    }
    for name, kind in kinds.items():
        measured |= _figures(kind, name)
    others = "".join(f", {{{name}_oriented:.2f}} for those of {WORDS[name]}" for name in kinds if name != "random")
    found = " ".join(f"No {WORDS[name]} are published yet." for name in missing)
    return Section(
        claim="paper-19",
        title="Optimal stimuli of random units are gratings, and tolerate shifts",
        text=TEXT.replace("{others}", others)
        .replace("{found} ", f"{found} " if found else "")
        .replace("{side}x{side}", f"{SIDE}x{SIDE}"),
        measured=measured,
        pictures=[
            *(_stimuli(kind, name) for name, kind in kinds.items()),
            _tolerance({name: kind.tolerance for name, kind in kinds.items()}, alone),
            _peaks(random),
        ],
        tables=[_table(kinds)],
    )


def _filters(material: Material) -> tuple[dict[str, tuple[Tensor, str]], list[str]]:
    """First-stage filters on Caltech-101 by kind, with the run they are of, and the kinds that are not published."""
    bank = make_network(parse(material.config("data=caltech101", "stages=1")), 102).filter_banks[0]
    found, missing = {"random": (bank.kernels.detach()[:, 0], "")}, []
    for name, wanted in (("psd", [("psd", False)]), ("refined", [("random", True), ("psd", True)])):
        for filters, refine in wanted:
            try:
                published = material.filters(filters, refine)
            except MultistageError:
                continue
            found.setdefault(name, (published.after, published.run))
        if name not in found:
            missing.append(name)
    return found, missing


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


def _oriented(images: Tensor) -> list[float]:
    """Orientation score of the part of images that units see."""
    return selectivity(images[:, 0, 3:-3, 3:-3]).tolist()


def _figures(kind: Kind, name: str) -> dict[str, Measured]:
    of, optimum = WORDS[name], kind.optimum
    return {
        f"{name}_response": mean_of(optimum.responses.tolist(), f"response to the optimal stimulus, {of}"),
        f"{name}_noise": mean_of(optimum.start.tolist(), f"response to white noise, {of}"),
        f"{name}_grating": mean_of(kind.best.tolist(), f"response to the best grating, {of}"),
        f"{name}_oriented": mean_of(_oriented(optimum.images), f"orientation score of optimal stimuli, {of}"),
        f"{name}_far": mean_of(kind.tolerance[:, FAR].tolist(), f"response kept at a shift of {FAR} pixels, {of}"),
    }


def _predictions(random: Kind) -> dict[str, Measured]:
    """How best gratings of random units agree with their filters' spectra, by what stands before pooling."""
    peak = _peak(random.filters)
    tries = {
        "square": (_best_grating(CentralUnits(_stage(random.filters, middle=Square)))[1], "squares pooled, no N"),
        "plain": (_best_grating(CentralUnits(_stage(random.filters, middle=nn.Identity)))[1], "no N"),
        "n": (random.chosen, "with N"),
        "strong": (_best_grating(CentralUnits(_stage(random.filters, "tanh")))[1], "with tanh and N, unit deviation"),
        "climb": (_peak(random.optimum.images[:, 0]), "peak of the stimulus found by ascent, with N"),
    }
    measured = {}
    for name, (chosen, what) in tries.items():
        exact = (chosen == peak).all(1).double().mean()
        measured[f"{name}_exact"] = Measured(
            100 * float(exact), f"units whose best grating is at the peak: {what}", "%"
        )
        for property_, statistic, of in (
            ("orientation", gratings.circular_correlation, gratings.orientation),
            ("frequency", gratings.correlation, partial(torch.linalg.vector_norm, dim=1)),
        ):
            a, b = of(peak), of(chosen)
            low, high = gratings.resampled(statistic, a, b)
            what_ = f"correlation of {property_} of filter's peak and best grating: {what}"
            key = f"{name}_{property_}"
            measured[key] = Measured(statistic(a, b), what_, interval=(low, high), n=len(a))
            if name == "n":
                measured[f"{key}_low"] = Measured(low, f"{what_}, end of its interval")
                measured[f"{key}_high"] = Measured(high, f"{what_}, end of its interval")
    return measured


def _table(kinds: dict[str, Kind]) -> Table:
    rows = []
    for name, kind in kinds.items():
        peak = _peak(kind.filters)
        angle = gratings.circular_correlation(gratings.orientation(peak), gratings.orientation(kind.chosen))
        frequency = gratings.correlation(peak.norm(dim=1), kind.chosen.norm(dim=1))
        values = [m.value for m in _figures(kind, name).values()]
        rows.append([WORDS[name], *(f"{value:.2f}" for value in (*values, angle, frequency))])
    heads = ["filters", "response", "to noise", "to a grating", "oriented", "after shift", "orientation", "frequency"]
    caption = (
        "Means over maps: responses, orientation score, response kept after a shift of {far} pixels; and correlations "
        "of the best grating's orientation and frequency with those of the filter's spectral peak, with N."
    )
    return Table(heads, rows, caption)


def _stimuli(kind: Kind, name: str) -> Picture:
    images = kind.optimum.images[:, 0]
    images = images / images.abs().amax((1, 2), keepdim=True)
    framed = F.pad(images, (1, 1, 1, 1), value=1.0)
    size = SIDE + 2
    rows = len(framed) // 8
    sheet = framed[: 8 * rows].reshape(rows, 8, size, size).transpose(1, 2).reshape(rows * size, 8 * size)
    with drawing.figure(height=4.6 * rows / 8) as (drawn, axes):
        drawing.gray(axes[0, 0], sheet, limit=1.0)
        caption = f"Optimal stimuli of the units of {WORDS[name]}, one a map, each scaled to its largest value."
        caption += f" The filters are those of `{kind.run}`." if kind.run else ""
        return Picture(f"paper-19-{name}", drawing.png(drawn, 32), caption)


def _tolerance(tolerance: dict[str, Tensor], alone: Tensor) -> Picture:
    with drawing.figure(height=2.7) as (drawn, axes):
        ax = axes[0, 0]
        for (name, kept), marker in zip(tolerance.items(), "os^", strict=False):
            ax.plot(range(SHIFTS + 1), kept.mean(0), f"{marker}-", label=WORDS[name])
        ax.plot(range(SHIFTS + 1), alone.mean(0), "k:", label="random, before pooling")
        ax.axhline(0, color="#555555", linewidth=1)
        ax.set_xlabel("stimulus shifted by, pixels")
        ax.set_ylabel("response kept")
        ax.legend(loc="lower left", bbox_to_anchor=(0.1, 0.06))
        caption = "Response to shifted optimal stimuli, as a part of that in place; mean over maps and directions."
        return Picture("paper-19-shifts", drawing.png(drawn), caption)


def _peaks(random: Kind) -> Picture:
    peak, chosen = _peak(random.filters), random.chosen
    degrees = [torch.rad2deg(gratings.orientation(f)) for f in (peak, chosen)]
    with drawing.figure(1, 2, 2.6) as (drawn, axes):
        for ax, (a, b), label, limit in (
            (axes[0, 0], degrees, "orientation, degrees", 180),
            (axes[0, 1], (peak.norm(dim=1), chosen.norm(dim=1)), "frequency, cycles a pixel", 0.7),
        ):
            ax.plot([0, limit], [0, limit], color="#555555", linewidth=1)
            ax.plot(a, b, "o", alpha=0.6)
            ax.set_xlim(0, limit)
            ax.set_ylim(0, limit)
            ax.set_aspect("equal")
            ax.set_title(label)
            ax.set_xlabel("filter's peak")
        axes[0, 0].set_ylabel("best grating")
        caption = (
            "Best grating of each random unit against the peak of its filter's spectrum, with N. Orientations of zero "
            "and of half a turn are the same."
        )
        return Picture("paper-19-peaks", drawing.png(drawn), caption)
