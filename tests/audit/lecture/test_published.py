"""What is committed in results/lecture is what the sections make now."""

import base64
import json

import pytest
from committed import REAL_CACHE, REAL_DATA, RESULTS

from audit.lecture import publish, sections
from audit.lecture.material import Material

FOLDER = RESULTS / "lecture"
AGAIN = "run python scripts/lecture.py"


def published():
    return json.loads((FOLDER / publish.MEASURED).read_text(encoding="utf-8"))


def test_every_section_is_published():
    assert list(published()) == [sections.claim(name) for name in sections.names()], AGAIN


def test_the_page_shows_these_pictures_and_figures():
    document = (FOLDER / publish.INDEX).read_text(encoding="utf-8")
    pictures = sorted(FOLDER.glob("*.png"))
    assert len(pictures) >= 13
    for picture in pictures:
        assert base64.b64encode(picture.read_bytes()).decode() in document, f"{picture.name}: {AGAIN}"
    for claim, figures in published().items():
        assert f'<section id="{claim}">' in document
        for name in figures:
            assert f"<dt>{name} = " in document, f"{claim}.{name}: {AGAIN}"


def test_the_page_is_made_of_what_is_committed():
    words = {sections.claim(name): sections.words(name) for name in sections.names()}
    made = publish.document(publish.read(FOLDER, words))
    assert made == (FOLDER / publish.INDEX).read_text(encoding="utf-8"), "run python scripts/lecture.py --words"


def test_the_folder_stays_small():
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < 4_000_000


def test_what_needs_no_images_is_counted_again():
    made = sections.make("lecture_01_parameters", Material(RESULTS))
    assert json.loads(publish.figures([made])) == {"lecture-01": published()["lecture-01"]}, AGAIN
    kept = json.loads((FOLDER / publish.TABLES).read_text(encoding="utf-8"))
    assert json.loads(publish.tables([made])) == {"lecture-01": kept["lecture-01"]}, AGAIN


@pytest.mark.slow
@pytest.mark.skipif(not (REAL_DATA / "caltech101").is_dir(), reason="Caltech-101 is not here")
@pytest.mark.parametrize("claim", ["lecture-05", "lecture-06", "lecture-07", "lecture-09"])
def test_what_is_published_is_measured_again(claim, monkeypatch):
    """Figures but for the last digits: processors round differently."""
    monkeypatch.setenv("MULTISTAGE_DATA", str(REAL_DATA))
    if REAL_CACHE:
        monkeypatch.setenv("MULTISTAGE_CACHE", REAL_CACHE)
    name = next(name for name in sections.names() if sections.claim(name) == claim)
    again = json.loads(publish.figures([sections.make(name, Material(RESULTS))]))[claim]
    before = published()[claim]
    assert list(again) == list(before)
    for key, figure in again.items():
        assert figure["value"] == pytest.approx(before[key]["value"], rel=1e-3, abs=1e-4), key
