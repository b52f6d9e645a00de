// Pictures of the visitor: {data, width, height} are gray levels, {pixels, width, height} whole ones from 0 to 255.

const GRAY = [0.298936, 0.587043, 0.114021]; // multistage.data.images.GRAY_WEIGHTS
const LONGER = 151; // side of a photograph before its preprocessing, which cuts off 8 pixels

const whole = ({ width, height }) => ({ left: 0, top: 0, right: width, bottom: height });

// A box of a picture with a longer side of `longer`, the other one of at least `least`: means over areas.
function shrink({ data, width }, { left, top, right, bottom }, longer, least = 1) {
  const scale = longer / Math.max(right - left, bottom - top);
  const [columns, rows] = [right - left, bottom - top].map((side) => Math.max(least, Math.round(side * scale)));
  const [stepX, stepY] = [(right - left) / columns, (bottom - top) / rows];
  const cover = (from, to) => {
    const parts = [];
    for (let i = Math.floor(from); i < to - 1e-9; i++) parts.push([i, Math.min(to, i + 1) - Math.max(from, i)]);
    return parts;
  };
  const result = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const down = cover(top + row * stepY, top + (row + 1) * stepY);
    for (let column = 0; column < columns; column++) {
      let sum = 0;
      for (const [x, wide] of cover(left + column * stepX, left + (column + 1) * stepX)) {
        for (const [y, high] of down) sum += wide * high * data[y * width + x];
      }
      result[row * columns + column] = sum / (stepX * stepY);
    }
  }
  return { data: result, width: columns, height: rows };
}

// A photograph with a longer side of 151, by means over areas; multistage.data.resizing is bicubic.
function resized(picture) {
  const { data, width, height } = shrink(picture, whole(picture), LONGER, WINDOW);
  return { pixels: Uint8ClampedArray.from(data, Math.round), width, height };
}

function grayOf({ data, width, height }) {
  const gray = Float64Array.from({ length: width * height }, (_, i) =>
    Math.round(GRAY.reduce((sum, weight, channel) => sum + weight * data[4 * i + channel], 0)),
  );
  return { data: gray, width, height };
}

// Shifted, with the border's pixels repeated, then perhaps inverted.
function changed({ pixels, width, height }, { right, down, inverted }) {
  const inside = (value, size) => Math.max(0, Math.min(size - 1, value));
  const moved = pixels.map((_, i) => {
    const value = pixels[inside(Math.floor(i / width) - down, height) * width + inside((i % width) - right, width)];
    return inverted ? 255 - value : value;
  });
  return { pixels: moved, width, height };
}
