/** The exported model, run by ONNX Runtime: the function that `hf_audio/classifier.py` is, in the browser. */

import * as ort from "./onnxruntime-web/ort.wasm.bundle.min.js";
import { splitWindows } from "./windows.js";

// One thread needs none of the headers that threads ask a server for.
ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmPaths = { wasm: new URL("onnxruntime-web/ort-wasm-simd-threaded.wasm", import.meta.url).href };

export class Classifier {
  /** `facts` are those of model.json, `session` runs model.onnx. */
  constructor(facts, session) {
    this.facts = facts;
    this.session = session;
  }

  /** What lies beside the page; throws an Error of one sentence where it does not. */
  static async load() {
    const facts = JSON.parse(new TextDecoder().decode(await fetchBytes("model.json")));
    return new Classifier(facts, await ort.InferenceSession.create(await fetchBytes("model.onnx")));
  }

  /** What goes through the network together with nothing else: windows, or a number as a whole. */
  split(waveform) {
    const { clip_seconds: seconds, num_digits: digits, overlap, sampling_rate: rate } = this.facts;
    return digits || seconds === null ? [waveform] : splitWindows(waveform, Math.round(seconds * rate), overlap);
  }

  /** (samples,) at the model's rate -> (labels,) probabilities. */
  async score(window) {
    const input = new ort.Tensor("float32", window, [1, window.length]);
    const { logits } = await this.session.run({ input_values: input });
    return toProbabilities(logits.data, this.facts);
  }
}

/** (labels,) -> (labels,): of each on its own, of one among all, or of one among the ten of each digit. */
export function toProbabilities(logits, { multi_label: multiLabel, num_digits: digits }) {
  if (multiLabel) return Float32Array.from(logits, (logit) => 1 / (1 + Math.exp(-logit)));
  const size = digits ? logits.length / digits : logits.length;
  const scores = new Float32Array(logits.length);
  for (let first = 0; first < logits.length; first += size) {
    const group = logits.subarray(first, first + size);
    const largest = group.reduce((a, b) => Math.max(a, b));
    const powers = Array.from(group, (logit) => Math.exp(logit - largest));
    const sum = powers.reduce((a, b) => a + b);
    scores.set(powers.map((power) => power / sum), first);
  }
  return scores;
}

/** Several windows' scores -> their mean, (labels,). */
export function meanScores(scores) {
  return Float32Array.from(scores[0], (_, label) => scores.reduce((sum, row) => sum + row[label], 0) / scores.length);
}

async function fetchBytes(name) {
  // Of an earlier site, a browser may keep one file and fetch the other: it shall ask whether they are still the same.
  const answer = await fetch(new URL(name, import.meta.url), { cache: "no-cache" }).catch(() => null);
  if (!answer?.ok) throw new Error(`${name} is not beside this page: copy the whole folder to the server.`);
  return new Uint8Array(await answer.arrayBuffer());
}
