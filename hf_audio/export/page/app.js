/** The page: takes a sound, has it judged by the worker, and shows what comes back. */

import { SHOWN, firstAnswer, showAnswer, shown, summary } from "./answer.js";
import { decodeAudio } from "./decode.js";
import { EventFinder } from "./events.js";
import { rank, streamSeconds } from "./facts.js";
import { RunningWindows, frameSizes } from "./frames.js";
import { Microphone } from "./microphone.js";
import { GUTTER, drawSpectrogram, drawTimeline, drawWaveform } from "./plots.js";
import { writeWav } from "./wav.js";

const HOP_SECONDS = 0.5; // between two decisions on the microphone
const HEARD = 0.5; // probability from which on something is said to sound
const LIVE_SECONDS = 60; // that the scores of the microphone go back
const LONGEST_RECORDING = 300; // seconds
const MOST_EVENTS = 500; // that are listed

const element = (id) => document.getElementById(id);
const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });

let facts; // of model.json
let question = 0; // number of the last one; answers to those before are late
let current = null; // what is shown: {name, waveform, spectrogram, scores, timeline, live}
let recording = null; // {microphone, blocks, length, asked, busy, timeline}

const loaded = new Promise((resolve, reject) => {
  worker.onmessage = ({ data }) => {
    if (data.ready) resolve(data.ready);
    else if (data.id === undefined) reject(new Error(data.error));
    else if (data.id === question) take(data);
  };
  worker.onerror = () => reject(new Error("This browser is too old for this page: update it."));
});

// --- sounds come in ---

/** Judge the bytes of a recording, once they are there. */
async function judge(name, bytes) {
  const mine = ask();
  stopRecording();
  tell(`Reading ${name} …`);
  try {
    const buffer = await bytes;
    const { samples, rate } = await decodeAudio(buffer, name, facts.sampling_rate);
    if (mine !== question) return;
    current = { name };
    play(new Blob([buffer]));
    tell(`Listening to ${name} …`);
    worker.postMessage({ id: mine, task: "judge", samples, rate });
  } catch (error) {
    if (mine === question) fail(error);
  }
}

function judgeFile(file) {
  if (file) judge(file.name, file.arrayBuffer());
}

/** `?clip=dog.wav` in the address: a recording beside the page, which can be linked to. */
function judgeLinked(clip) {
  const missing = () => {
    throw new Error(`${clip} is not beside this page: check the address.`);
  };
  const fetched = fetch(clip).then((answer) => (answer.ok ? answer.arrayBuffer() : missing()), missing);
  judge(clip.split("/").at(-1), fetched);
}

async function startRecording() {
  const mine = ask();
  const blocks = [];
  const session = { blocks, length: 0, asked: 0, busy: false, timeline: [], events: [] };
  session.finder = new EventFinder(facts);
  session.windows = new RunningWindows(frameSizes(facts), facts);
  try {
    session.microphone = await Microphone.open((block) => {
      blocks.push(block);
      session.length += block.length;
      if (recording === session) listen(session);
    });
  } catch (error) {
    if (mine === question) fail(error);
    return;
  }
  if (mine !== question) {
    session.microphone.close();
    return;
  }
  recording = session;
  current = { name: "Microphone", live: session };
  play(null);
  showRecording();
  tell("Listening to the microphone …");
}

/** Once a window was heard, and after every hop, ask about the last one; a slow machine lets hops go by. */
function listen(session) {
  const { rate } = session.microphone;
  if (session.length >= LONGEST_RECORDING * rate) {
    finishRecording();
    return;
  }
  const window = Math.round(streamSeconds(facts) * rate);
  if (session.busy || session.length < window || session.length - session.asked < HOP_SECONDS * rate) return;
  session.busy = true;
  session.asked = session.length;
  const samples = lastSamples(session.blocks, window);
  worker.postMessage({ id: ask(), task: "listen", samples, rate });
}

/** The recording has ended, and is judged like a file. */
function finishRecording() {
  const { blocks, length, microphone } = recording;
  stopRecording();
  judge("Recording", writeWav(lastSamples(blocks, length), microphone.rate));
}

function stopRecording() {
  recording?.microphone.close();
  recording = null;
  showRecording();
}

function showRecording() {
  element("microphone").textContent = recording ? "Stop recording" : "Use the microphone";
  element("microphone").classList.toggle("active", recording !== null);
}

/** Give the player a recording, or none. */
function play(blob) {
  const player = element("player");
  URL.revokeObjectURL(player.src);
  if (blob) player.src = URL.createObjectURL(blob);
  else player.removeAttribute("src");
}

/** The newest `count` samples, or all, of a list of blocks. */
function lastSamples(blocks, count) {
  let first = blocks.length;
  let length = 0;
  while (first > 0 && length < count) length += blocks[--first].length;
  const samples = new Float32Array(length);
  let position = 0;
  for (const block of blocks.slice(first)) {
    samples.set(block, position);
    position += block.length;
  }
  return samples.subarray(Math.max(0, length - count)).slice();
}

