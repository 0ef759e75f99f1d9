"""A page on which a person listens to suggested windows, says what sounds in them, and saves the annotations."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...data.tables.text_tables import write_rows
from .listening_page import STYLE, escape_html, player, read_excerpt, write_page
from .suggest import Suggestion, Suggestions, table_rows

TABLE_NAME = "annotations.csv"  # that the page saves
NOTHING = "background"  # what is written of a window in which nothing of interest sounds

OWN_STYLE = """
section { border: 1px solid #8888; border-radius: .5rem; padding: .6rem 1rem; margin: .8rem 0; }
section.current { outline: 3px solid #38f; }
section.done { opacity: .75; }
section p { margin: .2rem 0; overflow-wrap: anywhere; }
button { font: inherit; margin: .15rem; padding: .1rem .6rem; }
button[aria-pressed="true"] { background: #38f; color: #fff; }
input[type="number"] { font: inherit; width: 6rem; }
kbd { border: 1px solid #8888; border-radius: .2rem; padding: 0 .3rem; }
#bar { position: sticky; top: 0; background: Canvas; padding: .5rem 0; border-bottom: 1px solid #8888; z-index: 1; }
:root { color-scheme: light dark; }
"""

SCRIPT = r"""
"use strict";
const page = JSON.parse(document.getElementById("page").textContent);
const cards = [...document.querySelectorAll("section")];
const storage = `hf-audio-suggest-${page.id}`;
let labels = [...page.labels];
let state = page.windows.map(() => ({ events: [], done: false }));
let current = 0;

// What was clicked outlives the page, where the browser keeps something of files.
try {
  const kept = JSON.parse(localStorage.getItem(storage));
  if (kept && kept.state.length === state.length) ({ state, labels } = kept);
} catch { /* nothing is kept */ }

function keep() {
  try { localStorage.setItem(storage, JSON.stringify({ state, labels })); } catch { /* nothing is kept */ }
}

function field(index, name) { return cards[index].querySelector(`[name="${name}"]`); }

function span(index) {
  const { start, end } = page.windows[index];
  const read = (name, other) => {
    const value = parseFloat(field(index, name).value);
    return Number.isFinite(value) ? Math.min(Math.max(value, 0), end - start) : other;
  };
  const [from, to] = [read("from", 0), read("to", end - start)];
  return from < to ? [start + from, start + to] : [start, end];
}

function toggle(index, label) {
  const card = state[index];
  const known = card.events.filter((event) => event.label === label);
  if (label === page.nothing) {
    card.events = known.length ? [] : [{ label, onset: page.windows[index].start, offset: page.windows[index].end }];
  } else if (known.length) {
    card.events = card.events.filter((event) => event.label !== label);
  } else {
    const [onset, offset] = span(index);
    card.events = card.events.filter((event) => event.label !== page.nothing);
    card.events.push({ label, onset, offset });
  }
  card.done = card.events.length > 0;
  keep();
  draw(index);
}

function draw(index) {
  const card = cards[index];
  const buttons = card.querySelector(".labels");
  buttons.replaceChildren();
  [...labels, page.nothing].forEach((label, place) => {
    const button = document.createElement("button");
    const key = label === page.nothing ? "n" : place < 9 ? String(place + 1) : place === 9 ? "0" : "";
    button.textContent = (key ? `${key} ` : "") + (label === page.nothing ? "nothing of these" : label);
    button.setAttribute("aria-pressed", state[index].events.some((event) => event.label === label));
    button.addEventListener("click", () => { select(index); toggle(index, label); });
    buttons.append(button);
  });
  card.querySelector(".said").textContent = state[index].events
    .map((event) => `${event.label} ${event.onset.toFixed(2)}\u2013${event.offset.toFixed(2)} s`).join(", ");
  card.classList.toggle("done", state[index].done);
  card.classList.toggle("current", index === current);
  const done = state.filter((each) => each.done).length;
  document.getElementById("count").textContent = `${done} of ${state.length} are labelled`;
}

function select(index) {
  const before = current;
  current = Math.min(Math.max(index, 0), cards.length - 1);
  if (before !== current) cards[before].querySelector("audio").pause();
  draw(before);
  draw(current);
}

function go(index, play) {
  select(index);
  cards[current].scrollIntoView({ block: "nearest" });
  if (play) {
    const audio = cards[current].querySelector("audio");
    audio.currentTime = 0;
    audio.play().catch(() => {});
  }
}

// As hf_audio writes tables: a spreadsheet takes no label for a formula.
function cell(text) {
  const safe = /^[=+\-@\t\r\n]/.test(text) && !/^[+-]?[\d.]+$/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function table() {
  const rows = ["path,onset,offset,label"];
  state.forEach((card, index) => {
    for (const event of card.events) {
      rows.push([page.windows[index].path, event.onset.toFixed(3), event.offset.toFixed(3), event.label]
        .map(cell).join(","));
    }
  });
  return rows.join("\n") + "\n";
}

function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([table()], { type: "text/csv" }));
  link.download = page.table;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function add(name) {
  const label = name.trim();
  if (label && label !== page.nothing && !labels.includes(label)) {
    labels.push(label);
    keep();
    cards.forEach((_, index) => draw(index));
  }
}

document.getElementById("save").addEventListener("click", save);
document.getElementById("add").addEventListener("submit", (event) => {
  event.preventDefault();
  add(event.target.elements.label.value);
  event.target.reset();
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input")) return;
  const audio = cards[current].querySelector("audio");
  const keys = {
    ArrowDown: () => go(current + 1, true),
    Enter: () => go(current + 1, true),
    ArrowUp: () => go(current - 1, true),
    " ": () => (audio.paused ? audio.play().catch(() => {}) : audio.pause()),
    n: () => toggle(current, page.nothing),
    s: save,
    "[": () => { field(current, "from").value = audio.currentTime.toFixed(2); },
    "]": () => { field(current, "to").value = audio.currentTime.toFixed(2); },
  };
  const place = "1234567890".indexOf(event.key);
  const act = place >= 0 && place < labels.length ? () => toggle(current, labels[place]) : keys[event.key];
  if (act) {
    event.preventDefault();
    act();
  }
});
cards.forEach((card, index) => {
  card.querySelector("audio").addEventListener("play", () => select(index));
  draw(index);
});
"""


def write_suggestions(suggestions: Suggestions, output: Path) -> None:
    """A table, or a page in one file or in a folder, on which the windows are labelled.

    Raises:
        AudioError: a recording cannot be read any more.
        DataError: it cannot be written, or holds something else.
    """
    if output.suffix.lower() == ".csv":
        write_rows(output, table_rows(suggestions))
        return
    rate = suggestions.sampling_rate
    sounds = (read_excerpt(each.path, each.start, each.end, rate) for each in suggestions.chosen)
    write_page(output, sounds, lambda sources: _write_page(suggestions, sources))


def _write_page(suggestions: Suggestions, sources: Iterator[str]) -> Iterator[str]:
    """The page, piece by piece; sources: addresses of the sounds."""
    yield '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
    yield '<meta name="viewport" content="width=device-width">\n<title>What to label next</title>\n'
    yield f"<style>{STYLE}{OWN_STYLE}</style>\n<h1>What to label next</h1>\n"
    yield f"<p>{len(suggestions.chosen)} of {suggestions.n_windows} windows, those first that would teach the network "
    yield "most. Listen, and say what sounds: click, or press <kbd>1</kbd> to <kbd>9</kbd> and <kbd>0</kbd> for a "
    yield "label, <kbd>n</kbd> for nothing of these, <kbd>space</kbd> to play, <kbd>↓</kbd> or <kbd>Enter</kbd> for "
    yield "the next window and <kbd>↑</kbd> for the one before. An annotation lasts from <i>from</i> to <i>to</i>, in "
    yield "seconds of the window: <kbd>[</kbd> and <kbd>]</kbd> set these to where the sound is playing.</p>\n"
    yield '<div id="bar"><button id="save">Save the annotations (s)</button> <span id="count"></span>\n'
    yield '<form id="add" style="display:inline"><input name="label" placeholder="a further label"> '
    yield "<button>Add</button></form></div>\n"
    for suggestion, source in zip(suggestions.chosen, sources, strict=True):
        yield _card(suggestion, source)
    yield f"<p>The table, {TABLE_NAME}, is one that <code>hf-audio train own_sounds --data_dir {TABLE_NAME} "
    yield "--unannotated ignore</code> reads, and <code>hf-audio suggest ... --labelled</code>. Windows without a "
    yield f"label are not in it; of those with nothing of these, the label is {NOTHING}.</p>\n"
    yield f'<script type="application/json" id="page">{_describe(suggestions)}</script>\n'
    yield f"<script>{SCRIPT}</script>\n</html>\n"


def _card(suggestion: Suggestion, source: str) -> str:
    seconds = suggestion.end - suggestion.start
    number = f'type="number" min="0" max="{seconds:.2f}" step="0.01"'
    return (
        f"<section>\n<p>{suggestion.rank}. {escape_html(suggestion.path)}, {suggestion.start:.2f} to "
        f'{suggestion.end:.2f} s</p>\n<p>{player(source)} from <input name="from" {number} value="0.00"> to '
        f'<input name="to" {number} value="{seconds:.2f}"> s</p>\n<p>The network: {escape_html(suggestion.guess)}, '
        f'{suggestion.confidence:.2f}</p>\n<p class="labels"></p>\n<p class="said"></p>\n</section>\n'
    )


def _describe(suggestions: Suggestions) -> str:
    """What the script knows, as JSON in which nothing ends the element that it is in."""
    windows: list[dict[str, Any]] = [
        {"path": os.path.abspath(each.path), "start": round(each.start, 3), "end": round(each.end, 3)}
        for each in suggestions.chosen
    ]
    facts = {"labels": suggestions.labels, "nothing": NOTHING, "table": TABLE_NAME, "windows": windows}
    text = json.dumps(facts)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return json.dumps({"id": digest, **facts}).replace("<", "\\u003c")
