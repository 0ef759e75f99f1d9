/** The microphone, as blocks of samples that nothing has cleaned, raised or lowered. */

const REASONS = {
  NotAllowedError: "The microphone was not allowed: allow it beside the address bar, or choose a file.",
  NotFoundError: "There is no microphone: connect one, or choose a file.",
  NotReadableError: "Another program holds the microphone: close that one, or choose a file.",
};

export class Microphone {
  constructor(context, stream) {
    this.context = context;
    this.stream = stream;
    /** Samples per second. */
    this.rate = context.sampleRate;
  }

  /** Asks for the microphone and hears it; `take` gets every block, (samples,). Throws an Error of one sentence. */
  static async open(take) {
    if (!window.isSecureContext || !navigator.mediaDevices) {
      throw new Error("Only https:// and localhost get the microphone: open this page so, or choose a file.");
    }
    const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio });
    } catch (error) {
      throw new Error(REASONS[error.name] ?? `The microphone cannot be used (${error.name}): choose a file.`);
    }
    const context = new AudioContext();
    await context.resume(); // some browsers begin with a pause
    await context.audioWorklet.addModule(new URL("recorder.js", import.meta.url));
    const recorder = new AudioWorkletNode(context, "recorder", { numberOfOutputs: 0 });
    recorder.port.onmessage = ({ data }) => take(data);
    context.createMediaStreamSource(stream).connect(recorder);
    return new Microphone(context, stream);
  }

  close() {
    for (const track of this.stream.getTracks()) track.stop();
    this.context.close();
  }
}
