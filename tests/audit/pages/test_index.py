"""The page as text; tests/browser opens it."""

import re
import shutil
from html import unescape

import pytest
from committed import RESULTS
from report import invented

from audit.pages import index
from multistage.records.files import command, from_file, to_lines


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page") / "results"
    folder.mkdir()
    shutil.copy(RESULTS / "paper.yaml", folder)
    invented.publish(folder, invented.records(draws=2))
    return folder


@pytest.fixture(scope="module")
def text(results):
    return index.document(results)


def test_the_committed_page_is_made_from_the_committed_records():
    committed = (RESULTS / "index.html").read_text(encoding="utf-8")
    assert committed == index.document(RESULTS), "run python scripts/report.py"


def test_the_committed_page_names_every_run():
    committed = unescape((RESULTS / "index.html").read_text(encoding="utf-8"))
    for file in RESULTS.glob("*/records.jsonl"):
        for record in from_file(file):
            assert f"<code>{command(record)}</code>" in committed
            assert f">{record['metrics']['test_mean_class_accuracy']:.2%}<" in committed


def test_the_page_is_a_pure_function(results, text):
    assert index.document(results) == text
    assert index.write(results).read_bytes() == text.encode()


def test_links_lead_somewhere_and_no_identifier_is_there_twice(text):
    identifiers = re.findall(r' id="([^"]+)"', text)
    assert len(identifiers) == len(set(identifiers))
    links = re.findall(r'href="#([^"]+)"', text) + re.findall(r'aria-controls="([^"]+)"', text)
    assert set(links) <= set(identifiers)
    assert len(links) >= 80


def test_every_figure_has_its_sentence(text):
    assert text.count("<figure>") == text.count("<figcaption>") >= 10
    for caption in re.findall(r"<figcaption>(.*?)</figcaption>", text, re.DOTALL):
        assert re.search(r"\w\.(\s|<|$)", caption), caption
    assert " nan" not in text


def test_names_from_data_are_escaped(results, tmp_path):
    copy = tmp_path / "results"
    shutil.copytree(results, copy)
    records = from_file(copy / "ablation" / "records.jsonl")
    for record in records:
        record["overrides"] = [*record["overrides"], "data.root=<script>alert(1)</script>"]
    (copy / "ablation" / "records.jsonl").write_text(to_lines(records), encoding="utf-8")
    assert "<script>alert" not in index.document(copy)


def test_without_records_there_is_a_page_that_says_so(tmp_path):
    shutil.copy(RESULTS / "paper.yaml", tmp_path)
    assert "none yet" in index.document(tmp_path)
