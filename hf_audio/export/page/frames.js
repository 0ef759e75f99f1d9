/** What sounds when: the scores of a recording's moments, as `hf_audio/inference/frames.py` puts them together. */

import { round, streamSeconds } from "./facts.js";

const MOMENT_SECONDS = 0.1; // of a checkpoint that scores windows as a whole
const MARGIN = 1 / 8; // share of a window at each end, whose frames another window knows better
const HOP_OF_WINDOW = 1 / 4; // of windows that are scored as a whole

/** Samples of a frame, a window, from one window's beginning to the next one's, and of a window's margin. */
export function frameSizes(facts) {
  const { frame_seconds: seconds, sampling_rate: rate } = facts;
  const whole = round(streamSeconds(facts) * rate);
  const moment = Math.max(Math.min(Math.floor(MOMENT_SECONDS * rate), Math.floor(whole * HOP_OF_WINDOW)), 1);
  const frame = seconds ? round(seconds * rate) : moment;
  const count = Math.floor(whole / frame);
  const margin = seconds ? Math.floor(count * MARGIN) : 0;
  const usual = seconds ? count - 2 * margin : Math.floor(count * HOP_OF_WINDOW);
  const hop = Math.min(Math.max(usual, 1), count);
  const sizes = { window: count, hop, margin: Math.min(margin, Math.floor((count - hop) / 2)) };
  return { frame, ...Object.fromEntries(Object.entries(sizes).map(([name, size]) => [name, size * frame])) };
}

/** [start, end] of the windows of `samples` samples; the last one ends with them. */
export function frameSpans(samples, { frame, window, hop }) {
  const spans = [];
  let start = 0;
  for (; samples > start + window; start += hop) spans.push([start, start + window]);
  spans.push([Math.ceil(Math.max(samples - window, 0) / frame) * frame, samples]);
  return spans;
}

/** The windows' frames, [(labels,), ...] of each span -> the recording's: each by the window in which it lies deeper. */
export function joinFrames(spans, windows, { frame, margin }) {
  const joined = [];
  windows.forEach((rows, i) => {
    const begin = spans[i][0] / frame;
    const isLast = i === windows.length - 1;
    joined.push(...rows.slice(joined.length - begin, isLast ? undefined : rows.length - margin / frame));
  });
  return joined;
}

/** Windows' scores as a whole, (labels,) of each span -> those of moments: the mean of the windows that hold each. */
export function joinWindows(spans, scores, { frame }) {
  const count = Math.ceil(spans.at(-1)[1] / frame);
  const sums = Array.from({ length: count }, () => new Float64Array(scores[0].length));
  const counts = new Float64Array(count);
  spans.forEach(([start, end], i) => {
    for (let k = start / frame; k < Math.ceil(end / frame); k++) {
      counts[k] += 1;
      scores[i].forEach((score, label) => (sums[k][label] += score));
    }
  });
  return sums.map((row, k) => row.map((sum) => sum / counts[k]));
}

/** The windows of a microphone as they come, scored as a whole -> the moments that no later window holds any more. */
export class RunningWindows {
  constructor({ frame }, { sampling_rate: rate }) {
    /** Of a moment. */
    this.seconds = frame / rate;
    this.first = 0; // moment that is not yet out
    this.waiting = []; // {sum, count} of the moments from there on
  }

  /** A window from `begin` to `end`, in seconds, and its scores, (labels,) -> {start, rows}, see `EventFinder.push`. */
  add(begin, end, scores) {
    const [from, to] = [begin, end].map((seconds) => Math.max(Math.round(seconds / this.seconds), 0));
    if (this.waiting.length === 0) this.first = from; // what was not heard is left out
    for (let k = from; k < to; k++) {
      const moment = (this.waiting[k - this.first] ??= { sum: new Float64Array(scores.length), count: 0 });
      moment.count += 1;
      scores.forEach((score, label) => (moment.sum[label] += score));
    }
    const start = this.first * this.seconds;
    const known = this.waiting.splice(0, from - this.first).filter(Boolean); // behind a window that was let go by
    const rows = known.map(({ sum, count }) => sum.map((each) => each / count));
    this.first = from;
    return { start, rows };
  }
}
