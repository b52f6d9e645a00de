"""lecture-12: inserting rectification and normalisation improves recognition."""

from audit.lecture import drawing
from audit.lecture.material import Material
from audit.lecture.section import Picture, Section, Table
from audit.tables.differences import Change, differences
from multistage.records.cells import Cell, cells, paired
from multistage.records.files import from_file
from multistage.records.intervals import Measured, half_width

OPERATIONS = {"model.rectify": ("none", "abs"), "model.normalise": ("none", "lcn")}
WORDS = {"model.rectify": "rectification", "model.normalise": "normalisation"}
HEADLINE = {"data": "caltech101", "stages": 2, "filters": "random", "refine": False, "readout": "lbfgs"}

TEXT = (
    "From the published records (`results/table1`, `results/ablation`): every pair of presets with average "
    "pooling that differ by nothing but `R_abs`, or by nothing but N, compared run by run, so that both networks "
    "of a pair had the same images and began with the same random filters. For random frozen filters in two "
    "stages on Caltech-101, with a converged classifier, rectification brings {rectify:+.1f} without N and "
    "{rectify_with:+.1f} with it, normalisation {normalise:+.1f} without `R_abs` and {normalise_with:+.1f} with "
    "it, and both together {both:+.1f}. Of all {comparisons} comparisons, {better} show an improvement whose "
    "interval leaves out zero, {worse} a loss, and {unclear} neither. On photographs with few labels and frozen "
    "filters the assertion holds: no gain by rectification is below {least_rectify:+.1f}, none by normalisation below "
    "{least_normalise:+.1f}, and N alone does not replace rectification. (Refined networks had other rates from preset "
    "to preset; `results/claims.md` compares them.) On small digits, where each of these "
    "variants gets {least_digits:.0f} right, there is little left to gain: the largest gain by normalisation, with "
    "frozen filters, is {most_digits:+.1f}."
)


def section(material: Material) -> Section:
    """Compare what was published."""
    changes = [
        change
        for name in ("table1", "ablation")
        for change in published(cells(from_file(material.results / name / "records.jsonl")))
        if name == "table1" or change.before.config["data"] != "caltech101"  # table1 has these too, by newer code
    ]
    settled = [change for change in changes if change.difference.interval]
    better = sum(change.difference.interval[0] > 0 for change in settled if change.difference.interval)
    worse = sum(change.difference.interval[1] < 0 for change in settled if change.difference.interval)
    gains = {
        (respect, data): [
            c.difference.mean
            for c in changes
            if c.respect == respect and c.before.config["data"] == data and not c.before.config["refine"]
        ]
        for respect in OPERATIONS
        for data in ("caltech101", "digits")
    }
    digits = [
        cell.mean for change in changes for cell in (change.before, change.after) if cell.config["data"] == "digits"
    ]
    return Section(
        claim="lecture-12",
        title="Rectification and normalisation improve recognition",
        text=TEXT,
        measured={
            **_headline(changes),
            "comparisons": Measured(len(settled), "published pairs that differ by R_abs or by N, of several runs each"),
            "better": Measured(better, "pairs in which the operation helps, interval above zero"),
            "worse": Measured(worse, "pairs in which it harms, interval below zero"),
            "unclear": Measured(len(settled) - better - worse, "pairs whose interval includes zero"),
            "least_rectify": Measured(
                min(gains["model.rectify", "caltech101"]),
                "smallest gain by rectification on Caltech-101, frozen filters",
                "points",
            ),
            "least_normalise": Measured(
                min(gains["model.normalise", "caltech101"]),
                "smallest gain by normalisation on Caltech-101, frozen filters",
                "points",
            ),
            "most_digits": Measured(
                max(gains["model.normalise", "digits"]),
                "largest gain by normalisation on digits, frozen filters",
                "points",
            ),
            "least_digits": Measured(min(digits), "lowest mean accuracy of these variants on digits", "%"),
        },
        pictures=[_picture(settled)],
        tables=[_table(changes)],
    )


