import json

import pytest
import torch

from audit.lecture import drawing, publish, sections
from audit.lecture.section import Picture, Section, Table, typed_numbers
from multistage.records.intervals import Measured, mean_of
from scripts import lecture as script


def section(claim="lecture-04", text="An error of {error} in {images} images.", **others):
    measured = {"error": Measured(7.1234567e-16, "an error"), "images": mean_of([1.0, 2.0, 3.0], "images < all", "%")}
    return Section(claim, "A title", text, measured, **others)


def picture(name="lecture-04-a"):
    return Picture(name, drawing.picture(height=1)(drawing.gray)(torch.eye(3), "eye"), "Of {images} and `9x9`.")


def test_figures_stand_in_the_text():
    document = publish.document([section()])
    assert "An error of 7.12\N{MIDDLE DOT}10<sup>\N{MINUS SIGN}16</sup> in 2\N{NO-BREAK SPACE}% images." in document
    assert "images &lt; all" in document
    assert "2 \N{PLUS-MINUS SIGN} 2 % (n = 3)" in document


def test_what_was_not_measured_cannot_be_said():
    with pytest.raises(KeyError, match="unknown"):
        publish.document([section(text="It is {unknown}.")])


@pytest.mark.parametrize("text", ["It is 0.3.", "For 40 images.", "{error} of 12", "5 %", "-3", "v 2"])
def test_a_number_that_was_typed_is_refused(text):
    with pytest.raises(ValueError, match="is typed into"):
        section(text=text)


@pytest.mark.parametrize(
    "text", ["{error:.3f} and {images}", "windows of 10x10", "`sigm(0.02 x * k - 4)`", "Caltech-101", "in float64"]
)
def test_definitions_sizes_and_names_may_have_digits(text):
    assert typed_numbers(text) == []
    section(text=text)


@pytest.mark.parametrize(
    ("value", "form", "shown"),
    [
        (-0.001, ".2f", "0.00"),
        (-0.02, ".2f", "\N{MINUS SIGN}0.02"),
        (0.02, "+.2f", "+0.02"),
        (-0.02, "+.2f", "\N{MINUS SIGN}0.02"),
        (-0.001, "+.2f", "+0.00"),
        (1_600_000_000, ",", "1,600,000,000"),
        (2.5e-7, ".1g", "2e-07"),
        (0.0, ".1g", "0"),
    ],
)
def test_figures_are_shown_as_people_write_them(value, form, shown):
    one = Section("lecture-04", "A title", f"{{it:{form}}}", {"it": Measured(value, "it")})
    assert one.fill(one.text) == shown


def test_captions_are_held_to_the_same():
    with pytest.raises(ValueError, match="is typed into"):
        section(tables=[Table(["a"], [["1"]], "Of 3 images.")])


def test_files_are_written_once_and_old_pictures_go(tmp_path):
    first = section(pictures=[picture("lecture-04-a"), picture("lecture-04-b")])
    assert {file.name for file in publish.write(tmp_path, [first])} == {
        "index.html",
        "measured.json",
        "lecture-04-a.png",
        "lecture-04-b.png",
    }
    assert publish.write(tmp_path, [first]) == []
    publish.write(tmp_path, [section(pictures=[picture("lecture-04-a")])])
    assert sorted(file.name for file in tmp_path.glob("*.png")) == ["lecture-04-a.png"]


def test_two_pictures_of_one_name_are_refused(tmp_path):
    with pytest.raises(ValueError, match="same name"):
        publish.write(tmp_path, [section(pictures=[picture(), picture()])])


def test_the_ledger_reads_every_figure(tmp_path):
    publish.write(tmp_path, [section(), section("lecture-05")])
    content = json.loads((tmp_path / publish.MEASURED).read_text())
    assert list(content) == ["lecture-04", "lecture-05"]
    assert content["lecture-04"]["error"] == {
        "value": 7.12346e-16,
        "what": "an error",
        "unit": "",
        "interval": None,
        "n": 1,
    }
    low, high = content["lecture-04"]["images"]["interval"]
    assert (low + high) / 2 == pytest.approx(2)
    assert content["lecture-04"]["images"]["n"] == 3


def test_the_page_needs_nothing_but_itself_and_leads_on():
    document = publish.document([section(pictures=[picture()])])
    assert 'src="data:image/png;base64,' in document
    assert 'alt="Of 2\N{NO-BREAK SPACE}% and 9x9."' in document
    for link in ("../index.html", "../claims.md", "#lecture-04"):
        assert f'href="{link}"' in document
    assert "http:" not in document.replace("http-equiv", "")
    assert "https:" not in document


def test_numbers_stand_on_the_right_and_words_on_the_left():
    document = publish.document([section(tables=[Table(["name", "n"], [["a", "1"], ["b", "<2"]])])])
    assert "<td>&lt;2</td>" in document
    document = publish.document([section(tables=[Table(["name", "n"], [["a", "1"], ["b", "2"]])])])
    assert '<td class="right">2</td>' in document
    assert '<th scope="row">a</th>' in document


def test_the_command_makes_some_sections_elsewhere(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sections, "make", lambda name, material: section(sections.claim(name)))
    assert script.main(["lecture-05", "--output", str(tmp_path / "some")], tmp_path) == 0
    assert list(json.loads((tmp_path / "some" / publish.MEASURED).read_text())) == ["lecture-05"]
    assert script.main([], tmp_path) == 0
    whole = json.loads((tmp_path / "results" / "lecture" / publish.MEASURED).read_text())
    assert list(whole) == [sections.claim(name) for name in sections.names()]
    assert "lecture-05: 2 figures" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"), [(["lecture-99", "--output", "x"], "is no section"), (["lecture-05"], "--output")]
)
def test_a_wrong_command_is_refused_in_words(tmp_path, capsys, arguments, said):
    with pytest.raises(SystemExit) as stopped:
        script.main(arguments, tmp_path)
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


def test_material_that_is_missing_is_one_line(tmp_path, monkeypatch, capsys):
    from multistage.registry.errors import MultistageError

    def missing(name, material):
        raise MultistageError("there is no trained network; make it with: python train.py")

    monkeypatch.setattr(sections, "make", missing)
    assert script.main([], tmp_path) == 1
    assert capsys.readouterr().err == "error: there is no trained network; make it with: python train.py\n"
    assert not (tmp_path / "results").exists()
