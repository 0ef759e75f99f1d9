/** Long waveforms cut into windows, as `hf_audio/windows.py` does. */

/** (samples,) -> windows of `window` samples that cover all; a short clip stays as it is. */
export function splitWindows(waveform, window, overlap = 0) {
  if (waveform.length <= window) return [waveform];
  const last = waveform.length - window;
  const windows = [];
  for (let start = 0; start < last; start += Math.max(Math.floor(window * (1 - overlap)), 1)) {
    windows.push(waveform.subarray(start, start + window));
  }
  windows.push(waveform.subarray(last));
  return windows;
}

/** [start, end] of what is judged while `samples` samples are heard: after every hop, the last window. */
export function runningWindows(samples, window, hop) {
  const spans = [];
  for (let end = hop; end < samples; end += hop) spans.push([Math.max(end - window, 0), end]);
  spans.push([Math.max(samples - window, 0), samples]);
  return spans;
}

/** How much of a sound is judged at once while it is heard, as `hf_audio/streaming.py` has it. */
export function windowSeconds({ clip_seconds: seconds }) {
  return seconds ?? 3;
}