// --- answers come back ---

function ask() {
  question += 1;
  element("progress").hidden = true; // of a question whose answer nobody waits for any more
  return question;
}

function take({ error, waveform, spectrogram, progress, scores, timeline, events, done }) {
  if (error) {
    stopRecording();
    fail(new Error(error));
    return;
  }
  if (waveform) Object.assign(current, { waveform, spectrogram });
  if (progress !== undefined) {
    element("progress").value = progress;
    element("progress").hidden = progress === 1;
  }
  if (timeline && !current.live) {
    Object.assign(current, { timeline, events });
    const frames = timeline.map((moment) => Array.from(moment.scores));
    if (facts.frame_seconds) report({ name: current.name, frames }, "frames");
    report({ name: current.name, events }, "events");
  }
  if (scores) {
    current.scores = scores;
    if (current.live) {
      const { asked, microphone, timeline: past } = current.live;
      const now = asked / microphone.rate;
      // Frames are told again with every window: each is taken once, from the first window that knows it.
      const moments = timeline?.map((moment) => ({ ...moment, seconds: now + moment.seconds }));
      const known = past.at(-1)?.seconds ?? 0;
      const newer = moments?.filter(({ seconds }) => seconds > known + facts.frame_seconds / 2);
      past.push(...(newer ?? [{ seconds: now, scores }]));
      if (!facts.num_digits) findLive(current.live, now, scores, newer);
    }
    // While the microphone is on, a screen reader hears of it when the answer changes, not with every hop.
    const words = current.live ? firstAnswer(scores, facts).text : summary(scores, facts);
    if (words !== element("status").textContent) tell(words);
    report({ name: current.name, scores: Array.from(scores) });
  }
  if (done && current.live) current.live.busy = false;
  if (scores || timeline) show();
}

/** Of what the microphone has heard up to now, the events that have ended since the last answer. */
function findLive(session, now, scores, moments) {
  const seconds = facts.frame_seconds ?? session.windows.seconds;
  const { start, rows } = moments
    ? { start: (moments[0]?.seconds ?? now) - seconds, rows: moments.map((moment) => moment.scores) }
    : session.windows.add(now - streamSeconds(facts), now, scores);
  const ended = rows.length > 0 ? session.finder.push(start, seconds, rows) : [];
  session.events.push(...ended);
  if (ended.length > 0) report({ name: current.name, events: session.events }, "events");
}

function tell(sentence) {
  element("error").textContent = "";
  element("status").textContent = sentence;
}

function fail(error) {
  element("status").textContent = "";
  element("error").textContent = error.message;
  element("progress").hidden = true;
  report({ error: error.message });
}

/**
 * For whoever drives or embeds the page: an event `answer` with {name, scores}, in the labels' order, or {error}; and
 * `frames`, where the model scores them, with {name, frames}: the scores of each; and `events` with {name, events}:
 * [{onset, offset, label, confidence}, ...] in seconds, while the microphone is on whenever one has ended.
 */
function report(detail, kind = "answer") {
  document.dispatchEvent(new CustomEvent(kind, { detail }));
}

// --- what is seen ---

function show() {
  if (!current?.waveform) return;
  const { name, waveform, spectrogram, scores, live } = current;
  element("result").hidden = false;
  element("name").textContent = name;
  const player = element("player");
  player.hidden = !player.hasAttribute("src") || player.error !== null; // browsers play fewer WAVs than are read here
  const seconds = waveform.length / facts.sampling_rate;
  drawWaveform(element("waveform"), waveform);
  drawSpectrogram(element("spectrogram"), spectrogram, seconds);
  element("heard").textContent = live ? "What the model hears now" : "Waveform and spectrogram";
  if (scores) showAnswer(element("answer"), scores, facts);
  const timeline = live?.timeline ?? current.timeline ?? [];
  element("over-time").hidden = Boolean(facts.num_digits) || timeline.length === 0;
  if (!element("over-time").hidden) showTimeline(timeline, live ? null : seconds);
  const events = live && !facts.num_digits ? live.events : current.events;
  element("events").hidden = !events;
  if (events) showEvents(events.slice(live ? -MOST_EVENTS : 0), events.length);
}

/** What happens when, of `count` events; a click plays it, where there is something to play. */
function showEvents(events, count) {
  const [heading, list] = element("events").children;
  heading.textContent = count === 0 ? "No events" : count === 1 ? "1 event" : `${count} events`;
  list.replaceChildren(
    ...events.slice(0, MOST_EVENTS).map(({ onset, offset, label, confidence }) => {
      const button = Object.assign(document.createElement("button"), { type: "button" });
      button.textContent = `${clock(onset)} to ${clock(offset)}  ${shown(label)} ${Math.round(100 * confidence)} %`;
      button.addEventListener("click", () => {
        const player = element("player");
        if (!player.hasAttribute("src")) return; // the microphone is still on
        player.currentTime = onset;
        player.play();
      });
      const item = document.createElement("li");
      item.append(button);
      return item;
    }),
  );
}

