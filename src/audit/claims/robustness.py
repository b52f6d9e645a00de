"""Claim about contrast normalisation and corrupted images; written before any network was tested on them."""

from collections.abc import Mapping

from audit.claims.cells import robustness
from audit.claims.claims import ask, claim
from audit.claims.quantities import Kept
from audit.tables.addresses import ABS, BOTH, N_MAX, Quantity
from audit.tables.kept import LIGHT

TESTED = {"test_per_class": 1, "corrupted": True}
"""Settings of this folder's tests."""

UNDONE = {"test_per_class": 1, "preprocessing": "gcn", "corrupted": True}
"""The same, in the order of a run's folder, for images that are not locally normalised before the first stage."""


def kept_by_n(row: str, with_n: str, without: str, how: Mapping[str, object]) -> list[Quantity]:
    """Return how much more of its accuracy a network keeps with N, under each corruption of light."""
    return [
        Kept(robustness(row, with_n, how), corruption) - Kept(robustness(row, without, how), corruption)
        for corruption in LIGHT
    ]


CLAIMS = (
    claim(
        "extra-14",
        "With N a network keeps more of its accuracy where contrast falls or light is uneven.",
        "Said everywhere; the paper has no figure. What a network keeps: the mean of its accuracies at five strengths, "
        "over the one on clean images.",
        ask("share kept under less contrast, a lighting gradient: with N minus without N", above=0).of(
            *kept_by_n("RR, lbfgs", BOTH, ABS, TESTED),
            *kept_by_n("RR, lbfgs", N_MAX, "maxpool", TESTED),
            *kept_by_n("UU, lbfgs", BOTH, ABS, TESTED),
        ),
        ask("the same, of images that are not locally normalised before the first stage", above=0).of(
            *kept_by_n("RR, lbfgs", BOTH, ABS, UNDONE)
        ),
        limits="Fog, noise, blur, occlusion, shift and rotation, which results/robustness shows; refined networks.",
    ),
)
