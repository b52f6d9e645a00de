// What the page holds, and what is chosen.

const byId = (id) => document.getElementById(id);
const sets = new Map(
  JSON.parse(byId("data").textContent).map((set) => {
    const images = set.images.map((image) => ({ ...image, pixels: bytesOf(image.pixels) }));
    return [set.name, { ...set, images, presets: new Map(set.presets.map((preset) => [preset.name, preset])) }];
  }),
);

function network(name) {
  const preset = state.set.presets.get(name);
  return (preset.network ??= unpack(preset)); // when it is first needed
}

const OPERATIONS = ["filter_bank", "rectify", "contrast_norm", "batch_norm", "pool"];
const STAGES = [0, 1];

// `image`: the number of the page's own, null if the picture is the visitor's.
const state = { set: null, image: null, picture: null, right: 0, down: 0, inverted: false, names: [] };
let passes = []; // of each network: its name, the input, the steps and the probabilities