/** Seconds as people read them: 1:02.4. */
function clock(seconds) {
  const tenths = Math.round(10 * seconds);
  const rest = tenths % 600;
  return `${Math.floor(tenths / 600)}:${rest < 100 ? "0" : ""}${(rest / 10).toFixed(1)}`;
}

/** The labels that are best at some moment, or in all. */
function showTimeline(timeline, seconds) {
  const end = seconds ?? timeline.at(-1).seconds;
  const begin = seconds === null ? Math.max(0, end - LIVE_SECONDS) : 0;
  const visible = timeline.filter((moment) => moment.seconds > begin);
  const highest = Float32Array.from(visible[0].scores, (_, label) => Math.max(...visible.map((m) => m.scores[label])));
  const strips = rank(highest)
    .slice(0, SHOWN)
    .map((label) => ({
      label: shown(facts.labels[label]),
      points: visible.map((moment) => [moment.seconds, moment.scores[label]]),
    }));
  const canvas = element("timeline");
  canvas.style.setProperty("--strips", strips.length);
  canvas.setAttribute("aria-label", `Probabilities over time of ${strips.map(({ label }) => label).join(", ")}.`);
  drawTimeline(canvas, strips, begin, end);
}

function showPlayhead() {
  const player = element("player");
  const hidden = !(player.duration > 0) || (player.paused && player.currentTime === 0);
  for (const playhead of document.querySelectorAll(".playhead")) {
    playhead.hidden = hidden;
    playhead.style.setProperty("--share", player.currentTime / player.duration || 0);
  }
  showMoment(hidden ? null : player.currentTime);
  showSounding(hidden ? null : player.currentTime);
  if (!player.paused) requestAnimationFrame(showPlayhead);
}

/** Mark the events that sound at a second of the recording; `null`: nothing is played. */
function showSounding(second) {
  const items = element("events").querySelectorAll("li");
  current?.events?.slice(0, items.length).forEach(({ onset, offset }, i) => {
    items[i].classList.toggle("sounds", second !== null && onset <= second && second < offset);
  });
}

/** What sounds at a second of the recording, where the model scores frames; `null`: nothing is played. */
function showMoment(second) {
  const moments = current?.timeline;
  const moment = facts.frame_seconds && second !== null ? moments?.find(({ seconds }) => seconds > second) : null;
  element("moment").hidden = !facts.frame_seconds || !moments;
  const heard = moment ? rank(moment.scores).filter((label) => moment.scores[label] >= HEARD) : [];
  const words = heard.map((label) => `${shown(facts.labels[label])} ${Math.round(100 * moment.scores[label])} %`);
  element("moment").textContent = moment ? words.join(", ") || "nothing that the model knows" : "";
}

// --- the page begins ---

function listenToVisitor() {
  element("file").addEventListener("change", ({ target }) => {
    judgeFile(target.files[0]);
    target.value = ""; // the same file may be chosen again
  });
  element("microphone").addEventListener("click", () => (recording ? finishRecording() : startRecording()));
  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      event.preventDefault(); // or the browser would leave the page for the file
      element("drop").classList.toggle("over", kind === "dragover");
      if (kind === "drop") judgeFile(event.dataTransfer.files[0]);
    });
  }
  for (const kind of ["play", "pause", "seeked", "emptied"]) element("player").addEventListener(kind, showPlayhead);
  element("player").addEventListener("error", show);
  document.documentElement.style.setProperty("--gutter", `${GUTTER}px`);
  new ResizeObserver(show).observe(element("result"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
}

async function begin() {
  tell("Loading the model …");
  try {
    facts = await loaded;
  } catch (error) {
    fail(error);
    return;
  }
  document.title = element("title").textContent = facts.title;
  element("hears").textContent = facts.num_digits
    ? `Reads spoken numbers of up to ${facts.num_digits} digits`
    : `Tells ${facts.labels.length} sounds apart`;
  element("known").hidden = Boolean(facts.num_digits);
  element("known").querySelector("p").textContent = facts.labels.map(shown).join(", ");
  element("window").textContent = facts.frame_seconds
    ? "What sounds when"
    : `Scores over time: at each moment, of the last ${streamSeconds(facts)} s`;
  for (const control of document.querySelectorAll("#file, #microphone")) control.disabled = false;
  tell("Ready, for WAV, FLAC, MP3, Ogg and whatever else your browser plays.");
  listenToVisitor();
  const clip = new URLSearchParams(location.search).get("clip");
  if (clip) judgeLinked(clip);
}

begin();
