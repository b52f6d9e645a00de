"""lecture-10: rectification gives invariance to the sign of a unit."""

from collections.abc import Mapping

import torch
from torch import Tensor

from audit.instruments.invariance import Function, change, invariance_error
from audit.instruments.transformations import brightened, contrasted, lit, negative
from audit.lecture import drawing
from audit.lecture.material import Material
from audit.lecture.section import Picture, Section, Table
from audit.lecture.stage import accuracy, chain, operations, random_kernels
from multistage.data import caltech101
from multistage.layers import average_pool
from multistage.records.intervals import Measured, mean_of
from multistage.settings import composition

COUNT, DIGITS = 20, 500
CHANGES: Mapping[str, Function] = {
    "negative": negative,
    "brighter": brightened,
    "half the contrast": contrasted,
    "light from one side": lit,
}
WINDOW, STEP = 10, 5

TEXT = (
    "Black for white: {images} locally normalised Caltech-101 images and their negatives went through stages of "
    "{filters} learned filters with mean pooling over 10x10. On the page's scale they differ by {abs:.0f}, exactly, "
    "after the absolute value, with contrast normalisation behind it ({abs_lcn:.0f}) and with random filters "
    "({abs_random:.0f}). Without rectification the response turns its sign and differs by {none:.2f} (opposite "
    "responses of mean zero: the root of two); the positive part, which keeps one polarity and drops the other, "
    "leaves {relu:.2f} after pooling. In trained networks for MNIST the invariance is complete: {identical} of "
    "{presets} presets, those with the absolute value, give the very same scores for a digit and its negative, so "
    "that `abs_lcn_avgpool` puts {paper_negative:.1f} of {digits} negatives into their class as it does digits, "
    "though it never saw one. The others fall from {others:.1f} to {others_negative:.2f} on average, far below "
    "chance: what spoke for a class speaks against it once its sign is turned; the positive part in the place of the "
    "absolute value (`relu_lcn_avgpool`) gets {relu_negative:.1f}. It is no different before training: scores of the "
    "untrained `abs_lcn_avgpool` change by {untrained_abs:.0f}, those of `lcn_avgpool` by {untrained_none:.2f}. The "
    "table shows what rectification does not do. If a photograph gets brighter, it makes the change of its pooled "
    "maps larger, not smaller ({bright_none:.2f} without, {bright_abs:.2f} with it). Against half the contrast, "
    "normalising the maps helps ({half_abs:.2f} without, {half_norm:.2f} with it); against brightness and contrast "
    "altogether, normalising the image ({bright_image:.2f} and {half_image:.2f}), which also takes a part of a light "
    "from one side away ({lit_abs:.2f}, then {lit_image:.2f}, and {lit_both:.2f} with the maps normalised too)."
)


def section(material: Material) -> Section:
    """Turn black into white."""
    learned = material.filters("psd", False).after[::4]
    x = material.images("caltech101", COUNT)
    turned = {name: _changed(f, x, _opposite) for name, f in operations(learned).items()}
    random = _changed(operations(random_kernels(len(learned), learned.shape[-1]))["F-R_abs"], x, _opposite)
    changes = _changes(material.photographs(COUNT), learned)
    nets = _networks(material)
    rectified = {name for name, net in nets.items() if net["difference"].max() == 0}
    others = [net for name, net in nets.items() if name not in rectified]
    digits = material.images("mnist", DIGITS)
    untrained = {
        name: change(net(digits)[..., None], net(-digits)[..., None])
        for name in ("abs_lcn_avgpool", "lcn_avgpool")
        for net in [material.untrained(name)]
    }

    def light(name: str, given: str, what: str) -> Measured:
        return mean_of(changes[name, given, what].tolist(), f"change of pooled maps by {what}: {name}, {given}")

    gray, bright, half, side = "gray values", *list(CHANGES)[1:]
    return Section(
        claim="lecture-10",
        title="Rectification gives invariance to the sign of a unit",
        text=TEXT,
        measured={
            "images": Measured(COUNT, "Caltech-101 images"),
            "digits": Measured(DIGITS, "MNIST digits"),
            "filters": Measured(len(learned), "learned filters, every fourth of the bank"),
            "abs": mean_of(turned["F-R_abs"].tolist(), "change by the negative, F-R_abs-P_A"),
            "abs_lcn": mean_of(turned["F-R_abs-N"].tolist(), "change by the negative, F-R_abs-N-P_A"),
            "abs_random": mean_of(random.tolist(), "change by the negative, F-R_abs-P_A, random filters"),
            "none": mean_of(turned["F"].tolist(), "change by the negative, F-P_A"),
            "relu": mean_of(turned["F-R_relu"].tolist(), "change by the negative, F-R_relu-P_A"),
            "presets": Measured(len(nets), "presets, trained on MNIST"),
            "identical": Measured(len(rectified), "presets with the same scores for every digit and its negative"),
            "paper_negative": _percent(nets["abs_lcn_avgpool"]["negatives"], "abs_lcn_avgpool on negatives"),
            "relu_negative": _percent(nets["relu_lcn_avgpool"]["negatives"], "relu_lcn_avgpool on negatives"),
            "others": mean_of(
                [100 * float(net["digits"].mean()) for net in others], "accuracy on digits, presets without abs", "%"
            ),
            "others_negative": mean_of(
                [100 * float(net["negatives"].mean()) for net in others],
                "accuracy on negatives, presets without abs",
                "%",
            ),
            "untrained_abs": mean_of(
                untrained["abs_lcn_avgpool"].tolist(), "change of scores, untrained abs_lcn_avgpool"
            ),
            "untrained_none": mean_of(untrained["lcn_avgpool"].tolist(), "change of scores, untrained lcn_avgpool"),
            "bright_none": light("F", gray, bright),
            "bright_abs": light("F-R_abs", gray, bright),
            "bright_image": light("F-R_abs", "normalised", bright),
            "half_abs": light("F-R_abs", gray, half),
            "half_norm": light("F-R_abs-N", gray, half),
            "half_image": light("F-R_abs", "normalised", half),
            "lit_abs": light("F-R_abs", gray, side),
            "lit_image": light("F-R_abs", "normalised", side),
            "lit_both": light("F-R_abs-N", "normalised", side),
        },
        pictures=[_picture(nets)],
        tables=[_table(changes)],
    )


