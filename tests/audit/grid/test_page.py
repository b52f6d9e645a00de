"""README, picture and page of the grid: whole, partly published, and with nothing."""

import re
from statistics import fmean

import pytest
from committed import RESULTS
from grid import runs

from audit.claims.templates import Figures, readmes
from audit.grid import figures, page
from audit.grid.choice import to_measure
from audit.grid.places import BEST_OF_PAPER, DISTINCT, EQUAL, PAPER, Place, Protocol
from audit.tables.plot import carried
from audit.tables.tables import signed
from multistage.records.files import command
from multistage.records.intervals import t_interval

TEMPLATE = "README.template.md"


def publish(root, grid, **others):
    """A page of these runs, and its README."""
    folder = root / "grid"
    folder.mkdir()
    (folder / TEMPLATE).write_bytes((RESULTS / "grid" / TEMPLATE).read_bytes())
    made = page.Page(runs.published(root, grid=grid, **others))
    return made, readmes(root, Figures({}, []), **made.functions())[folder / "README.md"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    made, readme = publish(tmp_path_factory.mktemp("results"), **runs.every())
    (document,) = made.documents().values()
    return made, readme, document


def test_nothing_is_made_of_nothing(tmp_path):
    made, readme = publish(tmp_path, [])
    assert made.documents() == {}
    assert made.picture() is None
    assert "No answer yet: 327 of 327 cells of the first part are missing." in readme
    assert "`python train.py experiment=grid` runs it" in readme
    assert "grid.png" not in readme


def test_a_part_of_it_says_what_is_missing(tmp_path):
    made, readme = publish(tmp_path, runs.first(DISTINCT[:-3]))
    assert f"324 of 327 cells of the first part were run. Missing: 3 with `{DISTINCT[-1].rectify}`." in readme
    assert readme.count("Needs every cell of the first part.") == 3
    assert "may be the best" not in readme.partition("## Which")[0]
    (document,) = made.documents().values()
    assert document.count('class="absent"') == 3
    assert 'id="shares"' not in document


def test_the_first_part_and_the_papers_five_on_further_draws_have_no_winner(tmp_path):
    made, readme = publish(tmp_path, runs.first(), table1=runs.table1())
    assert "further draws are needed to tell which cells may be the best" in readme
    assert made.figures.ranking == []
    left = "a third stage, learning filters without labels and refinement"
    assert f"Not run yet for more than the paper's five: {left}." in readme


def test_without_further_draws_shares_have_no_intervals(tmp_path):
    made, _ = publish(tmp_path, runs.first())
    assert all(share.interval is None for share in made.figures.shares)


def test_the_answer_is_what_the_runs_say(whole):
    made, readme, document = whole
    best = made.figures.ranking[0]
    assert f"`{best.place.name}` is first with {best.mean:.1f} %" in readme
    assert f"<code>{best.place.name}</code> is first with" in document
    assert "More than half of the variance between cells is explained by normalisation (" in readme
    assert "nan" not in readme


def test_runs_are_compared_without_the_draw_that_chose_them(whole):
    made, _, _ = whole
    for protocol in (page.Protocol(3), page.Protocol(2, "psd")):
        draws, found = made.figures.changes(page.RANDOM, protocol)
        assert draws == [1]
        assert {each.place for each in found} >= set(PAPER)


def test_no_cell_is_left_out_because_others_have_more_draws(tmp_path):
    new, three = Place("square", "layernorm", "average"), Protocol(3)
    paper = [runs.record(place, three, draw=draw) for place in PAPER for draw in range(1, 5)]
    stages = [*paper, runs.record(new, three, draw=2)]
    made, _ = publish(tmp_path, [*runs.first(), runs.record(new, draw=2)], table1=runs.table1(), grid_stages=stages)
    draws, found = made.figures.changes(page.RANDOM, three)
    assert draws == [2]
    assert {each.place for each in found} == {new, *PAPER}


def test_a_mean_over_cells_has_the_interval_of_its_draws(tmp_path):
    """Cells are fixed: however different they are, only draws tell how precise their mean is."""
    three = Protocol(3)
    stages = [runs.record(place, three, draw=draw) for place in PAPER for draw in range(1, 5)]
    made, readme = publish(tmp_path, runs.first(), table1=runs.table1(), grid_stages=stages)
    _, found = made.figures.changes(page.RANDOM, three)
    measured = figures.change(found, "")
    by_draw = [fmean(each.differences[number] for each in found) for number in range(4)]
    assert (measured.value, measured.interval, measured.n) == (fmean(by_draw), t_interval(by_draw), 4)
    low, high = figures.span(found)
    assert low <= measured.interval[0] < measured.interval[1] <= high
    assert f"points, mean over 5 cells ({signed(low)} to {signed(high)}); draws 1, 2, 3 and 4." in readme


def test_before_the_ranking_it_says_how_much_is_there(tmp_path):
    further = [runs.record(BEST_OF_PAPER, draw=draw) for draw in range(1, 5)]
    made, readme = publish(tmp_path, [*runs.first(), *further])
    assert f"; 1 of {len(to_measure(made.figures.order))} have them." in readme


def test_every_cell_is_on_the_page_with_its_runs_and_commands(whole):
    made, _, document = whole
    buttons = dict(re.findall(r'<button type="button" id="([^"]+)" aria-controls="runs-([^"]+)"', document))
    assert len(buttons) == len(DISTINCT) + len(EQUAL)
    for place in EQUAL:
        assert buttons[place.address] == EQUAL[place].address
    assert set(re.findall(r'<article class="place" id="runs-([^"]+)" hidden>', document)) == set(buttons.values())
    assert document.count('class="paper"') == len(PAPER)
    assert all(f"<code>{command(record)}</code>" in document for record in made.grid.own)
    assert set(re.findall(r'<a href="#([^"]+)"', document)) <= set(buttons)
    assert document.count('tabindex="0" ') == 1 + document.count('<div class="scroll" tabindex="0"')  # one for the map


def test_a_later_part_alone_makes_no_empty_picture(tmp_path):
    root = tmp_path / "results"
    (root / "grid").mkdir(parents=True)
    made = page.Page(runs.published(root, grid=[runs.record(BEST_OF_PAPER, Protocol(2, "psd"), draw=1)]))
    assert (made.picture(), made.map(), made.documents()) == (None, "", {})


def test_a_picture_is_drawn_once(tmp_path):
    pytest.importorskip("matplotlib")
    made, _ = publish(tmp_path, runs.first(DISTINCT[:100]))
    path = made.picture()
    assert path.name == page.PICTURE
    assert set(carried(path)) == {"Records", "Table"}
    assert made.picture() is None
    assert made.picture(redraw=True) == path
