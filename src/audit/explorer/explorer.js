// The page: each change computes and shows everything again; digits take milliseconds, photographs half a second.

function percent(share) {
  const value = 100 * share;
  if (value < 0.01) return "< 0.01 %";
  return value < 99.95 ? `${value.toFixed(value < 10 ? 2 : 1)} %` : "> 99.9 %";
}

function verdicts() {
  const lines = passes.map(({ name, probabilities }) => {
    const most = probabilities.indexOf(Math.max(...probabilities));
    const columns = element("span", { className: "columns", "aria-hidden": "true" });
    ranked(probabilities).forEach((c) => {
      const column = element("i", { className: c === most ? "most" : "" });
      column.style.setProperty("--share", probabilities[c]);
      columns.append(column);
    });
    const says = element("span", {}, element("b", {}, state.set.classes[most]), `, ${percent(probabilities[most])}`);
    return element("p", {}, element("code", {}, name), columns, says);
  });
  byId("verdicts").replaceChildren(...lines);
}

// R_abs with abs as a subscript.
function symbol(text) {
  return text.split(/_([A-Za-z]+)/).map((part, i) => (i % 2 ? element("sub", {}, part) : part));
}

function facts() {
  const chosen = state.names.map((name) => state.set.presets.get(name));
  const lines = chosen.map((preset) => {
    const operations = ["rectify", "normalise", "pool"].map((key) => `${key}: ${preset[key]}`).join(", ");
    const link = element("a", { href: preset.link }, `${preset.accuracy} % of the ${state.set.tested}`);
    const paper = preset.paper ? [", the paper's ", ...symbol(preset.paper)] : [];
    const twin = preset.same_as ? `; on images of this size the same network as ${preset.same_as}` : "";
    return element("p", {}, element("code", {}, preset.name), ...paper, ` (${operations}): `, link, twin, ".");
  });
  if (chosen.length > 1) {
    const differing = ["rectify", "normalise", "pool"].filter((key) => chosen[0][key] !== chosen[1][key]);
    const each = differing.map((key) => `${key} (${chosen.map((preset) => preset[key]).join(" or ")})`);
    const worth = element("a", { href: "index.html#ablation" }, "What this changes, over several draws");
    lines.push(element("p", {}, differing.length ? `They differ in ${each.join(", ")}. ` : "They are the same. ", worth));
  }
  byId("facts").replaceChildren(...lines);
}

function show() {
  const picture = changed(state.picture, state);
  const input = PREPARATIONS[state.set.name](picture);
  passes = state.names.map((name) => ({ name, input, ...forward(network(name), input) }));
  paintGray(document.querySelector("#strip canvas"), picture);
  paint(byId("seen"), input.data, input.width, input.height, largest(input.data));
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

function take(picture, image = null) {
  Object.assign(state, { picture, image, right: 0, down: 0, inverted: false });
  for (const choice of document.querySelectorAll("#images input")) choice.checked = image === Number(choice.value);
  byId("message").textContent = "";
  remember();
  showSoon();
}

// The address names what is shown, so that a link leads to it.
function remember() {
  const [model, beside] = state.names;
  const image = state.image === null ? {} : { image: state.image };
  const words = new URLSearchParams({ set: state.set.name, ...image, model, ...(beside ? { beside } : {}) });
  if (location.hash !== `#${words}`) history.replaceState(null, "", `#${words}`); // browsers refuse hundreds of calls
}

function follow() {
  dialog.close(); // its map may not be on the next page
  const words = new URLSearchParams(location.hash.slice(1));
  const set = sets.get(words.get("set")) ?? sets.values().next().value;
  if (set !== state.set) enter(set);
  const asked = Number(words.get("image") ?? set.first);
  const image = set.images[asked] ? asked : set.first;
  const known = (name) => set.presets.has(name);
  state.names = [[words.get("model")].find(known) ?? set.presets.keys().next().value, ...[words.get("beside")].filter(known)];
  [byId("model").value, byId("beside").value] = [state.names[0], state.names[1] ?? ""];
  take(set.images[image], image);
}

// Offer a set's images and networks.
function enter(set) {
  state.set = set;
  clear();
  for (const choice of document.querySelectorAll("#sets input")) choice.checked = choice.value === set.name;
  for (const part of document.querySelectorAll("[data-set]")) part.hidden = part.dataset.set !== set.name;
  byId("inputs").className = set.name;
  byId("images").replaceChildren(...set.images.map(thumbnail));
  byId("beside").parentElement.hidden = set.presets.size === 1;
  for (const [id, none] of [["model", []], ["beside", [element("option", { value: "" }, "none")]]]) {
    const groups = [["In the paper's Table 1", true], ["Others", false]].map(([label, inPaper]) => {
      const names = [...set.presets.values()].filter((each) => Boolean(each.paper) === inPaper).map((each) => each.name);
      return element("optgroup", { label }, ...names.map((name) => element("option", { value: name }, name)));
    });
    byId(id).replaceChildren(...none, ...groups.filter((group) => group.children.length));
  }
}

function thumbnail(image, number) {
  const input = element("input", { type: "radio", name: "image", value: number, "aria-label": image.title, className: "unseen" });
  const canvas = element("canvas", { className: "pixels" });
  paintGray(canvas, image);
  input.addEventListener("change", () => { clear(); take(image, number); });
  return element("label", {}, input, canvas);
}

for (const id of ["model", "beside"]) {
  byId(id).addEventListener("change", () => {
    state.names = [byId("model").value, byId("beside").value].filter(Boolean);
    remember();
    showSoon();
  });
}
for (const choice of document.querySelectorAll("#sets input")) {
  choice.addEventListener("change", () => { location.hash = `#set=${choice.value}`; });
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
follow();
