/** How answers follow from the facts of model.json: what `hf_audio/inference/facts.py` is, in the browser. */

import { splitWindows } from "./windows.js";

const STREAM_WINDOW_SECONDS = 3; // of a checkpoint that has no window of its own

/** A number of samples, as Python rounds: a half to the even neighbour. */
export function round(samples) {
  return samples % 1 === 0.5 ? 2 * Math.round(samples / 2) : Math.round(samples);
}

/** How much of a sound is scored at once over time. */
export function streamSeconds({ clip_seconds: seconds }) {
  return seconds ?? STREAM_WINDOW_SECONDS;
}

export const NO_NUMBER = "none of these"; // in the place of a number

/** (samples,) -> what goes through the network: windows or, because half a number is another number, the whole. */
export function cut(waveform, { clip_seconds: seconds, num_digits: digits, overlap, sampling_rate: rate }) {
  return digits || seconds === null ? [waveform] : splitWindows(waveform, round(seconds * rate), overlap);
}

/** (labels,) -> (labels,): of each label, of one among all, or of one among the ten of each digit. */
export function probabilities(logits, { multi_label: multiLabel, num_digits: digits }) {
  if (multiLabel) return Float32Array.from(logits, (logit) => 1 / (1 + Math.exp(-logit)));
  const size = digits ? logits.length / digits : logits.length;
  const scores = new Float32Array(logits.length);
  for (let first = 0; first < logits.length; first += size) {
    const group = logits.subarray(first, first + size);
    const largest = group.reduce((a, b) => Math.max(a, b));
    const powers = Array.from(group, (logit) => Math.exp(logit - largest));
    const sum = powers.reduce((a, b) => a + b);
    scores.set(powers.map((power) => power / sum), first);
  }
  return scores;
}

/** The windows' scores, (labels,) each -> the recording's: their mean. */
export function reduce(scores) {
  return Float32Array.from(scores[0], (_, label) => scores.reduce((sum, row) => sum + row[label], 0) / scores.length);
}

/** Places of the labels, best first. */
export function rank(scores) {
  return Array.from(scores.keys()).sort((a, b) => scores[b] - scores[a]);
}

/**
 * The digits of a number, [[digit, probability], ...], the text without leading zeros, and how probable all are; no
 * digits, and NO_NUMBER as the text, where more likely no number is heard, so that all values are about alike.
 */
export function readNumber(scores, digits) {
  const size = scores.length / digits;
  const read = Array.from({ length: digits }, (_, place) => {
    const group = scores.subarray(place * size, (place + 1) * size);
    const [digit] = rank(group);
    return [digit, group[digit]];
  });
  const none = 10 * Math.min(...scores);
  if (none > 0.5) return { read: [], text: NO_NUMBER, score: none };
  const text = read.map(([digit]) => digit).join("");
  return { read, text: text.replace(/^0+(?=\d)/, ""), score: read.reduce((product, [, score]) => product * score, 1) };
}

/** A recording's scores -> the best label, or the number that was read: {text, score}. */
export function name(scores, { labels, num_digits: digits }) {
  if (digits) return readNumber(scores, digits);
  const [best] = rank(scores);
  return { text: labels[best], score: scores[best] };
}
