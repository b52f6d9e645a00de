"""lecture-02: local connectivity suits registered images; sharing does not need registration."""

from audit.instruments.local_connectivity import Setting, make, shifted, trial
from audit.lecture import drawing
from audit.lecture.material import Material
from audit.lecture.section import Picture, Section
from audit.lecture.trials import half_width, minus
from multistage.data.dataset import standardise
from multistage.network.randomness import generator
from multistage.records import intervals as estimates
from multistage.records.intervals import Measured, mean_of
from multistage.settings.tree import parse

DRAWS = 5
SHIFTS = (0, 2, 4)
SETTING = Setting(epochs=6)

TEXT = (
    "Two networks that differ in one thing: the first has {maps} filters of 5x5 that all positions share, the "
    "second a filter of its own at every position, {ratio:.0f} times as many weights in this layer. Both go on "
    "with tanh, average pooling and a linear classifier, have equally many units, and were trained alike on "
    "{training:,} handwritten digits (scikit-learn's, resized to 28x28), {draws} times, each with other images "
    "and weights. Registered, as the digits come, test accuracy is {shared_0:.1f} with sharing and {local_0:.1f} "
    "without; the paired difference is {gain_0:+.1f} ± {gain_0_half:.1f}. A layer that knows where it is does no "
    "worse on images that are where they should be, in spite of all its weights. Then each image, for training "
    "and for test, was shifted at random by up to {far} along each axis: {shared_far:.1f} with sharing, "
    "{local_far:.1f} without, a difference of {gain_far:+.1f} ± {gain_far_half:.1f}. So sharing suffers less "
    "where registration is missing, as the lecture says, but it is not true that it needs none: it lost "
    "{lost:.1f} itself. Filters are found anywhere; the linear classifier behind them still looks at fixed "
    "positions. That is what pooling is for."
)


def section(material: Material) -> Section:
    """Train both on digits in place and on shifted ones."""
    accuracy = {
        (shift, sharing): [_accuracy(material, shift, sharing, draw) for draw in range(DRAWS)]
        for shift in SHIFTS
        for sharing in (True, False)
    }
    far = SHIFTS[-1]
    shared, local = (make(28, 10, sharing, SETTING, seed=0)[0] for sharing in (True, False))
    weights = [sum(p.numel() for p in layer.parameters()) for layer in (local, shared)]
    measured = {
        "maps": Measured(SETTING.maps, "maps of the first layer"),
        "ratio": Measured(weights[0] / weights[1], "weights of the first layer without sharing, by those with it"),
        "training": Measured(len(material.split("digits").train), "training images"),
        "draws": Measured(DRAWS, "draws of images, with a seed of its own each"),
        "far": Measured(far, "largest shift", "pixels"),
        "lost": mean_of(
            minus(accuracy[0, True], accuracy[far, True]), "accuracy that shifts cost with sharing", "points"
        ),
    }
    for shift, name in ((shift, "far" if shift == far else str(shift)) for shift in SHIFTS):
        of = f"on digits shifted by up to {shift} pixels"
        gain = mean_of(minus(accuracy[shift, True], accuracy[shift, False]), f"gain by sharing {of}", "points")
        measured |= {
            f"shared_{name}": mean_of(accuracy[shift, True], f"test accuracy with sharing {of}", "%"),
            f"local_{name}": mean_of(accuracy[shift, False], f"test accuracy without sharing {of}", "%"),
            f"gain_{name}": gain,
            f"gain_{name}_half": half_width(gain),
        }
    return Section(
        claim="lecture-02",
        title="Local connectivity suits registered images, sharing needs registration less",
        text=TEXT,
        measured=measured,
        pictures=[_picture(accuracy)],
    )


def _accuracy(material: Material, shift: int, sharing: bool, draw: int) -> float:
    """Test accuracy, %."""
    dataset = material.dataset("digits")
    split = parse(material.config("data=digits", f"draw={draw}")).draw.of(dataset)
    x = standardise(shifted(dataset.images, shift, generator(draw, "shifts")))
    training, test = ((x[chosen], dataset.labels[chosen]) for chosen in (split.train, split.test))
    net = make(x.shape[-1], len(dataset.class_names), sharing, SETTING, draw)
    return 100 * trial(net, training, test, SETTING, draw)[1]


def _picture(accuracy: dict[tuple[int, bool], list[float]]) -> Picture:
    with drawing.figure() as (drawn, axes):
        ax = axes[0, 0]
        for sharing, label, marker, offset in ((True, "shared", "o", -0.05), (False, "not shared", "s", 0.05)):
            means = [mean_of(accuracy[shift, sharing], "") for shift in SHIFTS]
            half = [estimates.half_width(m.interval) if m.interval else 0 for m in means]
            places = [shift + offset for shift in SHIFTS]
            ax.errorbar(places, [m.value for m in means], yerr=half, fmt=f"{marker}-", capsize=3, label=label)
        ax.set_xticks(SHIFTS)
        ax.set_xlabel("shifted by up to, pixels")
        ax.set_ylabel("test accuracy, %")
        ax.legend()
        caption = (
            "Accuracy on test digits against how far images are shifted, mean over {draws} draws and its interval."
        )
        return Picture("lecture-02-registration", drawing.png(drawn), caption)
