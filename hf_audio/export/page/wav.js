/**
 * WAV files, read sample by sample: a browser's own decoder would resample them by a filter of its own, and the scores
 * would not be those of the Python side.
 */

const PCM = 1;
const FLOAT = 3;
const EXTENSIBLE = 0xfffe;
// Sizes that programs write that do not know it: 0, and those so little below and above 2**31 and 2**32.
const PLACEHOLDER_BELOW = 2 ** 24;
const PLACEHOLDER_ABOVE = 2 ** 16;
const MUCH = 2 ** 16; // so many bytes behind the samples that are no chunk are sound, of a recorder that died later
const LITTLE = 64; // so many bytes may be missing without a word
const HEAD_BYTES = 8; // programs count the header among the samples, with its first eight bytes or without them
const LAST_CHUNKS = ["LIST", "id3 ", "ID3 ", "bext", "iXML", "cue ", "fact"];
const MAX_CHUNKS = 1000; // more are hostile
const MAX_PARTS = 1000;
const RATES = [100, 10_000_000]; // Hz; beyond, a header is broken

/** A recording that cannot be used; the message is one sentence with its name and the remedy. */
export class AudioError extends Error {}

/**
 * The samples of a WAV file: {channels: [(samples,), ...], rate, isFloat}, as they are; null for whatever is no WAV of
 * plain samples. Of files joined end to end, all are read. How far samples reach is found as `audio/chunks.py` does.
 *
 * Throws an AudioError where the file is cut off, or its rate is none.
 */
export function parseWav(buffer, name) {
  const view = new DataView(buffer);
  const parts = [];
  let begin = 0;
  while (begin < view.byteLength && parts.length < MAX_PARTS) {
    if (!beginsWav(view, begin)) {
      if (parts.length === 0) return null;
      break;
    }
    const part = parsePart(view, begin, name);
    if (part === null) return null;
    parts.push(part);
    begin = part.stop;
  }
  const [{ channels, rate, isFloat }] = parts;
  if (parts.length === 1) return { channels, rate, isFloat };
  if (parts.some((part) => part.rate !== rate || part.channels.length !== channels.length)) {
    throw new AudioError(`${name} is joined of recordings of several rates or channels: split it.`);
  }
  return { channels: channels.map((_, i) => concatenate(parts.map((part) => part.channels[i]))), rate, isFloat };
}

function parsePart(view, begin, name) {
  const promisedEnd = begin + 8 + view.getUint32(begin + 4, true);
  let format = null;
  let position = begin + 12;
  for (let n = 0; n < MAX_CHUNKS && position + 8 <= view.byteLength; n++) {
    const kind = text(view, position);
    const size = view.getUint32(position + 4, true);
    position += 8;
    if (kind === "fmt " && size >= 16 && position + size <= view.byteLength) format = readFormat(view, position, size);
    if (kind === "data") {
      if (format === null) return null;
      const isShort = size % 2 === 1 && size % format.frameBytes !== 0 && (size + 1) % format.frameBytes === 0;
      const extent = settle(view, begin, promisedEnd, position, isShort ? size + 1 : size);
      if (extent === null) {
        throw new AudioError(`${name} is cut off, its header promises more samples than it holds: copy it again.`);
      }
      if (format.rate < RATES[0] || format.rate > RATES[1]) {
        throw new AudioError(`${name} has the sampling rate ${format.rate}: record it again.`);
      }
      const channels = readChannels(view, position, position + extent.size, format);
      return channels && { channels, rate: format.rate, isFloat: format.tag === FLOAT, stop: extent.stop };
    }
    position += size + (size % 2);
  }
  return null;
}

/** How many bytes the samples from `start` on have, and where the file or this recording ends; null: it is cut off. */
function settle(view, begin, promisedEnd, start, size) {
  const end = view.byteLength;
  const available = end - start;
  const following = start + size + (size % 2);
  const after = size <= available ? endOfChunks(view, following) : end;
  if (size <= available && (after >= end - 1 || beginsWav(view, after))) {
    return { size, stop: after < end - 1 ? after : end };
  }
  const missing = size - available;
  if (!isPlaceholder(size)) {
    const countsHeader = Math.abs(start - begin - missing) <= HEAD_BYTES;
    if (missing > LITTLE && !countsHeader) return null;
    if (missing <= 0) {
      const left = new Uint8Array(view.buffer, start + size, Math.min(-missing, MUCH));
      const isSound = after <= following && left.some((byte) => byte !== 0);
      if (!isSound || !(promisedEnd >= end - 1 || -missing > MUCH)) return { size, stop: end };
      return { size: available, stop: end };
    }
  }
  return { size: available - chunksAtEnd(view, start), stop: end };
}

function isPlaceholder(size) {
  const near = (limit) => size - limit >= -PLACEHOLDER_BELOW && size - limit <= PLACEHOLDER_ABOVE;
  return size === 0 || near(2 ** 31) || near(2 ** 32);
}

function beginsWav(view, position) {
  return position + 12 <= view.byteLength && text(view, position) === "RIFF" && text(view, position + 8) === "WAVE";
}

function endOfChunks(view, position) {
  for (let n = 0; n < MAX_CHUNKS && position + 8 <= view.byteLength; n++) {
    const size = view.getUint32(position + 4, true);
    if (!/^[ -~]{4}$/.test(text(view, position)) || position + 8 + size > view.byteLength) break;
    if (beginsWav(view, position)) break;
    position += 8 + size + (size % 2);
  }
  return Math.min(position, view.byteLength);
}

/** Bytes of the chunks that end a file whose samples' size is not known, such as titles. */
function chunksAtEnd(view, start) {
  const end = view.byteLength;
  for (let position = Math.max(end - MUCH, start); position + 8 <= end; position++) {
    if (LAST_CHUNKS.includes(text(view, position)) && endOfChunks(view, position) >= end - 1) return end - position;
  }
  return 0;
}

function concatenate(arrays) {
  const whole = new Float32Array(arrays.reduce((size, array) => size + array.length, 0));
  let position = 0;
  for (const array of arrays) {
    whole.set(array, position);
    position += array.length;
  }
  return whole;
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
