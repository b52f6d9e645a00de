"""The paper's claims about Table 1, with rules."""

from collections.abc import Iterable

import numpy as np

from audit.claims.cells import COLUMNS, RANDOM, READOUTS, REFINED, beyond_table1, frozen, table1
from audit.claims.claims import HALF, ask, claim
from audit.claims.quantities import PAPER
from audit.tables.addresses import ABS, BOTH, N_MAX, NEITHER, N


def gain(rows: Iterable[str], model: str, less: str) -> np.ndarray:
    """Return one column minus another, by row."""
    return table1.each(rows, model) - table1.each(rows, less)


def frozen_less(row: str, other: str, *models: str) -> np.ndarray:
    """Return one row of frozen filters minus another, by readout and column."""
    return table1.each(frozen(row), *models) - table1.each(frozen(other), *models)


def refining(stages: int, *models: str) -> np.ndarray:
    """Return the gain by fine-tuning, by letter, readout and column."""
    before, after = frozen("R" * stages, "U" * stages), [f"{letter}+" * stages for letter in "RRUU"]
    return table1.each(after, *models) - table1.each(before, *models)


CLAIMS = (
    claim(
        "paper-01",
        "Random filters, never trained, work well if rectification and normalisation follow them.",
        '{{ table1("R", BOTH) }} % with one stage, {{ table1("RR", BOTH) }} % with two.',
        ask("two stages, minus the paper's figure", above=-3).of(table1.each(frozen("RR"), BOTH) - PAPER),
        ask("one stage, minus the paper's figure", above=-3).of(table1.each(frozen("R"), BOTH) - PAPER),
    ),
    claim(
        "paper-02",
        "Random filters work badly if rectification or normalisation is missing.",
        'RR without N {{ table1("RR", ABS) }} %, without abs {{ table1("RR", N) }} %, with neither '
        '{{ table1("RR", NEITHER) }} %; with both {{ table1("RR", BOTH) }} %.',
        ask("what is lost without N, without abs, without both", above=HALF).of(
            table1.each(frozen("RR"), BOTH) - table1.each(frozen("RR"), ABS, N, NEITHER)
        ),
    ),
    claim(
        "paper-03",
        "Rectification is the largest single factor with average pooling.",
        'U+U+: abs alone {{ table1("U+U+", ABS) - table1("U+U+", NEITHER) }} points, N alone '
        '{{ table1("U+U+", N) - table1("U+U+", NEITHER) }}; with both {{ table1("U+U+", BOTH) }} %.',
        ask("what abs alone brings refined networks", above=HALF, alone=3).of(gain(REFINED, ABS, NEITHER)),
        ask("what abs alone brings, beyond what N alone brings, refined", above=HALF, alone=3).of(
            gain(REFINED, ABS, NEITHER) - gain(REFINED, N, NEITHER)
        ),
        ask("what abs alone brings, beyond what N alone brings, frozen", above=HALF).of(
            gain(frozen("RR", "UU"), ABS, NEITHER) - gain(frozen("RR", "UU"), N, NEITHER)
        ),
        limits="Factors other than abs and N, once the classifier has converged, are extra-01.",
    ),
    claim(
        "paper-04",
        "Normalisation adds accuracy to rectification, and most if the filters are random and frozen.",
        'N on top of abs: {{ table1("U+U+", BOTH) - table1("U+U+", ABS) }} points (U+U+), '
        '{{ table1("R+R+", BOTH) - table1("R+R+", ABS) }} (R+R+), {{ table1("UU", BOTH) - table1("UU", ABS) }} (UU), '
        '{{ table1("RR", BOTH) - table1("RR", ABS) }} (RR).',
        ask("what N adds to abs, frozen", above=0).of(gain(frozen("RR", "UU"), BOTH, ABS)),
        ask("what N adds to abs, refined", above=0, alone=3).of(gain(("R+R+", "U+U+"), BOTH, ABS)),
        ask("what N adds to random frozen filters, beyond what it adds to learned ones", above=0, alone=3).of(
            *[
                gain([f"RR, {readout}"], BOTH, ABS) - gain((f"UU, {readout}", "R+R+", "U+U+"), BOTH, ABS)
                for readout in READOUTS
            ]
        ),
    ),
    claim(
        "paper-05",
        "Max pooling removes much of the need for rectification, because it does not cancel signs.",
        'U+U+: N-P_M {{ table1("U+U+", N_MAX) }} %, N-P_A {{ table1("U+U+", N) }} %; but RR only '
        '{{ table1("RR", N_MAX) }} % and {{ table1("RR", N) }} %.',
        ask("what max pooling brings without abs, refined", above=HALF, alone=3).of(gain(REFINED, N_MAX, N)),
        ask("what max pooling brings without abs, frozen", above=HALF).of(gain(frozen("UU", "RR"), N_MAX, N)),
        ask("what abs brings under average pooling, beyond what it brings under max pooling", above=0, alone=3).of(
            gain(RANDOM, BOTH, N) - (beyond_table1.each(RANDOM, "abs_lcn_maxpool") - table1.each(RANDOM, N_MAX))
        ),
        limits="The paper's maximum is taken over smaller windows than its mean; extra-02 tells the two apart.",
    ),
    claim(
        "paper-06",
        "Two stages are better than one.",
        'R_abs-N-P_A: U+ {{ table1("U+", BOTH) }} to {{ table1("U+U+", BOTH) }} %, R+ {{ table1("R+", BOTH) }} to '
        '{{ table1("R+R+", BOTH) }} %, U {{ table1("U", BOTH) }} to {{ table1("UU", BOTH) }} %, R '
        '{{ table1("R", BOTH) }} to {{ table1("RR", BOTH) }} %.',
        ask("what the second stage brings, frozen", above=0).of(
            frozen_less("RR", "R", BOTH), frozen_less("UU", "U", BOTH)
        ),
        ask("what the second stage brings, refined", above=0, alone=3).of(
            table1.each(("R+R+", "U+U+"), BOTH) - table1.each(("R+", "U+"), BOTH)
        ),
    ),
    claim(
        "paper-07",
        "Without rectification and normalisation, a second stage of frozen filters lowers accuracy.",
        'P_A: U {{ table1("U", NEITHER) }} to UU {{ table1("UU", NEITHER) }} %, R {{ table1("R", NEITHER) }} to RR '
        '{{ table1("RR", NEITHER) }} %.',
        ask("what the second stage brings to P_A", below=0).of(
            frozen_less("RR", "R", NEITHER), frozen_less("UU", "U", NEITHER)
        ),
    ),
    claim(
        "paper-08",
        "Supervised refinement always helps, and most if rectification or normalisation is missing.",
        'All 20 pairs of Table 1 rise, from {{ table1("U+", N_MAX) - table1("U", N_MAX) }} points (U, N-P_M) to '
        '{{ table1("R+R+", ABS) - table1("RR", ABS) }} (RR, R_abs-P_A).',
        ask("what refinement brings two stages", above=0, alone=3).of(refining(2, *COLUMNS)),
        ask("what refinement brings one stage", above=0, alone=3).of(refining(1, *COLUMNS)),
        ask("what refinement brings two stages, beyond what it brings R_abs-N-P_A", above=0, alone=3).of(
            refining(2, ABS, N_MAX, N, NEITHER) - refining(2, BOTH)
        ),
    ),
    claim(
        "paper-09",
        "Learning filters without labels matters little if rectification and normalisation are present.",
        'R_abs-N-P_A: UU minus RR {{ table1("UU", BOTH) - table1("RR", BOTH) }} points, U+U+ minus R+R+ '
        '{{ table1("U+U+", BOTH) - table1("R+R+", BOTH) }}, U minus R {{ table1("U", BOTH) - table1("R", BOTH) }}, U+ '
        'minus R+ {{ table1("U+", BOTH) - table1("R+", BOTH) }}, all within its error bars of one point each.',
        ask("learned minus random filters, two stages, frozen", within=2).of(frozen_less("UU", "RR", BOTH)),
        ask("learned minus random filters, one stage, frozen", within=2).of(frozen_less("U", "R", BOTH)),
        ask("learned minus random filters, two stages, refined", within=2, alone=3).of(
            table1("U+U+", BOTH) - table1("R+R+", BOTH)
        ),
        ask("learned minus random filters, one stage, refined", within=2, alone=3).of(
            table1("U+", BOTH) - table1("R+", BOTH)
        ),
        limits="The demo's rate is too high for learned features of one stage, which costs U points by sgd "
        "(results/table1/README.md says how many); the lbfgs row is free of it.",
    ),
    claim(
        "paper-10",
        "Learning filters without labels matters if they stay frozen and normalisation or rectification is missing.",
        'UU minus RR {{ table1("UU", ABS) - table1("RR", ABS) }} points (R_abs-P_A), '
        '{{ table1("UU", N_MAX) - table1("RR", N_MAX) }} (N-P_M); U minus R {{ table1("U", ABS) - table1("R", ABS) }} '
        'and {{ table1("U", N_MAX) - table1("R", N_MAX) }}.',
        ask("learned minus random filters, two stages", above=HALF).of(frozen_less("UU", "RR", ABS, N_MAX)),
        ask("learned minus random filters, one stage", above=HALF).of(frozen_less("U", "R", ABS, N_MAX)),
    ),
    claim(
        "paper-11",
        "Purely supervised networks of two stages work with 3,060 training images; earlier failures were due to the "
        "non-linearity, not to the number of parameters.",
        'R+R+: P_A {{ table1("R+R+", NEITHER) }} %, R_abs-N-P_A {{ table1("R+R+", BOTH) }} %, with as many parameters.',
        ask("R+R+ with abs and N, minus the paper's figure", above=-3, alone=3).of(table1("R+R+", BOTH) - PAPER),
        ask("what abs and N bring a network that labels alone have trained", above=HALF, alone=3).of(
            gain(["R+R+"], BOTH, NEITHER)
        ),
    ),
    claim(
        "paper-12",
        "The positive part works like the absolute value.",
        "Asserted, without figures.",
        ask("positive part minus absolute value, with N", within=2, alone=3).of(
            beyond_table1.each(RANDOM, "relu_lcn_avgpool") - table1.each(RANDOM, BOTH)
        ),
        ask("positive part minus absolute value, without N", within=2, alone=3).of(
            beyond_table1.each(RANDOM, "relu_avgpool") - table1.each(RANDOM, ABS)
        ),
    ),
    claim(
        "paper-13",
        "Gabor filters in the first stage, and templates in the second, are no better than random filters.",
        'G {{ table1("G", BOTH) }} %, R {{ table1("R", BOTH) }} %; GT {{ table1("GT", BOTH) }} %, RR '
        '{{ table1("RR", BOTH) }} %. Its error bars are one point, hence the bound.',
        ask("Gabor minus random filters, one stage", below=1).of(frozen_less("G", "R", BOTH)),
        ask("Gabor filters and templates minus random filters, two stages", below=1).of(frozen_less("GT", "RR", BOTH)),
        limits="The demo's rate is too high for features of one stage with learned or Gabor filters, which costs G "
        "points by sgd (results/table1/README.md says how many); the lbfgs rows are free of it.",
    ),
    claim(
        "paper-14",
        "A pyramid SVM on one stage is as accurate as two stages, and much less accurate on the second stage's maps.",
        'U with the SVM {{ table1("U, pyramid_svm", BOTH) }} %, UU {{ table1("UU", BOTH) }} %, U+U+ '
        '{{ table1("U+U+", BOTH) }} %; UU with the SVM {{ table1("UU, pyramid_svm", BOTH) }} %.',
        ask("one stage with the SVM minus two stages, frozen", within=2).of(
            table1("U, pyramid_svm", BOTH) - table1.each(frozen("UU"), BOTH)
        ),
        ask("one stage with the SVM minus two stages, refined", within=2, alone=3).of(
            table1("U, pyramid_svm", BOTH) - table1("U+U+", BOTH)
        ),
        ask("the SVM on two stages minus the SVM on one", below=HALF).of(
            table1("UU, pyramid_svm", BOTH) - table1("U, pyramid_svm", BOTH)
        ),
        limits="That the second stage's grid of 18x18 is to blame.",
    ),
)
