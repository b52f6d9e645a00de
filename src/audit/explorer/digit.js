// The visitor's image as MNIST has its digits: white on black, 28 x 28, whole numbers from 0 to 255.

const SIDE = 28;
const BOX = 20; // MNIST's digits fit into a square of this side
const CENTRE = 14.5; // and their centre of mass lies within half a pixel of this, the middle of the fifteenth pixel

function place({ data, width }, left, top) {
  const pixels = new Uint8ClampedArray(SIDE * SIDE);
  data.forEach((value, i) => {
    const [x, y] = [left + (i % width), top + Math.floor(i / width)];
    if (x >= 0 && x < SIDE && y >= 0 && y < SIDE) pixels[y * SIDE + x] = Math.round(value);
  });
  return { pixels, width: SIDE, height: SIDE };
}

// What was drawn, cut out, shrunk into MNIST's square and put where MNIST has the centre of mass.
function centred({ data, width, height }) {
  const box = { left: width, top: height, right: 0, bottom: 0 };
  data.forEach((value, i) => {
    if (!value) return;
    const [x, y] = [i % width, Math.floor(i / width)];
    box.left = Math.min(box.left, x);
    box.right = Math.max(box.right, x + 1);
    box.top = Math.min(box.top, y);
    box.bottom = Math.max(box.bottom, y + 1);
  });
  if (box.right === 0) return place({ data: [] }, 0, 0);
  const small = shrink({ data, width }, box, BOX);
  let [mass, x, y] = [0, 0, 0];
  small.data.forEach((value, i) => {
    mass += value;
    x += value * ((i % small.width) + 0.5);
    y += value * (Math.floor(i / small.width) + 0.5);
  });
  return place(small, Math.round(CENTRE - x / mass), Math.round(CENTRE - y / mass));
}

// A whole picture: one of 28 x 28 as it is; others fitted in, and dark on light turned to light on dark.
function fitted({ data, width, height }) {
  if (width === SIDE && height === SIDE) return place({ data, width }, 0, 0);
  const edge = data.filter((_, i) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    return x === 0 || y === 0 || x === width - 1 || y === height - 1;
  });
  const ground = edge.sort()[edge.length >> 1];
  const light = ground < 128 ? data : data.map((value) => 255 - value);
  const small = shrink({ data: light, width }, whole({ width, height }), SIDE);
  return place(small, (SIDE - small.width) >> 1, (SIDE - small.height) >> 1);
}
