/** Scores over time to events, as `hf_audio/inference/events.py` finds them: what sounds from when to when. */

const USUAL = { release: 0.5, min_seconds: 0, gap_seconds: 0.2 }; // of a checkpoint to which no rule was fitted
const USUAL_THRESHOLD = 0.5;
// Labels that mean that none of the others sounds, in small letters and with blanks: they are no events.
const NO_EVENTS = ["none of these", "no speech", "background", "background noise"];
const TINY = 1e-6; // seconds

/** [{onset, offset, label, confidence}, ...] in the order of their onsets, of [(labels,), ...] every so many seconds. */
export function findEvents(rows, seconds, { labels, event_rule: rule }) {
  const settled = rule ?? { ...USUAL, thresholds: labels.map(() => USUAL_THRESHOLD) };
  const events = labels.flatMap((label, place) =>
    isEvent(label) ? eventsOf(Float32Array.from(rows, (row) => row[place]), seconds, label, place, settled) : [],
  );
  return events.sort((a, b) => a.onset - b.onset || a.offset - b.offset || (a.label < b.label ? -1 : 1));
}

/** Of one label. */
function eventsOf(scores, seconds, label, place, rule) {
  const threshold = Math.fround(rule.thresholds[place]);
  const low = Math.fround(rule.thresholds[place] * rule.release);
  const events = [];
  for (let first = 0; first < scores.length; first++) {
    if (scores[first] < low) continue;
    let end = first;
    let confidence = 0;
    for (; end < scores.length && scores[end] >= low; end++) confidence = Math.max(confidence, scores[end]);
    const [onset, offset] = [first * seconds, end * seconds];
    first = end;
    if (confidence < threshold) continue;
    const before = events.at(-1);
    if (before && onset - before.offset <= rule.gap_seconds + TINY) {
      Object.assign(before, { offset, confidence: Math.max(before.confidence, confidence) });
    } else {
      events.push({ onset, offset, label, confidence });
    }
  }
  return events.filter(({ onset, offset }) => offset - onset >= rule.min_seconds - TINY);
}

function isEvent(label) {
  return !NO_EVENTS.includes(label.toLowerCase().replaceAll("_", " ").trim());
}
