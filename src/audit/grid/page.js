// The heat map: arrow keys move from figure to figure, and the selected one shows its runs.

const rows = [...document.querySelectorAll(".heat tr")]
  .map((row) => [...row.cells].map((cell) => cell.querySelector("button")))
  .filter((row) => row.some(Boolean));
const buttons = rows.flat().filter(Boolean);

function select(button, opened) {
  for (const each of buttons) {
    const shown = each === button && opened;
    each.setAttribute("aria-expanded", shown);
    if (!shown) document.getElementById(each.getAttribute("aria-controls")).hidden = true;
  }
  const runs = document.getElementById(button.getAttribute("aria-controls"));
  runs.hidden = !opened;
  if (opened) runs.scrollIntoView({ block: "nearest" });
}

function move(from, down, right) {
  const line = rows.findIndex((row) => row.includes(from));
  let [i, j] = [line, rows[line].indexOf(from)];
  do {
    i += down;
    j += right;
  } while (rows[i] && j in rows[i] && !rows[i][j]); // over what was not run
  focus(rows[i]?.[j]);
}

function focus(button) {
  if (!button) return;
  for (const each of buttons) each.tabIndex = -1;
  button.tabIndex = 0;
  button.focus();
}

const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

document.querySelector(".heat").addEventListener("keydown", (event) => {
  const button = event.target.closest("button");
  if (!button || !(event.key in STEPS)) return;
  event.preventDefault();
  move(button, ...STEPS[event.key]);
});

document.querySelector(".heat").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  focus(button);
  select(button, button.getAttribute("aria-expanded") !== "true");
});

// A link to a cell, from the ranking or from elsewhere, selects it.
function follow() {
  const button = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!buttons.includes(button)) return;
  focus(button);
  select(button, true);
}
addEventListener("hashchange", follow);
follow();
