/**
 * The thread in which sounds are resampled and scored, so that the page never stands still.
 *
 * It says {ready: facts} once the model is loaded, or {error}. Then it is asked {id, task, samples, rate}: to "judge"
 * a whole recording, or "listen" to the last window of a microphone; and answers with {id} and, one after the other,
 * {waveform, spectrogram}, {progress}, {scores}, {timeline, events}, {done}, or {error}. A new question ends the work
 * on the one before. Of a model that scores frames, the timeline is theirs, [{seconds, scores}, ...] by each one's end;
 * and what was listened to has one, too, without its margins.
 */

import { Classifier } from "./classifier.js";
import { findEvents } from "./events.js";
import { cut, reduce } from "./facts.js";
import { frameSizes, frameSpans, joinFrames, joinWindows } from "./frames.js";
import { clip } from "./levels.js";
import { resample } from "./resample.js";
import { melSpectrogram } from "./spectrogram.js";

let latest = null; // id of the last question

const loading = Classifier.load();
loading.then(
  ({ facts }) => postMessage({ ready: facts }),
  (error) => postMessage({ error: sentence(error) }),
);

onmessage = async ({ data: { id, task, samples, rate } }) => {
  latest = id;
  try {
    const classifier = await loading;
    const waveform = clip(resample(samples, rate, classifier.facts.sampling_rate));
    if (waveform.length === 0) {
      throw new Error("The recording is shorter than one sample of the model: record it again.");
    }
    postMessage({ id, waveform, spectrogram: melSpectrogram(waveform, classifier.facts.sampling_rate) });
    if (task === "listen") {
      const scores = await classifier.score(waveform);
      const timeline = classifier.facts.frame_seconds ? await newestFrames(classifier, waveform) : undefined;
      postMessage({ id, scores, timeline });
    } else {
      await judge(id, classifier, waveform);
    }
    postMessage({ id, done: true });
  } catch (error) {
    postMessage({ id, error: sentence(error) });
  }
};

async function judge(id, classifier, waveform) {
  const { facts } = classifier;
  const windows = cut(waveform, facts);
  const hasFrames = Boolean(facts.frame_seconds);
  const sizes = frameSizes(facts);
  // Half a number is another number: over time there is nothing to say of it.
  const spans = facts.num_digits ? [] : frameSpans(waveform.length, sizes);
  const total = windows.length + spans.length;
  let done = 0;
  const told = async (scores) => {
    postMessage({ id, progress: ++done / total });
    await otherMessages();
    return scores;
  };

  const scores = [];
  for (const window of windows) {
    scores.push(await told(await classifier.score(window)));
    if (id !== latest) return;
  }
  postMessage({ id, scores: reduce(scores) });
  const over = [];
  for (const [start, end] of spans) {
    const part = waveform.subarray(start, end);
    over.push(await told(await (hasFrames ? classifier.frames(part) : classifier.score(part))));
    if (id !== latest) return;
  }
  if (spans.length === 0) return;
  const rows = (hasFrames ? joinFrames : joinWindows)(spans, over, sizes);
  const rate = facts.sampling_rate;
  const timeline = hasFrames
    ? atTheirEnds(rows, 0, facts)
    : over.map((scores, i) => ({ seconds: spans[i][1] / rate, scores }));
  const end = waveform.length / rate; // which the last moment may lie over
  const events = findEvents(rows, sizes.frame / rate, facts).map((event) => ({
    ...event,
    offset: Math.min(event.offset, end),
  }));
  postMessage({ id, timeline, events });
}

/** Frames' scores, [(labels,), ...], of which the first begins at a second -> [{seconds, scores}, ...]. */
function atTheirEnds(frames, begin, { frame_seconds: step }) {
  return frames.map((scores, i) => ({ seconds: begin + (i + 1) * step, scores }));
}

/** Of the last window that a microphone heard, the frames but for those at its edges; seconds before its end. */
async function newestFrames(classifier, waveform) {
  const { facts } = classifier;
  const { frame, margin } = frameSizes(facts);
  const frames = (await classifier.frames(waveform)).slice(margin / frame, -Math.max(margin / frame, 1));
  return atTheirEnds(frames, (margin - waveform.length) / facts.sampling_rate, facts);
}

/** Lets a newer question in. */
function otherMessages() {
  return new Promise((resolve) => setTimeout(resolve));
}

function sentence(error) {
  return String(error?.message ?? error).split("\n")[0];
}
