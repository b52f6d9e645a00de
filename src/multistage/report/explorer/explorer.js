// The page: what is chosen, what is shown of it. Everything is computed anew at each change; it takes milliseconds.

const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);
const presets = new Map(data.presets.map((preset) => [preset.name, preset]));
const digits = Uint8Array.from(atob(data.digits), (character) => character.charCodeAt(0));
const classOf = (digit) => digit % data.classes.length; // a row of the committed image holds one digit of each class
const digitPixels = (digit) => digits.subarray(digit * SIDE * SIDE, (digit + 1) * SIDE * SIDE);

const networks = new Map(); // unpacked when they are first needed
function network(name) {
  if (!networks.has(name)) networks.set(name, unpack(presets.get(name)));
  return networks.get(name);
}

const OPERATIONS = ["filter_bank", "rectify", "contrast_norm", "batch_norm", "pool"];
const STAGES = [0, 1];

const state = { digit: null, pixels: null, right: 0, down: 0, inverted: false, names: [] };
let passes = []; // of each network: its name, the input, the steps and the probabilities

// --- rows of maps --------------------------------------------------------------------------------------------------------

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
  return side("absent", element("p", {}, "Not in this network: values go on as they are."));
}

function maps(stage, name, which, count) {
  const grid = element("div", { className: "grid", role: "group" });
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
  const list = element("ol", { className: "bars" });
  for (const name of data.classes) {
    const bar = element("span", { className: "bar", "aria-hidden": "true" });
    list.append(element("li", {}, element("b", {}, name), bar, element("span", { className: "share" })));
  }
  return side("with-bars", list);
}

function fillBars(part, { probabilities }) {
  const most = probabilities.indexOf(Math.max(...probabilities));
  [...part.querySelectorAll("li")].forEach((line, c) => {
    line.classList.toggle("most", c === most);
    line.querySelector(".bar").style.setProperty("--share", probabilities[c]);
    const isLabel = state.digit !== null && classOf(state.digit) === c;
    line.querySelector(".share").textContent = percent(probabilities[c]) + (isLabel ? " (label)" : "");
  });
}

// --- what is said at once ------------------------------------------------------------------------------------------------

function percent(share) {
  const value = 100 * share;
  if (value < 0.01) return "< 0.01 %";
  return value < 99.95 ? `${value.toFixed(value < 10 ? 2 : 1)} %` : "> 99.9 %";
}

function verdicts() {
  const lines = passes.map(({ name, probabilities }) => {
    const most = probabilities.indexOf(Math.max(...probabilities));
    const columns = element("span", { className: "columns", "aria-hidden": "true" });
    probabilities.forEach((share, c) => {
      const column = element("i", { className: c === most ? "most" : "" });
      column.style.setProperty("--share", share);
      columns.append(column);
    });
    const says = element("span", {}, element("b", {}, data.classes[most]), ` with ${percent(probabilities[most])}`);
    return element("p", {}, element("code", {}, name), columns, says);
  });
  byId("verdicts").replaceChildren(...lines);
}

function facts() {
  const chosen = state.names.map((name) => presets.get(name));
  const lines = chosen.map((preset) => {
    const operations = ["rectify", "normalise", "pool"].map((key) => `${key}: ${preset[key]}`).join(", ");
    const link = element("a", { href: preset.link }, `${preset.accuracy} % of the test digits`);
    const paper = preset.paper ? `, the paper's ${preset.paper}` : "";
    const twin = preset.same_as ? `; on images of this size the same network as ${preset.same_as}` : "";
    return element("p", {}, element("code", {}, preset.name), paper, ` (${operations}): `, link, twin, ".");
  });
  if (chosen.length > 1) {
    const differing = ["rectify", "normalise", "pool"].filter((key) => chosen[0][key] !== chosen[1][key]);
    const each = differing.map((key) => `${key} (${chosen.map((preset) => preset[key]).join(" or ")})`);
    const worth = element("a", { href: "index.html#ablation" }, "What that is worth over several draws");
    lines.push(element("p", {}, differing.length ? `They differ in ${each.join(", ")}. ` : "They are the same. ", worth));
  }
  byId("facts").replaceChildren(...lines);
}

// --- one map, enlarged ---------------------------------------------------------------------------------------------------

const dialog = byId("enlarged");
let enlarged = null;

