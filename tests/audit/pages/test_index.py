"""The page as text; tests/browser opens it."""

import re
import shutil
from html import unescape

import pytest
from committed import RESULTS
from ladder import figures
from report import invented

from audit.claims import ledger, wording
from audit.ladder.climb import Ladder
from audit.pages import index
from audit.tables.results import Results
from multistage.records.files import command, from_file


def page(folder):
    results = Results(folder)
    return index.document(results, ledger.ledger(results), Ladder(results))


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page") / "results"
    invented.publish(folder, invented.records(draws=2))
    return folder


@pytest.fixture(scope="module")
def text(results):
    return page(results)


def test_the_committed_page_names_every_run():
    committed = unescape((RESULTS / "index.html").read_text(encoding="utf-8"))
    for file in RESULTS.glob("*/records.jsonl"):
        for record in from_file(file):
            assert f"<code>{command(record)}</code>" in committed
            assert f">{record['metrics']['test_mean_class_accuracy']:.2%}<" in committed


def test_it_shows_every_verdict_with_its_weakest_test(results, text):
    shown = re.findall(
        r'<details id="([a-z]+-\d\d)"><summary><span class="verdict \w+">. ([a-z ]+)<span.*?</span></span>'
        r"<span>(.*?)</span></summary>(.*?)</details>",
        text,
        re.DOTALL,
    )
    judged = ledger.ledger(Results(results))
    assert [(name, verdict, unescape(claim)) for name, verdict, claim, _ in shown] == [
        (each.claim.id, each.verdict, each.claim.claim) for each in judged
    ]
    assert ["Weakest test" in body for *_, body in shown] == [bool(wording.weakest(each)) for each in judged]
    assert "`" not in "".join(body for *_, body in shown)


def test_every_figure_has_its_sentence(text):
    assert text.count("<figure") == text.count("<figcaption>") >= 10
    for caption in re.findall(r"<figcaption>(.*?)</figcaption>", text, re.DOTALL):
        assert re.search(r"\w\.(\s|<|$)", caption), caption
    assert " nan" not in text


def test_names_from_data_are_escaped(results, tmp_path):
    records = from_file(results / "ablation" / "records.jsonl")[:4]
    for record in records:
        record["overrides"] = [*record["overrides"], "data.root=<script>alert(1)</script>"]
    invented.results(tmp_path, ablation=records)
    text = page(tmp_path)
    assert "&lt;script&gt;alert" in text
    assert "<script>alert" not in text


def test_rungs_have_the_same_numbers_as_on_the_page_of_the_ladder(tmp_path):
    """Also if one below them was not run."""
    runs = [figures.run(name, 0) for name in ("UU", "levels", "four filter sets")]
    results = invented.results(tmp_path, ladder=runs)
    ladder = Ladder(results, figures.RUNGS, [], [])
    shown = re.findall(r"<b>(\d+)\. ([a-zA-Z ]+)</b>", index.document(results, [], ladder))
    assert {name: int(number) for number, name in shown} == {name: ladder.numbers[name] for _, name in shown}
    assert len(shown) == len(runs)


def test_without_records_there_is_a_page_that_says_so(tmp_path):
    shutil.copy(RESULTS / "paper.yaml", tmp_path)
    text = page(tmp_path)
    assert "none yet" in text
    targets = set(re.findall(r'<a href="#([a-z-]+)">', text))
    assert targets == {"claims", "all"}
    assert targets <= set(re.findall(r'<section id="([a-z-]+)">', text))


MARKUP = "<foreign onload=alert(1)>&'\""


def test_nothing_of_a_foreign_record_becomes_markup(tmp_path, monkeypatch):
    """Every text that a record may hold, and those that it may not, were they let through."""
    made = invented.records(draws=2)
    invented.publish(tmp_path, made)
    for number, record in enumerate(made):
        record["overrides"] = [f"model={MARKUP}"]
        record["config"] |= {"optimizer._target_": MARKUP, "draw": f"{MARKUP}{number}", "seed": f"{MARKUP}{number}"}
        record["hardware"]["processor"] = record["device"] = record["precision"] = MARKUP
        for entry in record["per_class"]:
            entry["name"] = f"{MARKUP}{entry['name']}"
    for file in tmp_path.rglob("confusion.csv"):
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace("true class", MARKUP).replace("class_", "<foreign>_"), encoding="utf-8")
    monkeypatch.setattr("audit.tables.results.from_file", lambda _: made)
    found = page(tmp_path)
    assert "<foreign" not in found
    assert found.count("&lt;foreign onload=alert(1)&gt;&amp;&#x27;&quot;") > 2 * len(made)


def test_the_purpose_of_an_experiment_is_its_first_sentence_whole():
    assert re.fullmatch(
        r"The curve of the paper's Fig\. 3, error .* all 10,000 test digits\.", index.purpose("labels_mnist")
    )
    assert index.purpose("explorer").endswith("on 10,000 digits.")
    assert index.purpose("nothing") == ""