def _opposite(x: Tensor) -> Tensor:
    return negative(x, 0)


def _changed(f: Function, x: Tensor, transform: Function) -> Tensor:
    return invariance_error(chain(f, lambda maps: average_pool(maps, WINDOW, STEP)), x, transform)


def _networks(material: Material) -> dict[str, dict[str, Tensor]]:
    """Of trained networks, by preset: who is right on digits and negatives, and the largest change of a score, [n]."""
    x, labels = material.images("mnist", DIGITS), material.labels("mnist", DIGITS)
    found = {}
    for model in composition.names("model"):
        net = material.trained(model)
        with torch.no_grad():
            difference = (net(x) - net(-x)).abs().amax(1)
        found[model] = {
            "digits": accuracy(net, x, labels),
            "negatives": accuracy(net, -x, labels),
            "difference": difference,
        }
    return found


def _percent(right: Tensor, what: str) -> Measured:
    return mean_of((100 * right).tolist(), f"accuracy of {what}", "%")


def _changes(photographs: Tensor, kernels: Tensor) -> dict[tuple[str, str, str], Tensor]:
    """Changes of pooled maps, [images], by operations, by how photographs are scaled, and by what happens to them."""
    inputs: Mapping[str, Function] = {
        "gray values": lambda x: (x - 127.5) / 64,
        "normalised": lambda x: torch.stack([caltech101.preprocess(image[0].numpy()) for image in x]),
    }
    return {
        (name, given, what): _changed(chain(prepare, f), photographs, transform)
        for given, prepare in inputs.items()
        for name, f in operations(kernels).items()
        for what, transform in CHANGES.items()
    }


def _table(changes: Mapping[tuple[str, str, str], Tensor]) -> Table:
    rows = [
        [name, given, *(f"{changes[name, given, what].mean():.2f}" for what in CHANGES)]
        for name, given in dict.fromkeys((name, given) for name, given, _ in changes)
    ]
    return Table(
        ["stage, then P_A", "image", *CHANGES],
        rows,
        "Change of pooled maps (zero: none, one: another image) when photographs change, with and without each "
        "operation. Gray values: scaled alike for all images; normalised: each image by the paper's preprocessing.",
    )


def _picture(nets: Mapping[str, Mapping[str, Tensor]]) -> Picture:
    with drawing.figure(height=4.2) as (drawn, axes):
        ax = axes[0, 0]
        for line, (_, net) in enumerate(nets.items()):
            still, turned = (100 * float(net[name].mean()) for name in ("digits", "negatives"))
            ax.plot([turned, still], [line, line], color="#999999", linewidth=1, zorder=1)
            ax.plot(
                turned, line, "D", color=drawing.COLOURS[1], label="negatives" if line == 0 else None, clip_on=False
            )
            ax.plot(
                still,
                line,
                "o",
                color=drawing.COLOURS[0],
                label="digits" if line == 0 else None,
                fillstyle="none",
                markersize=7,
            )
        ax.set_yticks(range(len(nets)), list(nets))
        ax.invert_yaxis()
        ax.set_xlim(0, 101)
        ax.set_xlabel("accuracy, %")
        drawn.legend(loc="outside upper right", ncols=2)
        caption = (
            "Accuracy of trained networks on {digits} test digits, and on their negatives, which none of them saw."
        )
        return Picture("lecture-10-negatives", drawing.png(drawn), caption)