function enlarge(stage, which, map) {
  enlarged = { stage, which, map };
  const pass = passes[which];
  const steps = pass.steps.filter((step) => step.stage === stage);
  byId("enlarged-title").textContent = `Stage ${stage + 1}, map ${map + 1} of ${steps[0].x.maps}`;
  const before = pass.steps.filter((step) => step.stage === stage - 1).pop()?.x ?? pass.input;
  const chain = element("div", { className: "chain" });
  for (const { name, x } of steps) {
    chain.append(figure(planeOf(x, map), x.width, x.height, byId(name).content.querySelector("h3").textContent));
  }
  const bank = network(pass.name).stages[stage][0];
  const inputs = bank.connections[map];
  const taps = bank.size ** 2;
  const kernels = inputs.map((_, f) => bank.kernels.subarray((map * inputs.length + f) * taps, (map * inputs.length + f + 1) * taps));
  const limit = largest(kernels.flatMap((kernel) => [...kernel]));
  const pairs = element("div", { className: "pairs" });
  inputs.forEach((input, f) => {
    const pattern = Float32Array.from(kernels[f]).reverse();
    const from = element("canvas", { className: "pixels", role: "img", "aria-label": `input map ${input + 1}` });
    const kernel = element("canvas", { className: "pixels", role: "img", "aria-label": `its kernel, ${bank.size} by ${bank.size}` });
    paint(from, planeOf(before, input), before.width, before.height, largest(before.data));
    paint(kernel, pattern, bank.size, bank.size, limit);
    const caption = stage ? `map ${input + 1}` : "image";
    pairs.append(element("figure", {}, from, kernel, element("figcaption", {}, caption)));
  });
  const weights = element("p", { className: "scale" });
  scale(weights, limit, "kernels");
  byId("enlarged-body").replaceChildren(
    element("p", {}, element("code", {}, pass.name), `, gain ${shown(bank.gain[map])}. Each picture on its own scale:`),
    chain,
    element("h3", {}, "Made from"),
    element("p", {}, `${stage ? `${inputs.length} of ${before.maps} maps` : "The image"}, each with its kernel, drawn flipped: as the pattern that it answers to.`),
    pairs,
    weights,
  );
  if (!dialog.open) dialog.showModal();
}

function planeOf(x, map) {
  const plane = x.height * x.width;
  return x.data.subarray(map * plane, (map + 1) * plane);
}

function figure(values, width, height, title) {
  const canvas = element("canvas", { className: "pixels", role: "img", "aria-label": title });
  paint(canvas, values, width, height, largest(values));
  const [low, high] = [Math.min(...values), Math.max(...values)].map(shown);
  return element("figure", {}, canvas, element("figcaption", {}, title, element("span", {}, `${low} to ${high}`)));
}

function turn(by) {
  const count = passes[enlarged.which].steps.find((step) => step.stage === enlarged.stage).x.maps;
  enlarge(enlarged.stage, enlarged.which, (enlarged.map + by + count) % count);
}

for (const button of dialog.querySelectorAll("[data-turn]")) {
  button.addEventListener("click", () => turn(Number(button.dataset.turn)));
}
byId("close").addEventListener("click", () => dialog.close());
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
dialog.addEventListener("keydown", (event) => {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (by) turn(by);
});
dialog.addEventListener("close", () => {
  const which = rows.find((each) => each.stage === enlarged.stage && each.name === "filter_bank").sides.children[enlarged.which];
  if (document.activeElement === document.body) which.querySelectorAll("button")[enlarged.map].focus();
});

// --- all of it -----------------------------------------------------------------------------------------------------------

function show() {
  const pixels = changed(state.pixels, state);
  const input = standardise(pixels, SIDE);
  passes = state.names.map((name) => ({ name, input, ...forward(network(name), input) }));
  paintGray(document.querySelector("#strip canvas"), pixels);
  paint(byId("seen"), input.data, SIDE, SIDE, largest(input.data));
  scale(byId("seen-scale"), largest(input.data));
  byId("invert").setAttribute("aria-pressed", state.inverted);
  document.body.classList.toggle("two", passes.length > 1);
  verdicts();
  facts();
  rows.forEach(fill);
  document.querySelectorAll(".sizes").forEach((place, stage) => { place.textContent = sizes(stage); });
}

// Of the first network; all have the same.
function sizes(stage) {
  const [{ input, steps }] = passes;
  const last = (number) => steps.filter((step) => step.stage === number).pop()?.x ?? input;
  const words = ({ maps, height, width }) => `${maps > 1 ? `${maps} maps of ` : ""}${height} \u00d7 ${width}`;
  return `${words(last(stage - 1))} \u2192 ${words(last(stage))}`;
}

let waiting = false;
function showSoon() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; show(); });
}

function take(pixels, digit = null) {
  Object.assign(state, { pixels, digit, right: 0, down: 0, inverted: false });
  for (const choice of document.querySelectorAll("#digits input")) choice.checked = digit === Number(choice.value);
  byId("message").textContent = "";
  remember();
  showSoon();
}

// The address names what is shown, so that a link leads to it.
function remember() {
  const [model, beside] = state.names;
  const words = new URLSearchParams({ ...(state.digit === null ? {} : { digit: state.digit }), model, ...(beside ? { beside } : {}) });
  history.replaceState(null, "", `#${words}`);
}

function follow() {
  const words = new URLSearchParams(location.hash.slice(1));
  const asked = Number(words.get("digit") ?? data.first);
  const digit = Number.isInteger(asked) && asked >= 0 && asked * SIDE * SIDE < digits.length ? asked : data.first;
  const known = (name) => presets.has(name);
  state.names = [[words.get("model")].find(known) ?? data.presets[0].name, ...[words.get("beside")].filter(known)];
  [byId("model").value, byId("beside").value] = [state.names[0], state.names[1] ?? ""];
  take(digitPixels(digit), digit);
}

