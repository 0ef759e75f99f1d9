/** Any recording that the browser can read, to mono samples at the rate it was recorded at. */

import { mixToMono, toFullScale } from "./levels.js";
import { AudioError, parseWav } from "./wav.js";

const MP3_RATES = [44100, 48000, 32000]; // of MPEG 1; half and a quarter of them in MPEG 2 and 2.5

/**
 * The bytes of a file -> {samples: (samples,), rate}. WAV is read here; what is compressed, the browser decodes.
 *
 * `modelRate` is the rate for a format that does not tell its own. Throws an AudioError for a recording that is empty,
 * cut off, broken or of an unknown format.
 */
export async function decodeAudio(buffer, name, modelRate) {
  if (buffer.byteLength === 0) throw new AudioError(`${name} is empty (0 bytes): record or download it again.`);
  const { channels, rate, isFloat } = parseWav(buffer, name) ?? (await decodeByBrowser(buffer, name, modelRate));
  if (channels[0].length === 0) throw new AudioError(`${name} contains no samples: record it again.`);
  return { samples: mixToMono(toFullScale(channels, isFloat, name)), rate };
}

async function decodeByBrowser(buffer, name, modelRate) {
  try {
    const context = openContext(recordedRate(new Uint8Array(buffer)) ?? modelRate);
    const decoded = await context.decodeAudioData(buffer.slice(0)); // which takes its argument away
    const channels = Array.from({ length: decoded.numberOfChannels }, (_, i) => decoded.getChannelData(i));
    return { channels, rate: decoded.sampleRate, isFloat: false };
  } catch {
    throw new AudioError(`${name} is no audio that this browser can decode: convert it to WAV.`);
  }
}

/** The browser resamples to the rate of the context: it has nothing to do where that is the recording's own. */
function openContext(rate) {
  try {
    return new OfflineAudioContext(1, 1, rate);
  } catch {
    return new OfflineAudioContext(1, 1, 48000); // every browser has this one
  }
}

/** The rate that the header of a FLAC, Ogg or MP3 file tells, in Hz; null for others. */
export function recordedRate(bytes) {
  const letters = (position, length) => String.fromCharCode(...bytes.subarray(position, position + length));
  if (letters(0, 4) === "fLaC") return (bytes[18] << 12) | (bytes[19] << 4) | (bytes[20] >> 4) || null;
  if (letters(0, 4) === "OggS") {
    const packet = 27 + bytes[26];
    if (letters(packet, 8) === "OpusHead") return 48000;
    if (letters(packet + 1, 6) !== "vorbis") return null;
    return new DataView(bytes.buffer, bytes.byteOffset).getUint32(packet + 12, true) || null;
  }
  let frame = 0;
  if (letters(0, 3) === "ID3") {
    frame = 10 + ((bytes[6] << 21) | (bytes[7] << 14) | (bytes[8] << 7) | bytes[9]);
  }
  if (bytes[frame] !== 0xff || (bytes[frame + 1] & 0xe6) !== 0xe2) return null; // no frame of layer III
  const version = (bytes[frame + 1] >> 3) & 3;
  const rate = MP3_RATES[(bytes[frame + 2] >> 2) & 3];
  return rate ? rate / { 3: 1, 2: 2, 0: 4 }[version] || null : null;
}
