// Sorting tables, opening the runs of a cell, searching. Everything shown is already in the document.

for (const table of document.querySelectorAll("table.results")) {
  const heads = [...table.tHead.rows[0].cells];
  for (const [column, head] of heads.entries()) {
    head.querySelector("button").addEventListener("click", () => {
      const first = head.dataset.first;
      const other = first === "ascending" ? "descending" : "ascending";
      const direction = head.getAttribute("aria-sort") === first ? other : first;
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", direction);
      sort(table, column, direction === "ascending" ? 1 : -1);
    });
  }
}

function sort(table, column, sign) {
  const value = (body) => body.rows[0].cells[column].dataset.value;
  const compare = (a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x === undefined || y === undefined) return (x === undefined) - (y === undefined); // nothing stands last
    return sign * (isNaN(x) ? x.localeCompare(y) : x - y);
  };
  table.append(...[...table.tBodies].sort(compare));
}

function open(button, opened) {
  button.setAttribute("aria-expanded", opened);
  document.getElementById(button.getAttribute("aria-controls")).hidden = !opened;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button.cell");
  if (button) open(button, button.getAttribute("aria-expanded") !== "true");
});

// A link to a cell, a claim or a set of runs, from here or from elsewhere, opens it and all that it stands in.
function follow() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let box = target.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
  if (target.matches("button.cell")) {
    open(target, true);
    target.focus();
  }
  target.scrollIntoView({ block: target.matches("button.cell") ? "center" : "start" });
}
addEventListener("hashchange", follow);
follow();

// The search shows the rows of tables that hold all words, and opens the sets of runs that they stand in.
const all = document.getElementById("all");
const field = document.getElementById("words");
const texts = new Map();

function text(element) {
  if (!texts.has(element)) texts.set(element, element.textContent.toLowerCase());
  return texts.get(element);
}

function search() {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  const searching = words.length > 0;
  const holds = (...elements) => words.every((word) => elements.some((element) => text(element).includes(word)));
  all.classList.toggle("searching", searching);
  let [rows, sets] = [0, 0];
  for (const set of all.querySelectorAll(".set")) {
    const [summary] = set.children;
    let shown = holds(summary);
    for (const block of set.querySelectorAll(".block")) {
      const bodies = [...block.querySelectorAll(".results > tbody")];
      for (const body of bodies) body.hidden = !holds(summary, block.querySelector("h4"), body.closest("table").tHead, body);
      block.hidden = bodies.every((body) => body.hidden);
      if (searching) rows += bodies.filter((body) => !body.hidden).length;
      shown ||= !block.hidden;
    }
    set.hidden = !shown;
    set.open = searching && shown;
    sets += shown;
  }
  document.getElementById("found").textContent = searching ? `${rows} rows in ${sets} sets of runs` : "";
}

field.addEventListener("input", search);
field.parentElement.hidden = false;
