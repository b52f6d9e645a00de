"""lecture-02: local connectivity suits registered images; sharing does not need registration."""

import torch
from torch import Tensor

from audit.instruments.local_connectivity import Setting, make, shifted, trial
from audit.lecture import Found, Material, drawing
from audit.lecture.section import Figure
from multistage.data.dataset import standardise
from multistage.network.randomness import generator
from multistage.records.intervals import half_width, mean_of

DRAWS = 5
SHIFTS = (0, 2, 4)
FAR = SHIFTS[-1]
SETTING = Setting(epochs=6)


def measure(material: Material) -> Found:
    """Train local and shared filters on centred and on shifted digits."""
    accuracy = {(shift, sharing): _accuracy(material, shift, sharing) for shift in SHIFTS for sharing in (True, False)}
    local, shared = (
        sum(p.numel() for p in make(28, 10, sharing, SETTING, seed=0)[0].parameters()) for sharing in (False, True)
    )
    figures: dict[str, Figure] = {
        "maps": SETTING.maps,
        "ratio": local / shared,
        "training": len(material.split("digits").train),
        "draws": DRAWS,
        "far": FAR,
        "lost": accuracy[0, True] - accuracy[FAR, True],
    }
    for shift in SHIFTS:
        name = "far" if shift == FAR else str(shift)
        figures |= {
            f"shared_{name}": accuracy[shift, True],
            f"local_{name}": accuracy[shift, False],
            f"gain_{name}": accuracy[shift, True] - accuracy[shift, False],
        }
    return Found(figures, pictures={"registration": _registration(accuracy)})


def _accuracy(material: Material, shift: int, sharing: bool) -> Tensor:
    """Test accuracy, %, [draws]."""
    dataset = material.dataset("digits")
    assert isinstance(dataset.images, Tensor)
    found = []
    for draw in range(DRAWS):
        split = material.split("digits", f"draw={draw}")
        x = standardise(shifted(dataset.images, shift, generator(draw, "shifts")))
        training, test = ((x[chosen], dataset.labels[chosen]) for chosen in (split.train, split.test))
        net = make(x.shape[-1], len(dataset.class_names), sharing, SETTING, draw)
        found.append(100 * trial(net, training, test, SETTING, draw))
    return torch.tensor(found, dtype=torch.float64)


@drawing.picture()
def _registration(ax: drawing.Axes, accuracy: dict[tuple[int, bool], Tensor]) -> None:
    for sharing, label, marker, offset in ((True, "shared", "o", -0.05), (False, "not shared", "s", 0.05)):
        means = [mean_of(accuracy[shift, sharing].tolist(), "") for shift in SHIFTS]
        half = [half_width(m.interval) if m.interval else 0 for m in means]
        places = [shift + offset for shift in SHIFTS]
        ax.errorbar(places, [m.value for m in means], yerr=half, fmt=f"{marker}-", capsize=3, label=label)
    ax.set(xticks=SHIFTS, xlabel="shifted by up to, pixels", ylabel="test accuracy, %")
    ax.legend()
