/* From an image's pixels to what the model takes, bit for bit as Pillow makes it in Python. */

/* The filter's weights for each pixel of the result, as Pillow's ImagingResample has them: a
   triangle as wide as the reduction, in fixed point of 22 bits. */
function weights(size, from, to, result) {
  const PRECISION = 2 ** 22;
  const scale = Math.fround(to - from) / result;
  const support = Math.max(scale, 1);
  const found = [];
  for (let at = 0; at < result; at++) {
    const centre = from + (at + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const last = Math.min(size, Math.trunc(centre + support + 0.5));
    const parts = [];
    let sum = 0;
    for (let x = first; x < last; x++) {
      const part = Math.max(0, 1 - Math.abs((x - centre + 0.5) * (1 / support)));
      parts.push(part);
      sum += part;
    }
    const fixed = parts.map((part) => {
      const share = (sum !== 0 ? part * (1 / sum) : part) * PRECISION;
      return Math.trunc(share < 0 ? share - 0.5 : share + 0.5);
    });
    found.push({ first, fixed });
  }
  return found;
}

/* `pixels` has `channels` bytes a pixel. The box (left, top, right, bottom) of it is brought
   to width × height. */
function resample(pixels, wide, high, channels, width, height, box) {
  const [left, top, right, bottom] = (box ?? [0, 0, wide, high]).map(Math.fround);
  let result = pixels;
  let across = wide;
  if (width !== wide || left || right !== width) {
    const all = weights(wide, left, right, width);
    const next = new Uint8ClampedArray(width * high * channels);
    for (let y = 0; y < high; y++) {
      for (let x = 0; x < width; x++) {
        const { first, fixed } = all[x];
        for (let c = 0; c < channels; c++) {
          let sum = 2 ** 21;
          for (let i = 0; i < fixed.length; i++) {
            sum += result[(y * wide + first + i) * channels + c] * fixed[i];
          }
          next[(y * width + x) * channels + c] = Math.floor(sum / 2 ** 22);
        }
      }
    }
    result = next;
    across = width;
  }
  if (height !== high || top || bottom !== height) {
    const all = weights(high, top, bottom, height);
    const row = across * channels;
    const next = new Uint8ClampedArray(row * height);
    for (let y = 0; y < height; y++) {
      const { first, fixed } = all[y];
      for (let x = 0; x < row; x++) {
        let sum = 2 ** 21;
        for (let i = 0; i < fixed.length; i++) sum += result[(first + i) * row + x] * fixed[i];
        next[y * row + x] = Math.floor(sum / 2 ** 22);
      }
    }
    result = next;
  }
  return result;
}

/* Python's round: halves go to the even number. */
function rounded(value) {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 ? floor + 1 : floor;
}

/* RGBA on white, then grey or RGB. */
function coloured(rgba, channels) {
  const count = rgba.length / 4;
  const found = new Uint8ClampedArray(count * channels);
  for (let i = 0; i < count; i++) {
    let [r, g, b] = [rgba[4 * i], rgba[4 * i + 1], rgba[4 * i + 2]];
    const alpha = rgba[4 * i + 3];
    if (alpha !== 255) {
      [r, g, b] = [r, g, b].map((value) => Math.round((value * alpha + 255 * (255 - alpha)) / 255));
    }
    if (channels === 1) {
      found[i] = (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16;
    } else {
      found[3 * i] = r;
      found[3 * i + 1] = g;
      found[3 * i + 2] = b;
    }
  }
  return found;
}

/* What the model takes, a Uint8Array of height · width · channels, from RGBA pixels (width ·
   height · 4, as a canvas has them) and what model.json says of `input` and `resize`. */
function prepared(rgba, wide, high, { input, resize }) {
  const { width, height, channels } = input;
  const pixels = coloured(rgba, channels);
  let found = pixels;
  if (wide !== width || high !== height) {
    if (resize.method === "crop") {
      const scale = Math.max(width / wide, height / high) / resize.share;
      const kept = [width / scale, height / scale];
      const [left, top] = [(wide - kept[0]) / 2, (high - kept[1]) / 2];
      const box = [left, top, left + kept[0], top + kept[1]];
      found = resample(pixels, wide, high, channels, width, height, box);
    } else if (resize.method === "pad") {
      const scale = Math.min(width / wide, height / high);
      const [across, down] = [rounded(wide * scale), rounded(high * scale)];
      const fitted = resample(pixels, wide, high, channels, across, down);
      const [left, top] = [Math.floor((width - across) / 2), Math.floor((height - down) / 2)];
      found = new Uint8ClampedArray(width * height * channels).fill(resize.grey);
      for (let y = 0; y < down; y++) {
        const row = fitted.subarray(y * across * channels, (y + 1) * across * channels);
        found.set(row, ((top + y) * width + left) * channels);
      }
    } else if (resize.method === "stretch") {
      found = resample(pixels, wide, high, channels, width, height);
    } else {
      throw new Error(`resize: ${resize.method}: unknown; use a newer file`);
    }
  }
  return new Uint8Array(found);
}

/* The classes with their probabilities, the most probable first. `runtime` is onnxruntime-web,
   `session` what its InferenceSession.create gave. */
async function classify(runtime, session, description, rgba, wide, high) {
  const { width, height, channels } = description.input;
  const pixels = prepared(rgba, wide, high, description);
  const tensor = new runtime.Tensor("uint8", pixels, [1, height, width, channels]);
  const answer = await session.run({ pixels: tensor });
  const found = description.classes.map((name, i) => ({
    class: name,
    probability: answer.probabilities.data[i],
  }));
  return found.sort((one, other) => other.probability - one.probability);
}
