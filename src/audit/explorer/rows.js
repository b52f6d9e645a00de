// The steps, a row each: what every network makes of the image there, as a grid of maps, and the class probabilities.

const rows = [];

function build() {
  for (const stage of STAGES) {
    const section = element("section", { className: "stage", "aria-labelledby": `stage-${stage}` });
    const sizes = element("span", { className: "sizes" });
    section.append(element("h2", { id: `stage-${stage}` }, `Stage ${stage + 1} `, sizes));
    for (const name of OPERATIONS) section.append(row(stage, name));
    byId("steps").append(section);
  }
  const last = element("section", { "aria-labelledby": "classes-title" });
  last.append(element("h2", { id: "classes-title" }, "Classes"), row(null, "classifier"));
  byId("steps").append(last);
}

function row(stage, name) {
  const box = element("div", { className: "step", "data-step": stage === null ? name : `${stage}.${name}` });
  const sides = element("div", { className: "sides" });
  box.append(byId(name).content.cloneNode(true), sides);
  rows.push({ stage, name, box, sides, shown: [] });
  return box;
}

function fill({ stage, name, box, sides, shown: before }) {
  const steps = passes.map((pass) => pass.steps.find((step) => step.stage === stage && step.name === name));
  box.hidden = name !== "classifier" && !steps.some(Boolean);
  if (box.hidden) return;
  for (const part of box.querySelectorAll("[data-kind]")) part.hidden = !steps.some((step) => step?.kind === part.dataset.kind);
  for (const part of box.querySelectorAll(".wider")) part.hidden = !steps.some((step) => step?.size > step?.x.height);
  while (sides.children.length > passes.length) sides.lastChild.remove();
  passes.forEach((pass, side) => {
    const kind = name === "classifier" ? "bars" : steps[side] ? `maps ${steps[side].x.maps}` : "none";
    if (before[side] !== kind || !sides.children[side]) {
      const made = kind === "bars" ? bars() : kind === "none" ? absent() : maps(stage, name, side, steps[side].x.maps);
      if (sides.children[side]) sides.children[side].replaceWith(made);
      else sides.append(made);
      before[side] = kind;
    }
    const part = sides.children[side];
    part.querySelector(".whose").textContent = passes.length > 1 ? pass.name : "";
    if (kind === "bars") fillBars(part, pass);
    else if (kind !== "none") fillMaps(part, pass, steps[side]);
  });
}

function side(className, ...children) {
  return element("div", { className: `side ${className}` }, element("p", { className: "whose" }), ...children);
}

function absent() {
  return side("absent", element("p", {}, "Not in this network: values stay as they are."));
}

function maps(stage, name, which, count) {
  const grid = element("div", { className: count > 64 ? "grid many" : "grid", role: "group" });
  for (let map = 0; map < count; map++) {
    const button = element("button", { type: "button", "aria-label": `Map ${map + 1}`, tabindex: map ? -1 : 0 });
    button.append(element("canvas", { className: "pixels" }));
    button.addEventListener("click", () => enlarge(stage, which, map));
    grid.append(button);
  }
  grid.addEventListener("keydown", walk);
  return side("with-maps", grid, element("p", { className: "scale" }));
}

// One map of a grid can be tabbed to; arrow keys go to the others.
function walk(event) {
  const buttons = [...event.currentTarget.children];
  const columns = getComputedStyle(event.currentTarget).gridTemplateColumns.split(" ").length;
  const here = buttons.indexOf(event.target.closest("button"));
  const there = {
    ArrowRight: here + 1, ArrowLeft: here - 1, ArrowDown: here + columns, ArrowUp: here - columns,
    Home: 0, End: buttons.length - 1,
  }[event.key];
  if (there === undefined) return;
  event.preventDefault();
  if (!buttons[there]) return;
  buttons[here].tabIndex = -1;
  buttons[there].tabIndex = 0;
  buttons[there].focus();
}

function fillMaps(part, pass, { stage, name, x }) {
  const plane = x.height * x.width;
  const limit = largest(x.data);
  const grid = part.querySelector(".grid");
  const title = byId(name).content.querySelector("h3").textContent;
  const sizes = `${x.maps} maps of ${x.height} \u00d7 ${x.width}`;
  grid.setAttribute("aria-label", `${pass.name}, stage ${stage + 1}, ${title}: ${sizes}`);
  [...grid.children].forEach((button, map) => {
    paint(button.firstChild, x.data.subarray(map * plane, (map + 1) * plane), x.width, x.height, limit);
  });
  scale(part.querySelector(".scale"), limit, sizes);
}

function scale(line, limit, words = "") {
  const ramp = element("span", { className: "ramp", "aria-hidden": "true" });
  line.replaceChildren(words ? `${words}, ` : "", element("span", {}, shown(-limit), ramp, shown(limit)));
}

function bars() {
  return side("with-bars", element("ol", { className: "bars" }));
}

const MOST = 10; // classes that are shown

// All classes in their order; of many the most probable ones, and the right one.
function ranked(probabilities, label) {
  const all = probabilities.map((_, c) => c);
  if (all.length <= MOST) return all;
  const most = all.sort((a, b) => probabilities[b] - probabilities[a]).slice(0, MOST);
  return label === undefined || most.includes(label) ? most : [...most, label];
}

function fillBars(part, { probabilities }) {
  const most = probabilities.indexOf(Math.max(...probabilities));
  const label = state.set.images[state.image]?.label;
  const lines = ranked(probabilities, label).map((c) => {
    const bar = element("span", { className: "bar", "aria-hidden": "true" });
    bar.style.setProperty("--share", probabilities[c]);
    const share = percent(probabilities[c]) + (c === label ? " (label)" : "");
    const words = [element("b", {}, state.set.classes[c]), bar, element("span", { className: "share" }, share)];
    return element("li", { className: c === most ? "most" : "" }, ...words);
  });
  part.querySelector(".bars").replaceChildren(...lines);
}
