// The page: everything is computed and shown anew at each change, which takes milliseconds.

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
    const says = element("span", {}, element("b", {}, data.classes[most]), `, ${percent(probabilities[most])}`);
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
  if (location.hash !== `#${words}`) history.replaceState(null, "", `#${words}`); // browsers refuse hundreds of calls
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
