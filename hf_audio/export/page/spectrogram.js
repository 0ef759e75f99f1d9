/** Mel spectrograms to look at; the model computes its own. */

const FRAME_SECONDS = 0.04;
const MOST_FRAMES = 1000;
const BANDS = 96;
const RANGE_DB = 60; // below the loudest point

/** (samples,) -> {values: (frames x bands,) from 0 to 1, frames, bands, highest in Hz}; band 0 is the lowest. */
export function melSpectrogram(samples, rate) {
  const size = 2 ** Math.round(Math.log2(FRAME_SECONDS * rate));
  const hop = Math.max(Math.floor(size / 4), Math.ceil(samples.length / MOST_FRAMES));
  const frames = Math.max(1, Math.floor(samples.length / hop));
  const window = Float64Array.from({ length: size }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / size));
  const filters = melFilters(size, rate);
  const values = new Float32Array(frames * BANDS);
  const real = new Float64Array(size);
  const imaginary = new Float64Array(size);
  for (let frame = 0; frame < frames; frame++) {
    const first = frame * hop + hop / 2 - size / 2;
    for (let i = 0; i < size; i++) real[i] = (samples[Math.floor(first + i)] ?? 0) * window[i];
    imaginary.fill(0);
    transform(real, imaginary);
    filters.forEach(({ start, weights }, band) => {
      let energy = 1e-12;
      weights.forEach((weight, i) => {
        energy += weight * (real[start + i] ** 2 + imaginary[start + i] ** 2);
      });
      values[frame * BANDS + band] = 10 * Math.log10(energy);
    });
  }
  const loudest = values.reduce((a, b) => Math.max(a, b));
  const silent = loudest <= 10 * Math.log10(2e-12);
  values.forEach((value, i) => {
    values[i] = silent ? 0 : Math.max(0, 1 + (value - loudest) / RANGE_DB);
  });
  return { values, frames, bands: BANDS, highest: rate / 2 };
}

/** Where a frequency lies between 0 and `highest` on the mel scale, from 0 to 1. */
export function melPlace(hertz, highest) {
  return toMel(hertz) / toMel(highest);
}

/** Fourier transform in place, of 2^n values. Source: Cooley and Tukey 1965. */
export function transform(real, imaginary) {
  const size = real.length;
  for (let i = 1, j = 0; i < size; i++) {
    let bit = size >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [real[i], real[j]] = [real[j], real[i]];
      [imaginary[i], imaginary[j]] = [imaginary[j], imaginary[i]];
    }
  }
  for (let length = 2; length <= size; length *= 2) {
    const half = length / 2;
    for (let k = 0; k < half; k++) {
      const cosine = Math.cos((2 * Math.PI * k) / length);
      const sine = -Math.sin((2 * Math.PI * k) / length);
      for (let i = k; i < size; i += length) {
        const a = real[i + half] * cosine - imaginary[i + half] * sine;
        const b = real[i + half] * sine + imaginary[i + half] * cosine;
        real[i + half] = real[i] - a;
        imaginary[i + half] = imaginary[i] - b;
        real[i] += a;
        imaginary[i] += b;
      }
    }
  }
}

/** Triangles of equal width in mel, each from its first bin on: [{start, weights}, ...]. */
function melFilters(size, rate) {
  const binHertz = rate / size;
  const edges = Array.from({ length: BANDS + 2 }, (_, i) => toHertz((i * toMel(rate / 2)) / (BANDS + 1)) / binHertz);
  return Array.from({ length: BANDS }, (_, band) => {
    // No triangle is narrower than the bins, or low bands would be empty.
    const middle = edges[band + 1];
    const below = Math.min(edges[band], middle - 1);
    const above = Math.max(edges[band + 2], middle + 1);
    const start = Math.max(0, Math.ceil(below));
    const end = Math.min(size / 2, Math.floor(above));
    const weights = [];
    for (let bin = start; bin <= end; bin++) {
      weights.push(Math.max(0, Math.min((bin - below) / (middle - below), (above - bin) / (above - middle))));
    }
    return { start, weights };
  });
}

function toMel(hertz) {
  return 2595 * Math.log10(1 + hertz / 700);
}

function toHertz(mel) {
  return 700 * (10 ** (mel / 2595) - 1);
}
