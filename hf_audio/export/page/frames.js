/** What sounds when: the scores of a recording's moments, as `hf_audio/inference/frames.py` puts them together. */

import { round } from "./facts.js";

const MARGIN = 1 / 8; // share of a window at each end, whose frames another window knows better

/** Samples of a frame, a window, from one window's beginning to the next one's, and of a window's margin. */
export function frameSizes({ frame_seconds: seconds, clip_seconds: clipSeconds, sampling_rate: rate }) {
  const frame = round(seconds * rate);
  const count = Math.floor(round(clipSeconds * rate) / frame);
  const margin = Math.floor(count * MARGIN);
  const hop = Math.min(Math.max(count - 2 * margin, 1), count);
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
