"""What the lecture says; scripts/lecture.py measures its figures, and exact ones decide where they fit (alone=0)."""

from audit.claims.cells import ablation, beyond_table1, frozen, table1, table1_tests
from audit.claims.claims import Test, ask, claim
from audit.claims.quantities import Epochs, Number
from audit.tables.addresses import ABS, BOTH, NEITHER, N


def number(
    says: str, name: str, less: str = "", *, alone: float | None = None, of: float = 0, **bound: float
) -> list[Test]:
    """A test of one number of the lecture's page, or of one less another."""
    return ask(says, alone=alone, of=of, **bound).of(Number(name) - Number(less) if less else Number(name))


CLAIMS = (
    claim(
        "lecture-01",
        "40,000 units fully connected to 200x200 pixels need about two billion parameters, with local fields of 10x10 "
        "four million, one hundred shared filters of 10x10 ten thousand.",
        "The arithmetic; fully connected, it is 1.6 billion exactly.",
        number("fully connected, rounds to two billion", "full", within=5e8, of=2e9, alone=0),
        number("local fields", "local", within=0, of=4e6, alone=0),
        number("shared filters", "shared", within=0, of=1e4, alone=0),
    ),
    claim(
        "lecture-02",
        "Local fields with weights of their own suit registered images; sharing needs no registration.",
        "Said, without figures.",
        number(
            "what sharing gains on moved images, beyond what it gains on registered ones", "gain_far", "gain_0", above=0
        ),
        number("what sharing gains on registered images", "gain_0", below=2),
        number("what moving the images costs shared filters", "lost", within=2),
    ),
    claim(
        "lecture-03",
        "Pixels are correlated with their neighbours and hardly with pixels far away.",
        "Said, without figures.",
        number(
            "correlation of neighbours, beyond that at forty pixels, photographs", "photo_near", "photo_forty", above=0
        ),
        number(
            "correlation of neighbours, beyond that at ten pixels, locally normalised",
            "normalised_near",
            "normalised_ten",
            above=0,
        ),
        number(
            "variance that pixels further than one away explain, in points, photographs",
            "photo_all",
            "photo_one",
            below=10,
        ),
        number(
            "variance that pixels further than one away explain, in points, locally normalised",
            "normalised_all",
            "normalised_one",
            below=10,
        ),
    ),
    claim(
        "lecture-04",
        "Shared filters are equivariant; what moves the image moves the maps.",
        "A theorem for filters; errors are those of float32.",
        number("error of the filter bank", "bank", below=1e-4),
        number("error of fields that share no weights", "unshared", above=0.1),
    ),
    claim(
        "lecture-05",
        "Convolution with k is correlation with the flipped kernel W.",
        "A definition, and a worked example.",
        number("difference from the worked example", "example", within=0, alone=0),
        number("difference from convolution by hand", "by_hand", below=1e-9, alone=0),
        number("difference from correlation with W", "with_w", below=1e-4),
        number("difference from correlation with k itself", "with_k", above=0.1),
    ),
    claim(
        "lecture-06",
        "Zero padding lets filters go over the border.",
        "A corner pixel bears on one unit of a 9x9 filter without padding.",
        number("units that a corner pixel bears on", "corner_valid", within=0, of=1, alone=0),
        number("further units that it bears on with padding", "corner_padded", "corner_valid", above=0, alone=0),
    ),
    claim(
        "lecture-07",
        "A filter with a non-linearity is a detector of its pattern, at any position.",
        "The kernel of a vertical edge with sigm(0.02 x * k - 4).",
        number("its output on a flat image", "flat", below=0.05, alone=0),
        number("firing positions that are vertical edges", "vertical", above=90, alone=0),
        number("edges of the other polarity where it fires", "opposite", below=1, alone=0),
        number("difference between positions", "places_error", below=1e-3, alone=0),
        number(
            "outputs that are neither on nor off, linear beyond non-linear", "linear", "undecided", above=0, alone=0
        ),
    ),
    claim(
        "lecture-08",
        "Pooling gives invariance to small shifts, and fewer units.",
        "Said, without figures.",
        number(
            "change of a unit at a shift of one pixel, unpooled beyond mean-pooled", "none_one", "mean_one", above=0
        ),
        number("change of a unit at a shift of one pixel, unpooled beyond max-pooled", "none_one", "max_one", above=0),
        number("units that pooling saves", "unpooled", "pooled", above=0, alone=0),
    ),
    claim(
        "lecture-09",
        "Max pooling passes gradient to the winner only, mean pooling 1/m^2 to each; a convolution's gradient is a "
        "correlation.",
        "Derived.",
        number("windows whose winner gets all", "winners", within=0.1, of=100, alone=0),
        number("difference of a share from 1/m^2", "share_error", below=1e-9, alone=0),
        number("gradient by the map against tap by tap", "by_map", below=1e-9, alone=0),
        number("gradient by the kernel against tap by tap", "by_kernel", below=1e-9, alone=0),
    ),
    claim(
        "lecture-10",
        "Rectification makes a unit invariant to its sign, from black to white or from white to black.",
        "|x| = |-x|.",
        number("change by the negative with abs", "abs", below=1e-5),
        number("change by the negative with abs and N", "abs_lcn", below=1e-4),
        number("change by the negative with neither", "none", above=0.1),
    ),
    claim(
        "lecture-11",
        "Contrast normalisation brings local means to 0 and local deviations to 1, damps a unit whose neighbours are "
        "active, makes maps compete, and scales activations better for learning.",
        "Said; the lecture's window is 7x7, its sums within each map.",
        number("local mean after the lecture's N", "mean_small", within=0.1),
        number("local deviation after the lecture's N", "photo_small", within=0.1, of=1),
        number("what a unit keeps of its response when its neighbours double, the paper's N", "places", below=1),
        number("what a unit keeps of its response when all other maps double, the paper's N", "others", below=1),
        number("spread of scales, before N beyond after", "spread_before", "spread_after", above=0, alone=0),
        number("training loss on digits with N less without at the same rate", "n_equal", below=0),
        number("training loss on digits with N less without, each at its best rate", "n_best", below=0),
    ),
    claim(
        "lecture-12",
        "Inserting rectification and contrast normalisation improves recognition.",
        "Table 1 of the paper.",
        ask("what abs, N, both bring frozen random filters", above=0).of(
            *[table1(row, model) - table1(row, NEITHER) for row in frozen("RR") for model in (ABS, N, BOTH)]
        ),
        ask("what abs, N, both bring refined networks", above=0, alone=3).of(
            *[table1("R+R+", model) - table1("R+R+", NEITHER) for model in (ABS, N, BOTH)]
        ),
    ),
    claim(
        "lecture-13",
        "Batch normalisation gives units mean 0 and variance 1 in every mini-batch, before a learned scale and shift, "
        "and helps training.",
        "Said, without figures.",
        number("largest mean of a unit in a mini-batch", "mean_error", below=1e-3, alone=0),
        number("largest difference of a deviation from 1", "deviation_error", below=1e-2, alone=0),
        number("training loss on digits with it less without at the same rate", "abs_equal", below=0),
        number("training loss on digits with it less without, each at its best rate", "abs_best", below=0),
        ask("epochs that batch normalisation saves on digits (below 0, saves)", below=0).of(
            *[
                Epochs(0.23, ablation("R+R+", model), ablation("R+R+", without))
                for model, without in (
                    ("batchnorm_avgpool", NEITHER),
                    ("abs_batchnorm_avgpool", ABS),
                    ("batchnorm_maxpool", "maxpool"),
                )
            ]
        ),
        ask("accuracy that it brings refined networks on Caltech-101", above=0, alone=3).of(
            beyond_table1("R+R+", "batchnorm_avgpool") - table1("R+R+", NEITHER),
            beyond_table1("R+R+", "abs_batchnorm_avgpool") - table1_tests("R+R+", ABS, lr=0.2),  # eight epochs too
        ),
    ),
    claim(
        "lecture-14",
        "Outputs of softmax estimate probabilities of classes.",
        "Said, without figures.",
        number("calibration error on test digits of MNIST", "error", below=5, alone=1),
        number("calibration error of networks that learned from few digits", "few_error", below=5),
    ),
)
