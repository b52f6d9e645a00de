"""lecture-02: local connectivity suits registered images; sharing does not need registration."""

from typing import Any

from audit.instruments.local_connectivity import Setting, make, shifted, trial
from audit.lecture import drawing
from audit.lecture.material import Material
from audit.lecture.section import Figure, Found
from audit.lecture.trials import minus
from multistage.data.dataset import standardise
from multistage.network.randomness import generator
from multistage.records.intervals import half_width, mean_of
from multistage.settings.tree import parse

DRAWS = 5
SHIFTS = (0, 2, 4)
SETTING = Setting(epochs=6)


def measure(material: Material) -> Found:
    """Train both on digits in place and on shifted ones."""
    accuracy = {
        (shift, sharing): [_accuracy(material, shift, sharing, draw) for draw in range(DRAWS)]
        for shift in SHIFTS
        for sharing in (True, False)
    }
    far = SHIFTS[-1]
    shared, local = (make(28, 10, sharing, SETTING, seed=0)[0] for sharing in (True, False))
    weights = [sum(p.numel() for p in layer.parameters()) for layer in (local, shared)]
    figures: dict[str, Figure] = {
        "maps": SETTING.maps,
        "ratio": weights[0] / weights[1],
        "training": len(material.split("digits").train),
        "draws": DRAWS,
        "far": far,
        "lost": minus(accuracy[0, True], accuracy[far, True]),
    }
    for shift in SHIFTS:
        name = "far" if shift == far else str(shift)
        figures |= {
            f"shared_{name}": accuracy[shift, True],
            f"local_{name}": accuracy[shift, False],
            f"gain_{name}": minus(accuracy[shift, True], accuracy[shift, False]),
        }
    return Found(figures, pictures={"registration": _registration(accuracy)})


def _accuracy(material: Material, shift: int, sharing: bool, draw: int) -> float:
    """Test accuracy, %."""
    dataset = material.dataset("digits")
    split = parse(material.config("data=digits", f"draw={draw}")).draw.of(dataset)
    x = standardise(shifted(dataset.images, shift, generator(draw, "shifts")))
    training, test = ((x[chosen], dataset.labels[chosen]) for chosen in (split.train, split.test))
    net = make(x.shape[-1], len(dataset.class_names), sharing, SETTING, draw)
    return 100 * trial(net, training, test, SETTING, draw)


@drawing.picture()
def _registration(ax: Any, accuracy: dict[tuple[int, bool], list[float]]) -> None:
    for sharing, label, marker, offset in ((True, "shared", "o", -0.05), (False, "not shared", "s", 0.05)):
        means = [mean_of(accuracy[shift, sharing], "") for shift in SHIFTS]
        half = [half_width(m.interval) if m.interval else 0 for m in means]
        places = [shift + offset for shift in SHIFTS]
        ax.errorbar(places, [m.value for m in means], yerr=half, fmt=f"{marker}-", capsize=3, label=label)
    ax.set(xticks=SHIFTS, xlabel="shifted by up to, pixels", ylabel="test accuracy, %")
    ax.legend()
