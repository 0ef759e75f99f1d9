/**
 * Another sampling rate, by a windowed sinc. Its band limits are those of soxr's "HQ", by which the model's training
 * heard: what the two leave different lies between 0.913 and 1 of the lower rate's half.
 */

const PASS_BAND = 0.914; // of the lower rate's half stays as it is, and from 1 on nothing is left
const ATTENUATION = 136; // of what is above, in dB
const MOST_PHASES = 1024; // kernels between two samples; between these, they are interpolated
const LARGEST_BANK = 2 ** 22; // numbers in all kernels together, 32 MB

/** (samples,) at rate `from` -> (samples,) at rate `to`, both in whole Hz. */
export function resample(samples, from, to) {
  if (from === to) return samples;
  const divisor = greatestCommonDivisor(from, to);
  const up = to / divisor;
  const down = from / divisor;
  const { kernels, half, phases } = kernelBank(up, down);
  const taps = 2 * half;
  const padded = new Float32Array(samples.length + 2 * taps);
  padded.set(samples, half - 1);
  const result = new Float32Array(Math.floor((samples.length * up) / down + 0.5));
  for (let n = 0; n < result.length; n++) {
    const first = Math.floor((n * down) / up); // in `padded`, of the samples under the kernel
    const phase = (((n * down) % up) / up) * phases;
    const row = Math.floor(phase);
    const weight = phase - row;
    let sum = dot(padded, first, kernels, row * taps, taps);
    if (weight > 0) sum += weight * (dot(padded, first, kernels, (row + 1) * taps, taps) - sum);
    result[n] = sum;
  }
  return result;
}

/** Kernels for times between two samples, one row of 2 x `half` weights for each of `phases` + 1 times. */
function kernelBank(up, down) {
  const lower = Math.min(1, up / down); // of the two rates, in units of the first
  const cutoff = (lower * (1 + PASS_BAND)) / 2;
  // Length and shape of the window: Kaiser 1974, as in Oppenheim and Schafer.
  const half = 2 * Math.ceil((ATTENUATION - 7.95) / (2.285 * Math.PI * (1 - PASS_BAND) * lower) / 4);
  const beta = 0.1102 * (ATTENUATION - 8.7);
  const phases = Math.min(up, MOST_PHASES, Math.max(1, Math.floor(LARGEST_BANK / (2 * half))));
  const kernels = new Float64Array((phases + 1) * 2 * half);
  for (let phase = 0; phase <= phases; phase++) {
    for (let tap = 0; tap < 2 * half; tap++) {
      const time = tap - half + 1 - phase / phases; // in samples of the first rate
      const window = besselI0(beta * Math.sqrt(Math.max(0, 1 - (time / half) ** 2))) / besselI0(beta);
      kernels[phase * 2 * half + tap] = cutoff * sinc(cutoff * time) * window;
    }
  }
  return { kernels, half, phases };
}

/** Four sums side by side, which a processor adds up at the same time; `taps` is a multiple of four. */
function dot(samples, first, kernels, start, taps) {
  let [a, b, c, d] = [0, 0, 0, 0];
  for (let tap = 0; tap < taps; tap += 4) {
    a += samples[first + tap] * kernels[start + tap];
    b += samples[first + tap + 1] * kernels[start + tap + 1];
    c += samples[first + tap + 2] * kernels[start + tap + 2];
    d += samples[first + tap + 3] * kernels[start + tap + 3];
  }
  return a + b + (c + d);
}

function sinc(x) {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

function besselI0(x) {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > 1e-17 * sum; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function greatestCommonDivisor(a, b) {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
