"""The page in a real browser: Debian's Chromium, headless. Run with -m browser."""

import re
from pathlib import Path

import pytest
from browser.colour import contrast, luminance
from report import invented

from audit.claims import ledger
from audit.ladder.climb import Ladder
from audit.pages import index
from audit.tables.results import Results
from multistage.records.files import command, from_file, path

pytestmark = pytest.mark.browser

RESULTS = Path(__file__).parents[2] / "results"


@pytest.fixture(scope="module")
def rich(tmp_path_factory):
    """Invented results of a whole ablation."""
    folder = tmp_path_factory.mktemp("page") / "results"
    invented.publish(folder, invented.records())
    results = Results(folder)
    page = index.document(results, ledger.ledger(results), Ladder(results))
    (folder / index.PAGE).write_text(page, encoding="utf-8")
    return folder / index.PAGE


@pytest.fixture(params=["committed", "invented"])
def file(request):
    return RESULTS / "index.html" if request.param == "committed" else request.getfixturevalue("rich")


def unfold(tab):
    """Open everything that is folded away."""
    tab.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))")
    return tab


def models(table):
    return table.locator(":scope > tbody > tr:first-child > th[scope=row]").all_inner_texts()


def numbers(table, column):
    texts = table.locator(f":scope > tbody > tr:first-child > :nth-child({column + 1})").all_inner_texts()
    return [float(found[0]) if (found := re.match(r"\d+\.\d+", text)) else None for text in texts]


def test_the_page_opens(look, file):
    tab = look(file)
    assert tab.title() == "multistage: results"
    assert tab.locator("h1").inner_text().replace("\u2011", "-") == "What is the best multi-stage architecture?"
    assert tab.locator("figure").count() >= 3
    assert not tab.locator("#all figure").first.is_visible()
    for image in tab.locator("img").all():
        assert image.evaluate("image => image.complete && image.naturalWidth > 0")


CELLS = """[...document.querySelectorAll("button.cell")].map((opener) => {
  const runs = document.getElementById(opener.getAttribute("aria-controls"));
  const texts = (selector) => [...runs.querySelectorAll(selector)].map((found) => found.textContent);
  const mean = opener.querySelector(".mean").textContent;
  return [opener.parentElement.dataset.value, mean, texts("code"), texts("tbody tr:not(.command) td:nth-child(2)")];
})"""
"""Of every cell: its mean, exactly and as shown; commands and accuracies of its runs."""


def test_numbers_are_those_of_the_records(look, file):
    shown = {}
    tab = look(file)
    for exact, text, commands, runs in tab.evaluate(CELLS):
        for code in commands:
            shown.setdefault(code, []).append(f"{float(exact):.2f}")
        assert text in (f"{float(exact):.2f}", f"{float(exact):.1f}")
        assert float(exact) == pytest.approx(sum(float(run.rstrip("%")) for run in runs) / len(runs), abs=0.011)
    values = {}
    for source in file.parent.glob("*/records.jsonl"):
        for record in from_file(source):
            folder = re.sub(r"draw-\d+-seed-\d+", "", path(record))  # older records have fewer settings
            cell = values.setdefault((source, folder), [])
            cell.append((command(record), 100 * record["metrics"]["test_mean_class_accuracy"]))
    expected = {}  # two sets of results may hold the same run
    for cell in values.values():
        mean = sum(value for _, value in cell) / len(cell)
        for text, _ in cell:
            expected.setdefault(text, []).append(f"{mean:.2f}")
    assert {text: sorted(means) for text, means in shown.items()} == {t: sorted(m) for t, m in expected.items()}


@pytest.mark.parametrize("by", ["click", "keyboard"])
def test_tables_sort(look, rich, by):
    table = unfold(look(rich)).locator("table.results").nth(1)
    before = models(table)

    def sort(column):
        button = table.locator("thead button").nth(column)
        if by == "click":
            button.click()
        else:
            button.focus()
            button.press("Enter")
        return table.locator("thead th").nth(column).get_attribute("aria-sort")

    assert numbers(table, 1) == sorted(numbers(table, 1), reverse=True)  # as it comes
    assert sort(2) == "descending"
    assert numbers(table, 2) == sorted(numbers(table, 2), reverse=True)
    assert table.locator("thead th[aria-sort]").count() == 1
    assert sort(2) == "ascending"
    assert numbers(table, 2) == sorted(numbers(table, 2))
    assert sort(0) == "ascending"
    assert models(table) == sorted(before)
    assert sort(0) == "descending"
    assert models(table) == sorted(before, reverse=True)


def test_places_without_a_run_stand_last_whichever_way_a_table_is_sorted(look):
    table = unfold(look(RESULTS / "index.html")).locator("table.results").filter(has_text="not run").first
    values = numbers(table, 1)
    assert None in values
    for _ in range(2):
        table.locator("thead button").nth(2).click()  # ascending at last, which puts the only value of column 1 below
    assert numbers(table, 1)[-1] is not None
    for _ in range(2):
        table.locator("thead button").nth(1).click()
        found = numbers(table, 1)
        assert found[-values.count(None) :] == [None] * values.count(None)


