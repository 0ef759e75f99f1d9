/**
 * WAV files, read sample by sample: a browser's own decoder would resample them by a filter of its own, and the scores
 * would not be those of the Python side.
 */

const PCM = 1;
const FLOAT = 3;
const EXTENSIBLE = 0xfffe;
// Programs that stream cannot know the size of what they will write: they put zero or something huge into the header.
const LARGEST_KNOWN_SIZE = 0x7fff0000 - 1;
const RATES = [100, 10_000_000]; // Hz; beyond, a header is broken

/** A recording that cannot be used; the message is one sentence with its name and the remedy. */
export class AudioError extends Error {}

/**
 * The samples of a WAV file: {channels: [(samples,), ...], rate}, full scale being 1; null for whatever is no WAV of
 * plain samples.
 *
 * Throws an AudioError where the file is cut off, or its rate is none.
 */
export function parseWav(buffer, name) {
  const view = new DataView(buffer);
  if (buffer.byteLength < 12 || text(view, 0) !== "RIFF" || text(view, 8) !== "WAVE") return null;
  let format = null;
  let position = 12;
  while (position + 8 <= view.byteLength) {
    const kind = text(view, position);
    const size = view.getUint32(position + 4, true);
    position += 8;
    if (kind === "fmt " && size >= 16 && position + size <= view.byteLength) format = readFormat(view, position, size);
    if (kind === "data") {
      if (format === null) return null;
      const known = size > 0 && size <= LARGEST_KNOWN_SIZE;
      if (known && position + size > view.byteLength) {
        throw new AudioError(`${name} is cut off, its header promises more samples than it holds: copy it again.`);
      }
      if (format.rate < RATES[0] || format.rate > RATES[1]) {
        throw new AudioError(`${name} has the sampling rate ${format.rate}: record it again.`);
      }
      const end = known ? position + size : view.byteLength;
      const channels = readChannels(view, position, end, format);
      return channels && { channels, rate: format.rate };
    }
    position += size + (size % 2);
  }
  return null;
}

/** The mean of channels: (samples,). */
export function mixToMono(channels) {
  if (channels.length === 1) return channels[0];
  const mono = new Float32Array(channels[0].length);
  for (const channel of channels) for (let i = 0; i < mono.length; i++) mono[i] += channel[i];
  for (let i = 0; i < mono.length; i++) mono[i] /= channels.length;
  return mono;
}

/** A waveform, (samples,), as the bytes of a WAV file of 32-bit floats. */
export function writeWav(waveform, rate) {
  const view = new DataView(new ArrayBuffer(44 + 4 * waveform.length));
  const numbers = [16, (1 << 16) | FLOAT, rate, 4 * rate, (32 << 16) | 4];
  write(view, 0, "RIFF");
  view.setUint32(4, view.byteLength - 8, true);
  write(view, 8, "WAVEfmt ");
  numbers.forEach((number, i) => view.setUint32(16 + 4 * i, number, true));
  write(view, 36, "data");
  view.setUint32(40, 4 * waveform.length, true);
  waveform.forEach((sample, i) => view.setFloat32(44 + 4 * i, sample, true));
  return view.buffer;
}

function readFormat(view, position, size) {
  const tag = view.getUint16(position, true);
  return {
    tag: tag === EXTENSIBLE && size >= 26 ? view.getUint16(position + 24, true) : tag,
    channels: view.getUint16(position + 2, true),
    rate: view.getUint32(position + 4, true),
    frameBytes: view.getUint16(position + 12, true),
    bits: view.getUint16(position + 14, true),
  };
}

function readChannels(view, begin, end, { tag, channels, frameBytes, bits }) {
  const read = sampleReader(view, tag, bits);
  if (read === null || channels === 0 || frameBytes !== (channels * bits) / 8) return null;
  const frames = Math.floor((end - begin) / frameBytes);
  return Array.from({ length: channels }, (_, channel) => {
    const samples = new Float32Array(frames);
    let position = begin + (channel * bits) / 8;
    for (let i = 0; i < frames; i++, position += frameBytes) samples[i] = read(position);
    return samples;
  });
}

function sampleReader(view, tag, bits) {
  const readers = {
    [`${PCM} 8`]: (position) => (view.getUint8(position) - 128) / 2 ** 7,
    [`${PCM} 16`]: (position) => view.getInt16(position, true) / 2 ** 15,
    [`${PCM} 24`]: (position) => (view.getInt8(position + 2) * 2 ** 16 + view.getUint16(position, true)) / 2 ** 23,
    [`${PCM} 32`]: (position) => view.getInt32(position, true) / 2 ** 31,
    [`${FLOAT} 32`]: (position) => view.getFloat32(position, true),
    [`${FLOAT} 64`]: (position) => view.getFloat64(position, true),
  };
  return readers[`${tag} ${bits}`] ?? null;
}

function text(view, position) {
  return String.fromCharCode(...new Uint8Array(view.buffer, view.byteOffset + position, 4));
}

function write(view, position, letters) {
  [...letters].forEach((letter, i) => view.setUint8(position + i, letter.charCodeAt(0)));
}
