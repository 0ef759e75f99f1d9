/** Long waveforms cut into windows, as `hf_audio/audio/windows.py` does. */

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

/** [start, end] of the windows over time of `samples` samples: whole ones, after every hop; the last ends with them. */
export function runningWindows(samples, window, hop) {
  const last = Math.max(samples - window, 0);
  const spans = [];
  for (let start = 0; start < last; start += hop) spans.push([start, start + window]);
  spans.push([last, Math.min(last + window, samples)]);
  return spans;
}
