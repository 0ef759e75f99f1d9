/** Pictures of a sound on canvases, in the colours of the style sheet; times run from left to right. */

import { melPlace } from "./spectrogram.js";

export const GUTTER = 48; // left of every picture, for its labels, in CSS pixels
const AXIS = 20; // below those that have a time axis
const TICKS_HERTZ = [200, 500, 1000, 2000, 4000, 8000, 16000];
const SECONDS_BETWEEN_TICKS = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600];

/** Least and greatest sample behind every pixel, the loudest one filling the height. */
export function drawWaveform(canvas, samples) {
  const { pen, width, height, color } = open(canvas);
  const peak = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0.01);
  const columns = width - GUTTER;
  pen.fillStyle = color("--line");
  pen.fillRect(GUTTER, height / 2 - 0.5, columns, 1);
  pen.fillStyle = color("--accent");
  for (let x = 0; x < columns; x++) {
    const from = Math.floor((x * samples.length) / columns);
    const to = Math.max(from + 1, Math.floor(((x + 1) * samples.length) / columns));
    let least = 0;
    let greatest = 0;
    for (let i = from; i < to; i++) {
      least = Math.min(least, samples[i]);
      greatest = Math.max(greatest, samples[i]);
    }
    const top = (height / 2) * (1 - (greatest / peak) * 0.94);
    pen.fillRect(GUTTER + x, top, 1, Math.max(1, (height / 2) * (1 - (least / peak) * 0.94) - top));
  }
}

/** What `melSpectrogram` returns, low frequencies below. */
export function drawSpectrogram(canvas, { values, frames, bands, highest }, seconds) {
  const { pen, width, height, color } = open(canvas);
  const stops = ["--quiet", "--middle", "--loud"].map((name) => toRgb(color(name)));
  const picture = new ImageData(frames, bands);
  for (let frame = 0; frame < frames; frame++) {
    for (let band = 0; band < bands; band++) {
      const rgb = mixColors(stops, values[frame * bands + band]);
      picture.data.set([...rgb, 255], 4 * ((bands - 1 - band) * frames + frame));
    }
  }
  const small = new OffscreenCanvas(frames, bands);
  small.getContext("2d").putImageData(picture, 0, 0);
  const bottom = height - AXIS;
  pen.imageSmoothingQuality = "high";
  pen.drawImage(small, GUTTER, 0, width - GUTTER, bottom);

  pen.fillStyle = color("--muted");
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  for (const hertz of TICKS_HERTZ.filter((hertz) => hertz < 0.9 * highest)) {
    const y = bottom * (1 - melPlace(hertz, highest));
    pen.fillText(hertz < 1000 ? `${hertz} Hz` : `${hertz / 1000} kHz`, GUTTER - 6, Math.max(y, 6));
  }
  drawTimes(pen, width, height, color, 0, seconds);
}

/**
 * One strip a label, filled as high as its probability.
 *
 * `strips` are [{label, points: [[seconds, probability], ...]}, ...]; every point holds for the time before it.
 */
export function drawTimeline(canvas, strips, from, to) {
  const { pen, width, height, color } = open(canvas);
  const strip = (height - AXIS) / strips.length;
  const place = (seconds) => GUTTER + ((width - GUTTER) * (seconds - from)) / (to - from);
  strips.forEach(({ label, points }, row) => {
    const floor = Math.round((row + 1) * strip - 4);
    const tall = Math.round(strip - 20); // the label stands above
    pen.fillStyle = color("--track");
    pen.fillRect(GUTTER, floor - tall, width - GUTTER, tall);
    pen.fillStyle = color("--accent");
    points.forEach(([seconds, probability], i) => {
      const left = Math.round(place(i === 0 ? from : points[i - 1][0])); // whole pixels leave no seams
      pen.fillRect(left, floor - tall * probability, Math.round(place(seconds)) - left, tall * probability);
    });
    pen.fillStyle = color("--ink");
    pen.textAlign = "left";
    pen.textBaseline = "alphabetic";
    pen.fillText(label, GUTTER, floor - tall - 4);
  });
  pen.fillStyle = color("--muted");
  pen.textAlign = "right";
  pen.textBaseline = "top";
  pen.fillText("100 %", GUTTER - 6, 13); // the strips are alike
  drawTimes(pen, width, height, color, from, to);
}

function drawTimes(pen, width, height, color, from, to) {
  const most = Math.max(2, (width - GUTTER) / 90);
  const step = SECONDS_BETWEEN_TICKS.find((seconds) => (to - from) / seconds <= most) ?? to - from;
  pen.fillStyle = color("--muted");
  pen.textBaseline = "bottom";
  for (let tick = Math.ceil(from / step); tick * step <= to; tick++) {
    const x = GUTTER + ((width - GUTTER) * (tick * step - from)) / (to - from);
    pen.fillRect(Math.min(x, width - 1), height - AXIS, 1, 4);
    pen.textAlign = x > width - 20 ? "right" : x < GUTTER + 10 ? "left" : "center";
    pen.fillText(clock(tick * step, step), x, height);
  }
}

function clock(seconds, step) {
  if (step < 30) return `${Number(seconds.toFixed(2))} s`;
  return `${Math.floor(seconds / 60)}:${String(Math.round(seconds % 60)).padStart(2, "0")}`;
}

/** A canvas cleared, as fine as the screen, measured in CSS pixels. */
function open(canvas) {
  const { width, height } = canvas.getBoundingClientRect();
  const density = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * density);
  canvas.height = Math.round(height * density);
  const style = getComputedStyle(canvas);
  const pen = canvas.getContext("2d");
  pen.scale(density, density);
  pen.font = `12px ${style.fontFamily}`;
  return { pen, width: Math.floor(width), height, color: (name) => style.getPropertyValue(name).trim() };
}

/** "#rrggbb" -> [red, green, blue]. */
function toRgb(hex) {
  return [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16));
}

/** Between three colours, evenly spaced from 0 to 1. */
function mixColors([low, middle, high], value) {
  const [from, to, share] = value < 0.5 ? [low, middle, 2 * value] : [middle, high, 2 * value - 1];
  return from.map((channel, i) => channel + (to[i] - channel) * share);
}
