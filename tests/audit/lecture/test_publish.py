import json

import pytest
import torch

from audit.lecture import Found, Table, drawing, publish, sections
from audit.lecture.section import Section
from multistage.records.intervals import Measured
from multistage.registry.errors import MultistageError
from scripts import lecture as script

PNG = drawing.picture(height=1)(drawing.gray)(torch.eye(3), "eye")


def section(claim="lecture-04", text="An error of {error} in {images} images.", pictures=()):
    words = {
        "title": "A title",
        "text": text,
        "figures": {"error": "an error", "images": "images < all [%]"},
        "pictures": dict.fromkeys(pictures, "Of {images} and `9x9`."),
        "tables": {"rows": "Of {images}."},
    }
    figures = {"error": 7.1234567e-16, "images": [1.0, 2.0, 3.0]}
    tables = {"rows": Table(["name", "n"], [["a", 1000], ["<b>", 2]])}
    return Section(claim, words, Found(figures, dict.fromkeys(pictures, PNG), tables))


def test_the_page_shows_figures_pictures_and_tables_needs_nothing_but_itself_and_leads_on():
    document = publish.document([section(pictures=["a"])])
    for part in (
        "An error of 7.12\N{MIDDLE DOT}10<sup>\N{MINUS SIGN}16</sup> in 2\N{NO-BREAK SPACE}% images.",
        "images &lt; all",
        "2 \N{PLUS-MINUS SIGN} 2 % (n = 3)",
        'src="data:image/png;base64,',
        f'<img width="{round(drawing.WIDTH * 160)}" height="160" alt="Of 2\N{NO-BREAK SPACE}% and 9x9."',
        "<figcaption>Of 2\N{NO-BREAK SPACE}% and <code>9x9</code>.</figcaption>",
        '<figcaption id="lecture-04-rows">Of 2\N{NO-BREAK SPACE}%.</figcaption>',
        'aria-labelledby="lecture-04-rows"',
        '<th scope="row">&lt;b&gt;</th><td class="right">2</td>',
        '<td class="right">1,000</td>',
        *(f'href="{link}"' for link in ("../index.html", "../index.html#claims", "#lecture-04")),
    ):
        assert part in document
    assert "http:" not in document.replace("http-equiv", "")
    assert "https:" not in document


def test_a_page_is_made_again_with_other_words_and_nothing_is_measured(tmp_path):
    first = section(pictures=["a"])
    publish.write(tmp_path, [first])
    assert publish.write_page(tmp_path, {"lecture-04": first.words}) == []
    words = {**first.words, "text": "First.\nThen {images}."}
    assert publish.write_page(tmp_path, {"lecture-04": words}) == [tmp_path / "index.html"]
    page = (tmp_path / "index.html").read_text()
    assert page == publish.document([section(text=words["text"], pictures=["a"])])
    assert "<p>First.</p>\n<p>Then 2\N{NO-BREAK SPACE}%.</p>" in page


@pytest.mark.parametrize("place", ["{unknown}", "{error.half}"])
def test_what_was_not_measured_cannot_be_said(place):
    with pytest.raises(MultistageError, match=f"{place} of .* was not measured; measured: error, images"):
        publish.document([section(text=f"It is {place}.")])


def test_a_figure_in_the_words_that_was_never_measured_is_one_line(tmp_path):
    publish.write(tmp_path, [section()])
    words = section().words
    for claim, figures in (("lecture-04", {**words["figures"], "more": "images"}), ("lecture-99", {"more": "images"})):
        with pytest.raises(MultistageError, match=f"{claim}.more was not measured; run python scripts/lecture.py"):
            publish.write_page(tmp_path, {claim: {**words, "figures": figures}})


@pytest.mark.parametrize(("half", "shown"), [(10.2, "10"), (2.34, "2"), (0.234, "0.2"), (0.00234, "0.002")])
def test_an_interval_is_shown_with_one_digit_and_no_power_of_ten(half, shown):
    measured = Measured(51.7, "share", "%", (51.7 - half, 51.7 + half), 5)
    assert publish.with_interval(measured) == f"51.7 \N{PLUS-MINUS SIGN} {shown} % (n = 5)"


def test_files_are_written_once_and_old_pictures_go(tmp_path):
    first = section(pictures=["a", "b"])
    names = {"index.html", "measured.json", "tables.json", "lecture-04-a.png", "lecture-04-b.png"}
    assert {file.name for file in publish.write(tmp_path, [first])} == names
    assert publish.write(tmp_path, [first]) == []
    for other in ("holiday.png", "lecture-05-c.png"):
        (tmp_path / other).write_bytes(PNG)
    publish.write(tmp_path, [section(pictures=["a"])])
    kept = ["holiday.png", "lecture-04-a.png", "lecture-05-c.png"]
    assert sorted(file.name for file in tmp_path.glob("*.png")) == kept


def test_the_ledger_reads_every_figure(tmp_path):
    publish.write(tmp_path, [section(), section("lecture-05")])
    content = json.loads((tmp_path / publish.MEASURED).read_text())
    assert list(content) == ["lecture-04", "lecture-05"]
    error, images = content["lecture-04"].values()
    assert error == {"value": 7.12346e-16, "what": "an error", "unit": "", "interval": None, "n": 1}
    assert images["n"] == 3
    assert images["interval"] == [-0.484138, 4.48414]


def test_the_command_makes_some_sections_elsewhere(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sections, "make", lambda name, material: section(sections.claim(name)))
    monkeypatch.setattr(sections, "words", lambda name: section().words)
    assert script.main(["lecture-05", "--output", str(tmp_path / "some")], tmp_path) == 0
    assert list(json.loads((tmp_path / "some" / publish.MEASURED).read_text())) == ["lecture-05"]
    assert script.main([], tmp_path) == 0
    whole = json.loads((tmp_path / "results" / "lecture" / publish.MEASURED).read_text())
    assert list(whole) == [sections.claim(name) for name in sections.names()]
    assert "lecture-05: 2 figures" in capsys.readouterr().out
    page = tmp_path / "results" / "lecture" / publish.INDEX
    before = page.read_text()
    page.write_text("older")
    assert script.main(["--words"], tmp_path) == 0
    assert (page.read_text(), capsys.readouterr().out) == (before, f"{page}\n")


@pytest.mark.parametrize(
    ("arguments", "said"), [(["lecture-99", "--output", "x"], "is not a section"), (["lecture-05"], "--output")]
)
def test_a_wrong_command_is_refused_in_words(tmp_path, capsys, arguments, said):
    with pytest.raises(SystemExit) as stopped:
        script.main(arguments, tmp_path)
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


def test_material_that_is_missing_is_one_line(tmp_path, monkeypatch, capsys):
    def missing(name, material):
        raise MultistageError("there is no trained network; make it with: python train.py")

    monkeypatch.setattr(sections, "make", missing)
    assert script.main([], tmp_path) == 1
    assert capsys.readouterr().err == "error: there is no trained network; make it with: python train.py\n"
    assert not (tmp_path / "results").exists()