def test_a_cell_opens_its_runs_and_their_commands(look, rich):
    tab = unfold(look(rich))
    record = from_file(rich.parent / "ablation" / "records.jsonl")[0]
    code = tab.get_by_text(command(record), exact=True)
    opener = tab.locator("button.cell").first
    assert not code.is_visible()
    opener.click()
    assert code.is_visible()
    assert opener.get_attribute("aria-expanded") == "true"
    runs = tab.locator(f"#{opener.get_attribute('aria-controls')}")
    assert runs.locator("code").count() == 5
    assert "standard deviation" in runs.inner_text()
    opener.focus()
    opener.press("Space")
    assert not code.is_visible()
    assert opener.get_attribute("aria-expanded") == "false"


def test_runs_stay_with_their_cell_when_a_table_is_sorted(look, rich):
    table = unfold(look(rich)).locator("table.results").nth(1)
    table.locator("button.cell").first.click()
    table.locator("thead button").first.click()
    runs = table.locator("tr.runs:visible")
    model = runs.locator("xpath=../tr[1]/th").inner_text()
    assert all(f"model={model} " in code for code in runs.locator("code").all_text_contents())


def test_marks_of_the_cost_figure_lead_to_runs(look, rich):
    tab = unfold(look(rich))
    mark = tab.locator("svg.scatter a").first
    identifier = mark.get_attribute("href")
    mark.focus()
    tab.keyboard.press("Enter")
    tab.locator(f"{identifier}-runs").wait_for(state="visible")
    assert tab.locator(identifier).evaluate("cell => cell === document.activeElement")
    elsewhere = look(rich, identifier)
    assert elsewhere.locator(f"{identifier}-runs").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_it_without_scrolling_sideways(look, file, scheme):
    tab = look(file, width=360, scheme=scheme)
    for opened in (False, True):
        if opened:
            unfold(tab).evaluate("document.querySelectorAll('button.cell').forEach(button => button.click())")
        assert tab.evaluate("document.documentElement.scrollWidth") == 360
        wide = tab.evaluate(
            "[...document.querySelectorAll('.panel-of-runs')].filter(box => box.scrollWidth > box.clientWidth).length"
        )
        assert wide == 0
    small = tab.evaluate("[...document.querySelectorAll('button')].filter(b => b.offsetHeight < 24).length")
    assert small == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_can_be_told_from_their_background(look, rich, scheme):
    """Contrast of text is at least 4.5, of marks at least 3 (WCAG 2.2, AA)."""
    tab = look(rich, scheme=scheme)
    colours = tab.evaluate(
        """() => {
          const probe = document.body.appendChild(document.createElement("i"));
          const canvas = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
          const names = ["paper", "raised", "ink", "quiet", "link", "good", "near", "bad", "s0", "s1", "s2", "s3"];
          return Object.fromEntries(names.map((name) => {
            probe.style.color = `var(--${name})`;
            canvas.fillStyle = getComputedStyle(probe).color;
            canvas.fillRect(0, 0, 1, 1);
            return [name, [...canvas.getImageData(0, 0, 1, 1).data.slice(0, 3)]];
          }));
        }"""
    )

    assert (luminance(colours["paper"]) < 0.05) == (scheme == "dark")
    for background in ("paper", "raised"):
        for name in ("ink", "quiet", "link", "good", "near", "bad"):
            assert contrast(colours[name], colours[background]) >= 4.5, (name, background)
        for name in ("s0", "s1", "s2", "s3"):
            assert contrast(colours[name], colours[background]) >= 3, (name, background)


def test_everything_can_be_reached_by_keyboard(look, rich):
    tab = unfold(look(rich, width=360))
    first = tab.locator("table.results").first
    reached = set()
    for _ in range(120):
        tab.keyboard.press("Tab")
        reached.add(tab.evaluate("document.activeElement.id || document.activeElement.getAttribute('class')"))
    assert "scroll wide" in reached
    assert {cell.get_attribute("id") for cell in first.locator("button.cell").all()} <= reached


def test_a_link_to_a_set_of_runs_or_to_a_claim_opens_it(look):
    for name in ("ablation", "paper-02"):
        tab = look(RESULTS / "index.html", f"#{name}")
        assert tab.locator(f"#{name}").evaluate("details => details.open && details.getBoundingClientRect().top < 800")


def test_the_search_shows_the_rows_that_hold_all_words(look):
    tab = look(RESULTS / "index.html")
    rows = tab.locator("#all .results > tbody:visible")
    assert rows.count() == 0
    tab.get_by_label("Search").fill("readout=kernel  filters.banks=4 LADDER")
    assert rows.count() > 0
    texts = [text.lower() for text in rows.all_text_contents()]
    assert all("readout=kernel" in text and "filters.banks=4" in text for text in texts)
    assert tab.locator("#found").inner_text().startswith(f"{rows.count()} rows in ")
    assert {each.get_attribute("id") for each in tab.locator(".set:visible").all()} == {"ladder", "ladder_tuning"}
    tab.get_by_label("Search").fill("no such thing")
    assert tab.locator("#found").inner_text() == "0 rows in 0 sets of runs"
    tab.get_by_label("Search").fill("")
    assert rows.count() == 0
    assert tab.locator(".set").count() == tab.locator(".set:visible").count()


def test_the_first_screen_has_the_answer_and_its_picture(look):
    tab = look(RESULTS / "index.html")
    for part in (tab.locator("#answer p").first, tab.locator("#answer .bars")):
        box = part.bounding_box()
        assert box["y"] + box["height"] <= 800
