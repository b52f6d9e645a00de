// What the page holds, and what is chosen.

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
