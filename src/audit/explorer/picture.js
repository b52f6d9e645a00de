// Numbers as pixels: zero has the page's own colour, negative and positive values have one each.

const LEVELS = 255; // on each side of zero

let palette = null;

function colours() {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const probe = document.body.appendChild(document.createElement("i"));
  const read = (name) => {
    probe.style.color = `var(--${name})`;
    context.fillStyle = getComputedStyle(probe).color;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const [negative, zero, positive] = ["negative", "zero", "positive"].map(read);
  probe.remove();
  return Array.from({ length: 2 * LEVELS + 1 }, (_, i) => {
    const end = i < LEVELS ? negative : positive;
    const share = Math.abs(i - LEVELS) / LEVELS;
    return zero.map((value, channel) => Math.round(value + share * (end[channel] - value)));
  });
}

// `limit` has the full colour.
function paint(canvas, values, width, height, limit) {
  palette ??= colours();
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const image = new ImageData(width, height);
  values.forEach((value, i) => {
    const level = limit > 0 ? Math.round((LEVELS * value) / limit) : 0;
    image.data.set(palette[LEVELS + Math.max(-LEVELS, Math.min(LEVELS, level))], 4 * i);
  });
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function paintGray(canvas, { pixels, width, height }) {
  const image = new ImageData(width, height);
  pixels.forEach((value, i) => image.data.set([value, value, value, 255], 4 * i));
  [canvas.width, canvas.height] = [width, height];
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function largest(values) {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

function shown(value) {
  const size = Math.abs(value);
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.1 || size === 0 ? 2 : 3;
  return value.toFixed(digits).replace("-", "\u2212");
}

function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  const { className, ...rest } = properties;
  if (className) made.className = className;
  for (const [key, value] of Object.entries(rest)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}
