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
