/**
 * The thread in which sounds are resampled and judged, so that the page never stands still.
 *
 * It says {ready: facts} once the model is loaded, or {error}. Then it is asked {id, task, samples, rate}: to "judge"
 * a whole recording, or "listen" to the last window of a microphone; and answers with {id} and, one after the other,
 * {heard, spectrogram}, {progress}, {scores}, {timeline}, {done}, or {error}. A new question ends the work on the one
 * before.
 */

import { Classifier, meanScores } from "./classifier.js";
import { resample } from "./resample.js";
import { melSpectrogram } from "./spectrogram.js";
import { runningWindows, windowSeconds } from "./windows.js";

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
    const heard = resample(samples, rate, classifier.facts.sampling_rate);
    if (heard.length === 0) throw new Error("The recording is shorter than one sample of the model: record it again.");
    postMessage({ id, heard, spectrogram: melSpectrogram(heard, classifier.facts.sampling_rate) });
    if (task === "listen") {
      postMessage({ id, scores: await classifier.score(heard) });
    } else {
      await judge(id, classifier, heard);
    }
    postMessage({ id, done: true });
  } catch (error) {
    postMessage({ id, error: sentence(error) });
  }
};

async function judge(id, classifier, heard) {
  const { facts } = classifier;
  const windows = classifier.split(heard);
  const window = Math.round(windowSeconds(facts) * facts.sampling_rate);
  const hop = Math.max(Math.ceil(window / HOPS_PER_WINDOW), Math.ceil(heard.length / MOST_DECISIONS));
  // Half a number is another number: over time there is nothing to say of it.
  const spans = facts.num_digits ? [] : runningWindows(heard.length, window, hop);
  const total = windows.length + spans.length;
  let judged = 0;
  const score = async (window) => {
    const scores = await classifier.score(window);
    postMessage({ id, progress: ++judged / total });
    await otherMessages();
    return scores;
  };

  const scores = [];
  for (const window of windows) {
    scores.push(await score(window));
    if (id !== latest) return;
  }
  postMessage({ id, scores: meanScores(scores) });
  const timeline = [];
  for (const [start, end] of spans) {
    timeline.push({ seconds: end / facts.sampling_rate, scores: await score(heard.subarray(start, end)) });
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
