// The forward pass, in double precision, one function a layer. The reference is multistage.layers; tests compare all steps.
//
// Maps are {data: Float64Array, maps, height, width}, in the order map, row, column.

const FLOAT32_EPSILON = 2 ** -23;

const MARGIN = 4; // pixels that the preprocessing of photographs cuts off at every side
const WINDOW = 2 * MARGIN + 1;

// To mean 0 and deviation 1, a flat picture to 0. `lost`: degrees of freedom that the variance lacks.
function standardised({ pixels, width, height }, lost) {
  const mean = pixels.reduce((sum, value) => sum + value, 0) / pixels.length;
  const variance = pixels.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (pixels.length - lost);
  const deviation = Math.sqrt(variance) || 1;
  return { data: Float64Array.from(pixels, (value) => (value - mean) / deviation), maps: 1, height, width };
}

// From pixels to what a network sees: {pixels, width, height} to maps.
const PREPARATIONS = {
  // multistage.data.dataset.standardise
  mnist: (picture) => standardised(picture, 0),

  // multistage.data.preprocessing.preprocess, one pass: locally normalised where the window fits, padded to a square.
  caltech101(picture) {
    const { data: x, height, width } = standardised(picture, 1);
    const mean = blur(x, height, width, gaussian(WINDOW));
    const squares = blur(x.map((value) => value ** 2), height, width, gaussian(WINDOW));
    const side = Math.max(height, width) - 2 * MARGIN;
    const y = empty(1, side, side);
    const [top, left] = [height, width].map((length) => Math.floor((side + 2 * MARGIN - length) / 2));
    for (let row = MARGIN; row < height - MARGIN; row++) {
      for (let column = MARGIN; column < width - MARGIN; column++) {
        const i = row * width + column;
        const sigma = Math.sqrt(Math.max(squares[i] - mean[i] ** 2, 0));
        y.data[(top + row - MARGIN) * side + left + column - MARGIN] = (x[i] - mean[i]) / Math.max(sigma, 1);
      }
    }
    return y;
  },
};

function empty(maps, height, width) {
  return { data: new Float64Array(maps * height * width), maps, height, width };
}

// What a table has under a name; one that it has not is refused, as packed.py does.
function named(table, name, what) {
  if (!Object.hasOwn(table, name)) {
    throw new Error(`the page has no ${what} ${name}; expected one of ${Object.keys(table).join(", ")}`);
  }
  return table[name];
}

const RECTIFICATIONS = { abs: Math.abs, relu: (value) => Math.max(value, 0) };

// What a window of side n begins with, and how each of its values enters.
const POOLINGS = {
  average: { start: 0, add: (result, value, n) => result + value / n ** 2 },
  max: { start: -Infinity, add: (result, value) => Math.max(result, value) },
};