function choices() {
  for (const [id, none] of [["model", null], ["beside", "none"]]) {
    const select = byId(id);
    if (none) select.append(element("option", { value: "" }, none));
    for (const [label, inPaper] of [["In the paper's Table 1", true], ["Others", false]]) {
      const group = element("optgroup", { label });
      for (const preset of data.presets.filter((each) => Boolean(each.paper) === inPaper)) {
        group.append(element("option", { value: preset.name }, preset.name));
      }
      select.append(group);
    }
    select.addEventListener("change", () => {
      state.names = [byId("model").value, byId("beside").value].filter(Boolean);
      remember();
      showSoon();
    });
  }
  for (let digit = 0; digit * SIDE * SIDE < digits.length; digit++) {
    const label = `a ${data.classes[classOf(digit)]}`;
    const input = element("input", { type: "radio", name: "digit", value: digit, "aria-label": label, className: "unseen" });
    const canvas = element("canvas", { className: "pixels" });
    paintGray(canvas, digitPixels(digit));
    input.addEventListener("change", () => { clear(); take(digitPixels(digit), digit); });
    byId("digits").append(element("label", {}, input, canvas));
  }
}

// --- the visitor's own image ---------------------------------------------------------------------------------------------

const pad = byId("pad");
const ink = pad.getContext("2d", { willReadFrequently: true });
const STROKE = 26; // of the pad's 280 pixels: two to three of MNIST's, whose strokes are as wide
const pen = { x: pad.width / 2, y: pad.height / 2, lowered: false };

function clear() {
  ink.fillStyle = "black";
  ink.fillRect(0, 0, pad.width, pad.height);
  pad.parentElement.classList.add("blank");
}

function drawn() {
  const { data: rgba } = ink.getImageData(0, 0, pad.width, pad.height);
  const gray = Float64Array.from({ length: pad.width * pad.height }, (_, i) => rgba[4 * i]);
  take(centred({ data: gray, width: pad.width, height: pad.height }));
}

function stroke(to) {
  Object.assign(ink, { strokeStyle: "white", lineWidth: STROKE, lineCap: "round", lineJoin: "round" });
  ink.beginPath();
  ink.moveTo(pen.x, pen.y);
  ink.lineTo(to.x, to.y);
  ink.stroke();
  pad.parentElement.classList.remove("blank");
  movePen(to);
}

// Keyboards see where the pen is.
function movePen(to) {
  Object.assign(pen, to);
  const mark = byId("pen");
  mark.classList.toggle("lowered", pen.lowered);
  mark.style.left = `${(100 * pen.x) / pad.width}%`;
  mark.style.top = `${(100 * pen.y) / pad.height}%`;
}

function position(event) {
  const box = pad.getBoundingClientRect();
  return { x: ((event.clientX - box.left) * pad.width) / box.width, y: ((event.clientY - box.top) * pad.height) / box.height };
}

pad.addEventListener("pointerdown", (event) => {
  pad.setPointerCapture(event.pointerId);
  movePen(position(event));
  stroke(position(event));
  drawn();
});
pad.addEventListener("pointermove", (event) => {
  if (!pad.hasPointerCapture(event.pointerId)) return;
  for (const each of event.getCoalescedEvents?.() ?? []) stroke(position(each));
  stroke(position(event));
  drawn();
});
pad.addEventListener("keydown", (event) => {
  const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], " ": [0, 0] }[event.key];
  if (!move) return;
  event.preventDefault();
  if (event.key === " ") pen.lowered = !pen.lowered;
  const inside = (value) => Math.max(STROKE, Math.min(pad.width - STROKE, value));
  const to = { x: inside(pen.x + 10 * move[0]), y: inside(pen.y + 10 * move[1]) };
  if (pen.lowered) {
    stroke(to);
    drawn();
  } else movePen(to);
});
byId("clear").addEventListener("click", () => { clear(); drawn(); });

byId("file").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  event.target.value = "";
  if (!file) return;
  try {
    const bitmap = await createImageBitmap(file);
    const scale = Math.min(1, 1120 / Math.max(bitmap.width, bitmap.height));
    const canvas = element("canvas");
    [canvas.width, canvas.height] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale)));
    const context = canvas.getContext("2d");
    context.fillStyle = "white"; // behind what is transparent
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    clear();
    take(fitted(grayOf(context.getImageData(0, 0, canvas.width, canvas.height))));
  } catch {
    byId("message").textContent = `${file.name} is not an image that this browser can read.`;
  }
});

for (const button of document.querySelectorAll("[data-move]")) {
  button.addEventListener("click", () => {
    const [right, down] = { left: [-1, 0], right: [1, 0], up: [0, -1], down: [0, 1] }[button.dataset.move];
    state.right += right;
    state.down += down;
    showSoon();
  });
}
byId("invert").addEventListener("click", () => { state.inverted = !state.inverted; showSoon(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { palette = null; showSoon(); });
addEventListener("hashchange", follow);

build();
choices();
clear();
follow();