def published(found: list[Cell]) -> list[Change]:
    """The pairs of cells that differ by R_abs or by N alone, with average pooling and without batch normalisation."""
    return [
        change
        for change in differences([cell for cell in found if cell.config["model.pool"] == "average"])
        if change.respect in OPERATIONS
        and (change.before.config[change.respect], change.after.config[change.respect]) == OPERATIONS[change.respect]
        and change.before.config["model.normalise"] in ("none", "lcn")
        and change.before.config["model.rectify"] in ("none", "abs")
    ]


def _headline(changes: list[Change]) -> dict[str, Measured]:
    measured, ends = {}, {}
    for change in changes:
        config = change.before.config
        if any(config[key] != value for key, value in HEADLINE.items()):
            continue
        operation, other = WORDS[change.respect], _other(change)
        with_it = config[other] != "none"
        name = change.respect.removeprefix("model.") + ("_with" if with_it else "")
        beside = f"{'with' if with_it else 'without'} {WORDS[other]}"
        measured[name] = _measured(change, f"{operation} {beside}: two stages, random frozen filters, Caltech-101")
        ends[name] = change
    both = paired(ends["rectify_with"].after, ends["normalise"].before)
    what = "rectification and normalisation together: two stages, random frozen filters, Caltech-101"
    measured["both"] = Measured(both.mean, what, "points", both.interval, both.n)
    return measured


def _other(change: Change) -> str:
    return "model.normalise" if change.respect == "model.rectify" else "model.rectify"


def _measured(change: Change, what: str) -> Measured:
    difference = change.difference
    return Measured(difference.mean, what, "points", difference.interval, difference.n)


def _setting(change: Change) -> str:
    config = change.before.config
    kind = "refined" if config["refine"] else "frozen"
    stages = "1 stage" if config["stages"] == 1 else f"{config['stages']} stages"
    return f"{config['data']}, {stages}, {config['filters']}, {kind}, {config['readout']}"


def _beside(change: Change) -> str:
    return "yes" if change.before.config[_other(change)] != "none" else "no"


def _table(changes: list[Change]) -> Table:
    rows = []
    for change in changes:
        d = change.difference
        half = f" ± {half_width(d.interval):.1f}" if d.interval else ""
        gain = f"{d.mean:+.1f}{half}".replace("-", "\N{MINUS SIGN}")
        rows.append([WORDS[change.respect], _setting(change), _beside(change), gain, str(d.n)])
    heads = ["inserted", "setting", "the other is there", "gain, points", "pairs"]
    return Table(heads, rows, "Every published pair: gain in accuracy (mean over classes) and half of its interval.")


def _picture(changes: list[Change]) -> Picture:
    shown = sorted(changes, key=lambda change: -change.difference.mean)
    with drawing.figure(1, 1, 0.9 + 0.19 * len(shown)) as (drawn, axes):
        ax = axes[0, 0]
        for line, change in enumerate(shown):
            d = change.difference
            colour, marker = (0, "o") if change.respect == "model.rectify" else (1, "s")
            half = half_width(d.interval) if d.interval else 0
            ax.errorbar(d.mean, line, xerr=half, fmt=marker, color=drawing.COLOURS[colour], capsize=2)
        ax.axvline(0, color="#555555", linewidth=1)
        labels = [
            _setting(c).replace(" stages", "").replace(" stage", "").replace("caltech101", "caltech") for c in shown
        ]
        ax.set_yticks(range(len(shown)), labels, fontsize=7.5)
        ax.invert_yaxis()
        for respect, colour, marker in (("model.rectify", 0, "o"), ("model.normalise", 1, "s")):
            ax.plot([], [], marker, color=drawing.COLOURS[colour], label=WORDS[respect])
        ax.set_xlabel("gain in accuracy, points")
        ax.legend(loc="lower right")
        caption = (
            "Gain of each of the {comparisons} pairs and its interval, largest first. A line names data, number of "
            "stages, filters, whether they were trained, and the classifier; the table below says whether the other "
            "operation was there."
        )
        return Picture("lecture-12-gains", drawing.png(drawn), caption)
