// Sorting tables, and opening the runs of a cell. Everything shown is already in the document.

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

// A link to a cell, from a figure or from elsewhere, opens its runs.
function follow() {
  const cell = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!cell?.matches("button.cell")) return;
  open(cell, true);
  cell.focus();
}
addEventListener("hashchange", follow);
follow();
