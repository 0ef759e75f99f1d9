/** What the model says, as elements of the page. */

import { name, rank, readNumber } from "./facts.js";

export const SHOWN = 5; // labels, the others folded away

/** The best label, as people write it, or the number that was read: {text, score}. */
export function firstAnswer(scores, facts) {
  const { text, score } = name(scores, facts);
  return { text: shown(text), score };
}

/** The answer in a few words, as it is spoken: "dog, 98 %". */
export function summary(scores, facts) {
  const { text, score } = firstAnswer(scores, facts);
  return `${text}, ${percent(score)}`;
}

/** Fill the page's answer, of classes or of a number. */
export function showAnswer(section, scores, { labels, num_digits: digits }) {
  const number = section.querySelector("#number");
  number.hidden = !digits;
  if (digits) {
    const { read, text, score } = readNumber(scores, digits);
    number.querySelector("output").textContent = text;
    const told = read.length > 0 ? "that every digit is right" : "that no number was said";
    number.querySelector("p").textContent = `${percent(score)} ${told}`;
    const leading = read.length > 0 ? digits - text.length : 0;
    fillBars(
      section.querySelector("#best"),
      read.slice(leading).map(([digit, certainty]) => [String(digit), certainty]),
    );
  } else {
    const bars = rank(scores).map((place) => [shown(labels[place]), scores[place]]);
    fillBars(section.querySelector("#best"), bars.slice(0, SHOWN));
    fillBars(section.querySelector("#others ol"), bars.slice(SHOWN));
    section.querySelector("#others summary").textContent = `${bars.length - SHOWN} others`;
  }
  section.querySelector("#others").hidden = Boolean(digits) || labels.length <= SHOWN;
}

/** A label as people write it. */
export function shown(label) {
  return label.replaceAll("_", " ");
}

/** Bars are changed in place, so that they move instead of blinking. */
function fillBars(list, bars) {
  while (list.children.length > bars.length) list.lastElementChild.remove();
  while (list.children.length < bars.length) {
    const item = document.createElement("li");
    for (const part of ["label", "value", "bar"]) {
      item.append(Object.assign(document.createElement("span"), { className: part }));
    }
    list.append(item);
  }
  bars.forEach(([label, score], i) => {
    const [text, value, bar] = list.children[i].children;
    text.textContent = label;
    value.textContent = percent(score);
    bar.style.setProperty("--share", score);
  });
}

function percent(score) {
  return `${(100 * score).toFixed(score < 0.0995 || score > 0.9949 ? 1 : 0)} %`;
}
