"""The figure of the page that stands for the paper's Fig. 3: error against labels a class, as inline SVG."""

from collections.abc import Sequence

from audit.pages.figures import PAPER, Dot, Scale, colour, legend, mark, possible, shape


def draw(given: Sequence[Dot], series: Sequence[str]) -> str:
    """Error against labels a class on logarithmic axes: a line a series with its intervals, the paper's as a thin one.

    Args:
        given: The points; `row` is the number of labels.
        series: Names of the lines.
    """

    def error(accuracy: float) -> float:
        return max(100 - accuracy, 0.01)  # no errors at all cannot stand on a logarithmic axis

    papers = [error(d.paper[0]) for d in given if d.paper]
    bounds = [error(v) for d in given for v in (d.mean, *possible(d.interval))]
    across = Scale((float(d.row) for d in given), logarithmic=True, margin=6)
    up = Scale([*bounds, *papers], logarithmic=True, margin=8)
    sizes = dict.fromkeys(sorted((d.row for d in given), key=float))
    grid = "".join(
        f'<line class="grid" x1="{across(float(n)):.2f}%" x2="{across(float(n)):.2f}%" y1="0" y2="100%"/>'
        f'<text x="{across(float(n)):.2f}%" y="100%" dy="-4" dx="3">{n}</text>'
        for n in sizes
    ) + "".join(
        f'<line class="grid" x1="0" x2="100%" y1="{100 - up(t):.2f}%" y2="{100 - up(t):.2f}%"/>'
        f'<text x="2" y="{100 - up(t):.2f}%" dy="-3">{t:g}%</text>'
        for t in up.ticks(5)
    )
    lines, marks = [], []
    for number in range(len(series)):
        line = sorted((d for d in given if d.series == number), key=lambda d: float(d.row))
        ours = [(across(float(d.row)), 100 - up(error(d.mean))) for d in line]
        theirs = [(across(float(d.row)), 100 - up(error(d.paper[0])), d.paper[0]) for d in line if d.paper]
        for kind, at in (("mean", ours), ("one", [(x, y) for x, y, _ in theirs])):
            path = " ".join(f"{x:.2f},{y:.2f}" for x, y in at)
            lines.append(f'<polyline class="{kind} {colour(number)}" points="{path}"/>')
        marks += [mark(PAPER, "paper", x, f"{y:.2f}%", f"paper {100 - value:.2f}% error") for x, y, value in theirs]
        for d, (x, y) in zip(line, ours, strict=True):
            if d.interval is not None:
                high, low = (100 - up(error(v)) for v in possible(d.interval))
                ends = f'x1="{x:.2f}%" x2="{x:.2f}%" y1="{low:.2f}%" y2="{high:.2f}%"'
                marks.append(f'<line class="interval {colour(number)}" {ends}/>')
            marks.append(mark(shape(number), f"mark {colour(number)}", x, f"{y:.2f}%", d.text))
    return (
        f'{legend(series, bool(papers))}<svg class="scatter" height="340" role="img" '
        f'aria-label="error against labels a class">{grid}<svg viewBox="0 0 100 100" preserveAspectRatio="none" '
        f'width="100%" height="100%">{"".join(lines)}</svg>{"".join(marks)}</svg>'
    )