const LAYERS = {
  // F_CSG: y_j = g_j tanh(sum_i k_ij * x_i). A true convolution: the kernel is read from its end while x is read forwards.
  filter_bank(x, { kernels, gain, size, maps, connections }) {
    const y = empty(maps, x.height - size + 1, x.width - size + 1);
    const plane = y.height * y.width;
    const taps = size * size;
    connections.forEach((inputs, j) => {
      const sums = y.data.subarray(j * plane, (j + 1) * plane);
      inputs.forEach((input, f) => {
        const first = (j * inputs.length + f) * taps;
        for (let tap = 0; tap < taps; tap++) {
          const weight = kernels[first + taps - 1 - tap];
          const [down, right] = [Math.floor(tap / size), tap % size];
          for (let row = 0; row < y.height; row++) {
            const from = (input * x.height + row + down) * x.width + right;
            const to = row * y.width;
            for (let column = 0; column < y.width; column++) sums[to + column] += weight * x.data[from + column];
          }
        }
      });
      for (let i = 0; i < plane; i++) sums[i] = gain[j] * Math.tanh(sums[i]);
    });
    return y;
  },

  rectify(x, { kind }) {
    const rule = named(RECTIFICATIONS, kind, "rectification");
    return { ...x, data: x.data.map(rule) };
  },

  // N: v = x - m, y = v / max(c, sigma); m and sigma by a Gaussian window over all maps, c the mean of sigma.
  contrast_norm(x, { size }) {
    const plane = x.height * x.width;
    const window = gaussian(size);
    const overMaps = (value) => {
      const mean = new Float64Array(plane);
      x.data.forEach((_, i) => { mean[i % plane] += value(i) / x.maps; });
      return blur(mean, x.height, x.width, window);
    };
    const mean = overMaps((i) => x.data[i]);
    const v = x.data.map((value, i) => value - mean[i % plane]);
    const deviation = overMaps((i) => v[i] ** 2).map(Math.sqrt);
    const floor = deviation.reduce((sum, value) => sum + value, 0) / plane;
    const rounding = 4 * FLOAT32_EPSILON * mean.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const divisor = deviation.map((sigma) => {
      const floored = Math.max(floor, sigma);
      return floored > rounding ? floored : 1; // of a flat image nothing but rounding is left
    });
    return { ...x, data: v.map((value, i) => value / divisor[i % plane]) };
  },

  // With the statistics gathered in training.
  batch_norm(x, { mean, variance, scale, shift, epsilon }) {
    const plane = x.height * x.width;
    const data = x.data.map((value, i) => {
      const map = Math.floor(i / plane);
      return ((value - mean[map]) / Math.sqrt(variance[map] + epsilon)) * scale[map] + shift[map];
    });
    return { ...x, data };
  },

  pool(x, { kind, window, step }) {
    const y = empty(x.maps, Math.floor((x.height - window) / step) + 1, Math.floor((x.width - window) / step) + 1);
    const { start, add } = named(POOLINGS, kind, "pooling");
    y.data.forEach((_, i) => {
      const column = i % y.width;
      const row = Math.floor(i / y.width) % y.height;
      const map = Math.floor(i / (y.width * y.height));
      let result = start;
      for (let down = 0; down < window; down++) {
        const from = (map * x.height + row * step + down) * x.width + column * step;
        for (let right = 0; right < window; right++) result = add(result, x.data[from + right], window);
      }
      y.data[i] = result;
    });
    return y;
  },
};

function gaussian(size) {
  const sigma = size / (4 * Math.SQRT2);
  const window = Float64Array.from({ length: size }, (_, i) => Math.exp(-(((i - (size - 1) / 2) / sigma) ** 2) / 2));
  const sum = window.reduce((a, b) => a + b, 0);
  return window.map((value) => value / sum);
}

// Along rows, then along columns; what lies outside counts as zero.
function blur(map, height, width, window) {
  const radius = (window.length - 1) / 2;
  const along = (source, step, length, position) =>
    source.map((_, i) => {
      const here = position(i);
      let sum = 0;
      for (let tap = Math.max(-radius, -here); tap <= Math.min(radius, length - 1 - here); tap++) {
        sum += window[tap + radius] * source[i + tap * step];
      }
      return sum;
    });
  const rows = along(map, 1, width, (i) => i % width);
  return along(rows, width, height, (i) => Math.floor(i / width));
}

function softmax(scores) {
  const largest = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - largest));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

// All steps of a network: [{stage, name, kind, size, x}] and the class probabilities.
function forward(network, input) {
  const steps = [];
  let x = input;
  network.stages.forEach((parts, stage) => {
    for (const part of parts) {
      x = named(LAYERS, part.name, "layer")(x, part);
      steps.push({ stage, name: part.name, kind: part.kind, size: part.size, x });
    }
  });
  const { weights, bias } = network.classifier;
  const features = x.data;
  const scores = Array.from(bias, (score, c) =>
    features.reduce((sum, value, i) => sum + weights[c * features.length + i] * value, score),
  );
  return { steps, probabilities: softmax(scores) };
}

// The values of half precision; a page holds no infinite ones.
function fromHalf(bits) {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, (bits & 1023) / 1024];
  return sign * (exponent ? (1 + fraction) * 2 ** (exponent - 15) : fraction * 2 ** -14);
}

function bytesOf(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

// A network as the page holds it: places among its bytes become the values that stand there.
function unpack(packed) {
  const view = new DataView(bytesOf(packed.values).buffer);
  const valuesAt = ({ at, length, half }) =>
    Float32Array.from({ length }, (_, i) =>
      half ? fromHalf(view.getUint16(at + 2 * i, true)) : view.getFloat32(at + 4 * i, true),
    );
  const filled = (part) =>
    Object.fromEntries(Object.entries(part).map(([key, value]) => [key, value.half === undefined ? value : valuesAt(value)]));
  return { stages: packed.stages.map((parts) => parts.map(filled)), classifier: filled(packed.classifier) };
}
