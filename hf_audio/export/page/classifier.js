/** The exported model, run by ONNX Runtime: the function that `hf_audio/inference/classifier.py` is, in the browser. */

import * as ort from "./onnxruntime-web/ort.wasm.bundle.min.js";
import { probabilities, round } from "./facts.js";

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

  /** (samples,) at the model's rate -> (labels,) probabilities. */
  async score(window) {
    const input = new ort.Tensor("float32", window, [1, window.length]);
    const { logits } = await this.session.run({ input_values: input });
    return probabilities(logits.data, this.facts);
  }

  /** (samples,) -> probabilities of each of its frames, [(labels,), ...], where the model scores them. */
  async frames(window) {
    const { frame_seconds: seconds, sampling_rate: rate, labels } = this.facts;
    const frame = round(seconds * rate);
    const count = Math.ceil(window.length / frame);
    const padded = new Float32Array(count * frame); // a last frame that is not heard to its end ends in zeros
    padded.set(window);
    const input = new ort.Tensor("float32", padded, [1, padded.length]);
    const { data } = (await this.session.run({ input_values: input })).frame_scores;
    return Array.from({ length: count }, (_, i) => data.slice(i * labels.length, (i + 1) * labels.length));
  }
}

async function fetchBytes(name) {
  // Of an earlier site, a browser may keep one file and fetch the other: it shall ask whether they are still the same.
  const answer = await fetch(new URL(name, import.meta.url), { cache: "no-cache" }).catch(() => null);
  if (!answer?.ok) throw new Error(`${name} is not beside this page: copy the whole folder to the server.`);
  return new Uint8Array(await answer.arrayBuffer());
}
