/** Scores over time to events, as `hf_audio/inference/events.py` finds them: what sounds from when to when. */

const USUAL = { release: 0.5, min_seconds: 0, gap_seconds: 0.2 }; // of a checkpoint to which no rule was fitted
const USUAL_THRESHOLD = 0.5;
// Labels that mean that none of the others sounds, in small letters and with blanks: they are no events.
const NO_EVENTS = ["none of these", "no speech", "background", "background noise"];
const ONE_CLASS = ["normal", "anomaly"]; // of a checkpoint that has heard normal recordings alone
const TINY = 1e-6; // seconds

/** [{onset, offset, label, confidence}, ...] in the order of their onsets, of [(labels,), ...] every so many seconds. */
export function findEvents(rows, seconds, facts) {
  const finder = new EventFinder(facts);
  return [...finder.push(0, seconds, rows), ...finder.flush()].sort(inOrder);
}

/** Scores of moments in, in parts of any length, and each event once it has ended, however they were cut. */
export class EventFinder {
  /** `facts` are those of model.json. */
  constructor({ labels, event_rule: rule }) {
    const { thresholds, ...others } = rule ?? { ...USUAL, thresholds: labels.map(() => USUAL_THRESHOLD) };
    this.rule = others;
    this.lines = labels.flatMap((label, place) => {
      const [threshold, low] = [thresholds[place], thresholds[place] * others.release].map(Math.fround);
      return isEvent(label, labels) ? [{ label, place, threshold, low, run: null, pending: null }] : [];
    });
    this.now = 0; // up to which scores have come
  }

  /** [(labels,), ...] from `start` on, in seconds, every so many seconds -> the events that have ended. */
  push(start, seconds, rows) {
    const events = [];
    const goesOn = start <= this.now + seconds / 2; // where time is left out, no event does
    if (rows.length > 0) this.now = start + rows.length * seconds;
    for (const line of this.lines) {
      if (!goesOn) this.#end(line, events);
      rows.forEach((row, k) => {
        const score = Math.fround(row[line.place]);
        if (score < line.low) {
          this.#end(line, events);
          return;
        }
        line.run ??= { onset: start + k * seconds, confidence: 0 };
        line.run.offset = start + (k + 1) * seconds;
        line.run.confidence = Math.max(line.run.confidence, score);
      });
      const following = line.run?.onset ?? this.now;
      if (line.pending && following - line.pending.offset > this.rule.gap_seconds + TINY) this.#tell(line, events);
    }
    return events.sort(inOrder);
  }

  /** No more scores come: the events that the end ends. */
  flush() {
    const events = [];
    for (const line of this.lines) {
      this.#end(line, events);
      if (line.pending) this.#tell(line, events);
    }
    return events.sort(inOrder);
  }

  /** What has sounded is an event, goes on with the one before, or has never reached the threshold. */
  #end(line, events) {
    const { run, pending: before } = line;
    line.run = null;
    if (!run || run.confidence < line.threshold) return;
    if (before && run.onset - before.offset <= this.rule.gap_seconds + TINY) {
      const confidence = Math.max(before.confidence, run.confidence);
      line.pending = { onset: before.onset, offset: run.offset, confidence };
      return;
    }
    if (before) this.#tell(line, events);
    line.pending = run;
  }

  #tell(line, events) {
    const { onset, offset, confidence } = line.pending;
    line.pending = null;
    if (offset - onset >= this.rule.min_seconds - TINY) events.push({ onset, offset, label: line.label, confidence });
  }
}

function inOrder(a, b) {
  return a.onset - b.onset || a.offset - b.offset || (a.label < b.label ? -1 : 1);
}

function isEvent(label, labels) {
  if (labels.join() === ONE_CLASS.join()) return label !== ONE_CLASS[0];
  return !NO_EVENTS.includes(label.toLowerCase().replaceAll("_", " ").trim());
}
