"""Other systems, the picture, and that the template is filled."""

import copy

import pytest
from committed import RESULTS
from ladder import figures
from PIL import Image, ImageOps
from report import invented

from audit.claims.templates import Figures, readmes
from audit.ladder import others, page
from audit.ladder.climb import DRAWS
from audit.tables.plot import carried
from multistage.registry.errors import MultistageError

pytest.importorskip("matplotlib")

FILE = RESULTS / "ladder" / "others.yaml"


@pytest.fixture
def publish(tmp_path):
    """A page of these folders, in which results/ladder has what is written by hand."""

    def make(**folders):
        folder = tmp_path / "ladder"
        folder.mkdir(exist_ok=True)
        for name in ("others.yaml", "README.template.md"):
            (folder / name).write_bytes((RESULTS / "ladder" / name).read_bytes())
        return figures.page(invented.results(tmp_path, **folders))

    return make


def climbed():
    """Every rung, each better and slower than the one before."""
    return [
        figures.run(name, draw, (60 + 4 * n + draw, 60, 60), {"filters": 200.0 * (n + 1), "train": 9.0}, tested=100)
        for n, name in enumerate(figures.SETTINGS)
        for draw in DRAWS
    ]


def test_a_picture_is_drawn_once(publish):
    made = publish(ladder=climbed())
    path = made.picture()
    assert path.name == page.PICTURE
    with Image.open(path) as picture:
        left, upper, right, lower = ImageOps.invert(picture.convert("L")).getbbox()
        assert min(left, upper, picture.width - right, picture.height - lower) >= 2
    assert made.picture() is None
    assert made.picture(redraw=True) == path
    before = carried(path)
    other = copy.deepcopy(climbed())
    other[0]["seconds"]["train"] = 10.0
    assert publish(ladder=other).picture() == path
    assert carried(path) != before


def test_without_a_run_there_is_no_picture(publish, tmp_path):
    assert publish(ladder=[]).picture() is None
    assert figures.page(invented.results(tmp_path / "nothing")).picture() is None


@pytest.mark.parametrize("ladder", [[], climbed()], ids=["nothing was run", "everything was run"])
def test_the_page_is_made_whatever_was_run(publish, tmp_path, ladder):
    made = publish(ladder=ladder, ladder_tuning=figures.tuning("ridge", (60, 61, 62, 63, 64)) if ladder else [])
    (text,) = readmes(tmp_path, Figures({}, []), **made.functions()).values()
    assert ("Every rung was run." in text) == bool(ladder)
    assert ("Not run yet; `python train.py experiment=ladder_tuning`" in text) == (not ladder)
    assert "| ResNet-50 from scratch | 72.6 | colour, 224 pixels |" in text


def test_a_figure_from_memory_is_not_published():
    found = others.read(FILE.parent)
    assert [other.value for other in found if other.checked == "unread"] == [None]
    assert "the figure was not checked and is left out" in others.table(found)
    assert [other.value for other in found] == sorted((o.value for o in found), key=lambda v: -(v or 0))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("system: a, source: b, images: c, protocol: d, checked: unread, value: 50.0", "a has value=50.0 and"),
        ("system: a, source: b, images: c, protocol: d, checked: read", "a has value=None and checked=read"),
        ("system: a, source: b, images: c, protocol: d, checked: guessed, value: 50.0", "checked=guessed"),
        ("system: a, source: b, images: c, checked: read, value: 50.0", "protocol"),
    ],
)
def test_an_entry_that_says_too_little_or_too_much_is_refused(tmp_path, entry, said):
    (tmp_path / "others.yaml").write_text(f"systems:\n  - {{{entry}}}\n", encoding="utf-8")
    with pytest.raises(MultistageError, match=said):
        others.read(tmp_path)
