"""Claims of the lecture, whose figures scripts/lecture.py measures; exact ones decide without interval (alone=0)."""

from audit.claims.cells import ablation, beyond_table1, frozen, table1, table1_tests
from audit.claims.claims import ask, claim
from audit.claims.quantities import Epochs, Number
from audit.tables.addresses import ABS, BOTH, NEITHER, N

CLAIMS = (
    claim(
        "lecture-01",
        "40,000 units fully connected to 200x200 pixels need about two billion parameters, with local fields of 10x10 "
        "four million, one hundred shared filters of 10x10 ten thousand.",
        "The arithmetic; fully connected, it is 1.6 billion exactly.",
        ask("fully connected, rounds to two billion", within=5e8, of=2e9, alone=0).of(Number("full")),
        ask("local fields", within=0, of=4e6, alone=0).of(Number("local")),
        ask("shared filters", within=0, of=1e4, alone=0).of(Number("shared")),
    ),
    claim(
        "lecture-02",
        "Local fields with unshared weights suit registered images; shared weights need no registration.",
        "Said, without figures.",
        ask("what sharing gains on moved images, beyond what it gains on registered ones", above=0).of(
            Number("gain_far") - Number("gain_0")
        ),
        ask("what sharing gains on registered images", below=2).of(Number("gain_0")),
        ask("what moving the images costs shared filters", within=2).of(Number("lost")),
    ),
    claim(
        "lecture-03",
        "Pixels are strongly correlated with their neighbours and hardly with pixels far away.",
        "Said, without figures.",
        ask("correlation of neighbours, beyond that at forty pixels, photographs", above=0).of(
            Number("photo_near") - Number("photo_forty")
        ),
        ask("correlation of neighbours, beyond that at ten pixels, locally normalised", above=0).of(
            Number("normalised_near") - Number("normalised_ten")
        ),
        ask("variance that pixels further than one away explain, in points, photographs", below=10).of(
            Number("photo_all") - Number("photo_one")
        ),
        ask("variance that pixels further than one away explain, in points, locally normalised", below=10).of(
            Number("normalised_all") - Number("normalised_one")
        ),
    ),
    claim(
        "lecture-04",
        "Shared filters are equivariant: if the image moves, the maps move with it.",
        "A theorem for filters; errors are those of float32.",
        ask("error of the filter bank", below=1e-4).of(Number("bank")),
        ask("error of fields that share no weights", above=0.1).of(Number("unshared")),
    ),
    claim(
        "lecture-05",
        "Convolution with k is correlation with the flipped kernel W.",
        "A definition, and a worked example.",
        ask("difference from the worked example", within=0, alone=0).of(Number("example")),
        ask("difference from convolution by hand", below=1e-9, alone=0).of(Number("by_hand")),
        ask("difference from correlation with W", below=1e-4).of(Number("with_w")),
        ask("difference from correlation with k itself", above=0.1).of(Number("with_k")),
    ),
    claim(
        "lecture-06",
        "Zero padding lets filters reach over the border.",
        "A corner pixel bears on one unit of a 9x9 filter without padding.",
        ask("units that a corner pixel bears on", within=0, of=1, alone=0).of(Number("corner_valid")),
        ask("further units that it bears on with padding", above=0, alone=0).of(
            Number("corner_padded") - Number("corner_valid")
        ),
    ),
    claim(
        "lecture-07",
        "A filter with a non-linearity is a detector of its pattern, at any position.",
        "The kernel of a vertical edge with sigm(0.02 x * k - 4).",
        ask("its output on a flat image", below=0.05, alone=0).of(Number("flat")),
        ask("firing positions that are vertical edges", above=90, alone=0).of(Number("vertical")),
        ask("edges of the other polarity where it fires", below=1, alone=0).of(Number("opposite")),
        ask("difference between positions", below=1e-3, alone=0).of(Number("places_error")),
        ask("outputs that are neither on nor off, linear beyond non-linear", above=0, alone=0).of(
            Number("linear") - Number("undecided")
        ),
    ),
    claim(
        "lecture-08",
        "Pooling gives invariance to small shifts, and fewer units.",
        "Said, without figures.",
        ask("change of a unit at a shift of one pixel, unpooled beyond mean-pooled", above=0).of(
            Number("none_one") - Number("mean_one")
        ),
        ask("change of a unit at a shift of one pixel, unpooled beyond max-pooled", above=0).of(
            Number("none_one") - Number("max_one")
        ),
        ask("units that pooling saves", above=0, alone=0).of(Number("unpooled") - Number("pooled")),
    ),
    claim(
        "lecture-09",
        "Max pooling passes gradient to the winner only, mean pooling 1/m^2 to each; a convolution's gradient is a "
        "correlation.",
        "Derived.",
        ask("windows whose winner gets all", within=0.1, of=100, alone=0).of(Number("winners")),
        ask("difference of a share from 1/m^2", below=1e-9, alone=0).of(Number("share_error")),
        ask("gradient by the map against tap by tap", below=1e-9, alone=0).of(Number("by_map")),
        ask("gradient by the kernel against tap by tap", below=1e-9, alone=0).of(Number("by_kernel")),
    ),
    claim(
        "lecture-10",
        "Rectification makes a unit invariant to its sign, from black to white or from white to black.",
        "|x| = |-x|.",
        ask("change by the negative with abs", below=1e-5).of(Number("abs")),
        ask("change by the negative with abs and N", below=1e-4).of(Number("abs_lcn")),
        ask("change by the negative with neither", above=0.1).of(Number("none")),
    ),
    claim(
        "lecture-11",
        "Contrast normalisation brings local means to 0 and local deviations to 1, damps a unit whose neighbours are "
        "active, makes maps compete, and scales activations better for learning.",
        "Said; the lecture's window is 7x7, its sums within each map.",
        ask("local mean after the lecture's N", within=0.1).of(Number("mean_small")),
        ask("local deviation after the lecture's N", within=0.1, of=1).of(Number("photo_small")),
        ask("what a unit keeps of its response when its neighbours double, the paper's N", below=1).of(
            Number("places")
        ),
        ask("what a unit keeps of its response when all other maps double, the paper's N", below=1).of(
            Number("others")
        ),
        ask("spread of scales, before N beyond after", above=0, alone=0).of(
            Number("spread_before") - Number("spread_after")
        ),
        ask("training loss on digits with N minus without N at the same rate", below=0).of(Number("n_equal")),
        ask("training loss on digits with N minus without N, each at its best rate", below=0).of(Number("n_best")),
    ),
    claim(
        "lecture-12",
        "Inserting rectification and contrast normalisation improves recognition.",
        "Table 1 of the paper.",
        ask("what abs, N, both bring frozen random filters", above=0).of(
            table1.each(frozen("RR"), ABS, N, BOTH) - table1.each(frozen("RR"), NEITHER)
        ),
        ask("what abs, N, both bring refined networks", above=0, alone=3).of(
            table1.each(["R+R+"], ABS, N, BOTH) - table1("R+R+", NEITHER)
        ),
    ),
    claim(
        "lecture-13",
        "Batch normalisation gives units mean 0 and variance 1 in every mini-batch, before a learned scale and shift, "
        "and helps training.",
        "Said, without figures.",
        ask("largest mean of a unit in a mini-batch", below=1e-3, alone=0).of(Number("mean_error")),
        ask("largest difference of a deviation from 1", below=1e-2, alone=0).of(Number("deviation_error")),
        ask("training loss on digits with abs minus without abs at the same rate", below=0).of(Number("abs_equal")),
        ask("training loss on digits with abs minus without abs, each at its best rate", below=0).of(
            Number("abs_best")
        ),
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
            beyond_table1("R+R+", "abs_batchnorm_avgpool") - table1_tests("R+R+", ABS, lr=0.2),  # also eight epochs
        ),
    ),
    claim(
        "lecture-14",
        "Outputs of softmax estimate probabilities of classes.",
        "Said, without figures.",
        ask("calibration error on test digits of MNIST", below=5, alone=1).of(Number("error")),
        ask("calibration error of networks that learned from few digits", below=5).of(Number("few_error")),
    ),
)
