/**
 * The thread in which sounds are resampled and scored, so that the page never stands still.
 *
 * It says {ready: facts} once the model is loaded, or {error}. Then it is asked {id, task, samples, rate}: to "judge"
 * a whole recording, or "listen" to the last window of a microphone; and answers with {id} and, one after the other,
 * {waveform, spectrogram}, {progress}, {scores}, {timeline}, {done}, or {error}. A new question ends the work on the
 * one before.
 */

import { Classifier } from "./classifier.js";
import { cut, reduce, round, streamSeconds } from "./facts.js";
import { clip } from "./levels.js";
import { resample } from "./resample.js";
import { melSpectrogram } from "./spectrogram.js";
import { runningWindows } from "./windows.js";

const HOPS_PER_WINDOW = 8;
const MOST_DECISIONS = 100; // over a recording's time

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
      postMessage({ id, scores: await classifier.score(waveform) });
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
  const window = round(streamSeconds(facts) * facts.sampling_rate);
  const hop = Math.max(Math.ceil(window / HOPS_PER_WINDOW), Math.ceil(waveform.length / MOST_DECISIONS));
  // Half a number is another number: over time there is nothing to say of it.
  const spans = facts.num_digits ? [] : runningWindows(waveform.length, window, hop);
  const total = windows.length + spans.length;
  let done = 0;
  const score = async (window) => {
    const scores = await classifier.score(window);
    postMessage({ id, progress: ++done / total });
    await otherMessages();
    return scores;
  };

  const scores = [];
  for (const window of windows) {
    scores.push(await score(window));
    if (id !== latest) return;
  }
  postMessage({ id, scores: reduce(scores) });
  const timeline = [];
  for (const [start, end] of spans) {
    timeline.push({ seconds: end / facts.sampling_rate, scores: await score(waveform.subarray(start, end)) });
    if (id !== latest) return;
  }
  postMessage({ id, timeline });
}

/** Lets a newer question in. */
function otherMessages() {
  return new Promise((resolve) => setTimeout(resolve));
}

function sentence(error) {
  return String(error?.message ?? error).split("\n")[0];
}
