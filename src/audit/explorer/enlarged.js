// One map through all steps of its stage, with the kernels and the maps that it is made from.

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
  const which = rows.find((each) => each.stage === enlarged.stage && each.name === "filter_bank")?.sides.children[enlarged.which];
  if (document.activeElement === document.body) which?.querySelectorAll("button")[enlarged.map]?.focus();
});
