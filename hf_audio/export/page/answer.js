/** What the model says, as elements of the page. */

export const SHOWN = 5; // labels, the others folded away

/** Places of the labels, best first. */
export function rank(scores) {
  return Array.from(scores.keys()).sort((a, b) => scores[b] - scores[a]);
}

/** The digits of a number, [[digit, probability], ...], the text without leading zeros, and how probable all are. */
export function readNumber(scores, digits) {
  const size = scores.length / digits;
  const read = Array.from({ length: digits }, (_, place) => {
    const group = scores.subarray(place * size, (place + 1) * size);
    const [digit] = rank(group);
    return [digit, group[digit]];
  });
  const text = read.map(([digit]) => digit).join("");
  return { read, text: text.replace(/^0+(?=\d)/, ""), score: read.reduce((product, [, score]) => product * score, 1) };
}

/** The best label or the number that was read: {text, score}. */
export function firstAnswer(scores, { labels, num_digits: digits }) {
  if (digits) return readNumber(scores, digits);
  const [best] = rank(scores);
  return { text: shown(labels[best]), score: scores[best] };
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
    number.querySelector("p").textContent = `${percent(score)} that every digit is right`;
    const leading = digits - text.length;
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
    const [name, value, bar] = list.children[i].children;
    name.textContent = label;
    value.textContent = percent(score);
    bar.style.setProperty("--share", score);
  });
}

function percent(score) {
  return `${(100 * score).toFixed(score < 0.0995 || score > 0.9949 ? 1 : 0)} %`;
}
