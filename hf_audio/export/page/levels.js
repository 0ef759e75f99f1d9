/** What samples are counted in and which channels are heard: the rule of `audio/levels.py`, which says why. */

import { AudioError } from "./wav.js";

const INTEGER_SCALES = [2 ** 15, 2 ** 23, 2 ** 31];
const LOUDEST = 2 ** 32;
const FRAMES_JUDGED = 2 ** 20;
const DEAD = 1e-5;
const NEARLY_AS_LOUD = 0.5;
const OPPOSED = -0.9;

/**
 * Channels, (samples,) each, with full scale 1. `isFloat`: they come from a file of floats, and may be counted in
 * something else; what others have beyond full scale is clipped once it has its last rate.
 */
export function toFullScale(channels, isFloat, name) {
  let peak = 0;
  for (const channel of channels) {
    for (const sample of channel) {
      if (!Number.isFinite(sample)) {
        throw new AudioError(`${name} contains NaN or infinite samples: repair it or choose another file.`);
      }
      peak = Math.max(peak, Math.abs(sample));
    }
  }
  if (peak <= 1 || !isFloat) return channels;
  if (peak > LOUDEST) {
    throw new AudioError(`${name} holds samples as large as ${peak.toPrecision(3)}, where full scale is 1: repair it.`);
  }
  const scale = channels.every((channel) => channel.every(Number.isInteger)) ? integerScale(channels, peak) : peak;
  return channels.map((channel) => channel.map((sample) => sample / scale));
}

function integerScale(channels, peak) {
  const isShifted = channels.every((channel) => channel.every((sample) => sample % 256 === 0));
  const scales = isShifted && peak > INTEGER_SCALES[0] ? INTEGER_SCALES.slice(2) : INTEGER_SCALES;
  return scales.find((scale) => peak <= scale) ?? LOUDEST;
}

/** Samples between -1 and 1: what a codec or a resampler swings beyond is cut off. */
export function clip(samples) {
  return samples.map((sample) => Math.min(1, Math.max(-1, sample)));
}

/** The mean of the channels that are heard: (samples,). */
export function mixToMono(channels) {
  if (channels.length === 1) return channels[0];
  const heard = chooseChannels(channels).map((number) => channels[number]);
  if (heard.length === 1) return heard[0];
  const mono = new Float32Array(heard[0].length);
  for (const channel of heard) for (let i = 0; i < mono.length; i++) mono[i] += channel[i];
  for (let i = 0; i < mono.length; i++) mono[i] /= heard.length;
  return mono;
}

/** Numbers of the channels that are heard, by the first block that is not silent. */
function chooseChannels(channels) {
  const size = channels.length <= 2 ? FRAMES_JUDGED : Math.max(Math.floor((2 * FRAMES_JUDGED) / channels.length), 1);
  const all = channels.map((_, number) => number);
  for (let begin = 0; begin < channels[0].length; begin += size) {
    const block = channels.map((channel) => centre(channel.subarray(begin, begin + size)));
    const powers = block.map((samples) => meanProduct(samples, samples));
    const loudest = Math.max(...powers);
    if (!(loudest > 0)) continue;
    const alive = all.filter((number) => powers[number] > DEAD * loudest);
    const areOpposed = (a, b) => meanProduct(block[a], block[b]) < OPPOSED * Math.sqrt(powers[a] * powers[b]);
    const isOpposed = alive.some((a) => alive.some((b) => a < b && areOpposed(a, b)));
    return isOpposed ? [alive.find((number) => powers[number] >= NEARLY_AS_LOUD * loudest)] : alive;
  }
  return all;
}

function centre(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample;
  const mean = sum / samples.length;
  return Float64Array.from(samples, (sample) => sample - mean);
}

function meanProduct(first, second) {
  let sum = 0;
  for (let i = 0; i < first.length; i++) sum += first[i] * second[i];
  return sum / first.length;
}
