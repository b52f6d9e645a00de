"""This project's own claims."""

import numpy as np

from audit.claims.cells import RANDOM, ablation, beyond_table1, labels_mnist, labels_mnist_variants, table1
from audit.claims.claims import ask, claim
from audit.tables.addresses import ABS, BOTH, N_MAX, NEITHER, Folder, N, Quantity

deviations = Folder("deviations")

RR = "RR, lbfgs"
LEARNED, TRAINED, ONE_STAGE = "UU, lbfgs", "R+R+", "R, lbfgs"
RELU = ("relu_lcn_avgpool", "relu_avgpool")
OVERLAPPING = beyond_table1.each(RANDOM, "lcn_maxpool_overlap")

SWITCHES = (
    {"contrast_norm.sigma": 2},
    {"contrast_norm.border": "renormalise"},
    {"contrast_norm.border": "reflect"},
    {"contrast_norm.floor": 1},
    {"contrast_norm.floor": 0.0001},
    {"across_maps": False},
    {"squash": "none", "gain": False},
    {"stage1.filter_range": 0.055, "stage2.filter_range": 0.055},
    {"stage1.filter_range": 0.22, "stage2.filter_range": 0.22},
    {"stage2.fan_in": None},
    {"variance": "two_pass"},
    {"lbfgs.penalty": 0.0001},
    {"lbfgs.penalty": 0.01},
)
"""Switches of DEVIATIONS.md that affect random frozen filters."""


def factors(model: str) -> list[Quantity]:
    """Return the gains of an architecture by learned filters, training and a second stage."""
    rr = table1(RR, model)
    return [table1(LEARNED, model) - rr, table1(TRAINED, model) - rr, rr - table1(ONE_STAGE, model)]


CLAIMS = (
    claim(
        "extra-01",
        "Rectification is the largest single factor with average pooling, even if the classifier has converged.",
        "The paper's claim (paper-03), asked of the converged classifier and of every other factor of Table 1.",
        ask(
            "what abs brings P_A, beyond what N, max pooling, learned filters, training, a second stage bring it",
            above=0,
            alone=3,
        ).of(
            (table1(RR, ABS) - table1(RR, NEITHER))
            - np.array(
                [
                    table1(RR, N) - table1(RR, NEITHER),
                    beyond_table1(RR, "maxpool") - table1(RR, NEITHER),
                    *factors(NEITHER),
                ]
            )
        ),
        ask(
            "what R_abs-N-P_A loses without abs, beyond what it gains by N, learned filters, training, a second stage",
            above=0,
            alone=3,
        ).of((table1(RR, BOTH) - table1(RR, N)) - np.array([table1(RR, BOTH) - table1(RR, ABS), *factors(BOTH)])),
    ),
    claim(
        "extra-02",
        "Max pooling needs no rectification because its windows are smaller and do not overlap.",
        "The paper's P_M takes 5x5 and 4x4, without overlap, where its P_A takes 10x10 and 6x6, with overlap.",
        ask(
            "what the maximum loses in the mean's windows, beyond what it keeps of its gain over the mean",
            above=0,
            alone=3,
        ).of((table1.each(RANDOM, N_MAX) - OVERLAPPING) - (OVERLAPPING - table1.each(RANDOM, N))),
    ),
    claim(
        "extra-03",
        "The positive part is as good as the absolute value.",
        "The paper asserts it (paper-12). Here the question is only whether the positive part is worse.",
        ask("positive part minus absolute value on Caltech-101, not more than two points below", above=-2, alone=3).of(
            beyond_table1.each(RANDOM, *RELU) - table1.each(RANDOM, BOTH, ABS)
        ),
        ask("positive part minus absolute value on digits, not more than half a point below", above=-0.5).of(
            ablation.each((RR, "R+R+"), *RELU) - ablation.each((RR, "R+R+"), BOTH, ABS)
        ),
    ),
    claim(
        "extra-04",
        "Batch normalisation can replace contrast normalisation, even with few labels.",
        "Our question; the paper is older than batch normalisation. The tests on MNIST show how many labels it needs.",
        ask(
            "batch normalisation minus N after abs, MNIST by labels a class, not more than half a point below",
            above=-0.5,
        ).of(
            *[
                labels_mnist_variants("R+R+", "abs_batchnorm_avgpool", labels=labels)
                - labels_mnist("R+R+", BOTH, labels=labels)
                for labels in (10, 30, 100, 300, 1000)
            ]
        ),
        ask("batch normalisation minus N after abs, Caltech-101, not more than two points below", above=-2, alone=3).of(
            beyond_table1.each(RANDOM, "abs_batchnorm_avgpool") - table1.each(RANDOM, BOTH)
        ),
        ask("batch normalisation minus N after abs, digits, not more than half a point below", above=-0.5).of(
            ablation.each((RR, "R+R+"), "abs_batchnorm_avgpool") - ablation.each((RR, "R+R+"), BOTH)
        ),
    ),
    claim(
        "extra-05",
        "No guess in DEVIATIONS.md changes R_abs-N-P_A with random frozen filters by more than two points.",
        "Each switch that bears on frozen filters, changed alone.",
        ask("with the switch minus without it", within=2).of(
            *[deviations(RR, BOTH, switch) - deviations(RR, BOTH) for switch in SWITCHES]
        ),
        limits="Guesses about refinement and PSD; test images a class, which cannot be compared draw by draw.",
    ),
)
