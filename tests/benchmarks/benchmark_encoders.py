"""The encoders that packages bring beside the code that they come from: the largest differences on real clips.

    pip install --no-deps --target ORIGINALS Resemblyzer==0.1.4 pyopen-wakeword==1.1.0 aisfx==0.1.2 essentia pyyaml six
    python tests/benchmarks/benchmark_encoders.py --originals ORIGINALS CLIP...

What Resemblyzer wants beside is not needed: its voice activity detection is left out, and stubs stand in for it.
"""

import argparse
import ctypes
import sys
import tempfile
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy.ndimage
import soundfile
import torch
from transformers import AutoModel

from hf_audio import load_audio
from hf_audio.encoders.names import find_checkpoint

Original = Callable[[np.ndarray], np.ndarray]
"""A waveform, (samples,), to the vectors of its windows, (windows, size)."""


def load_ge2e() -> Original:
    sys.modules["scipy.ndimage.morphology"] = scipy.ndimage
    sys.modules["webrtcvad"] = types.ModuleType("webrtcvad")
    from resemblyzer import VoiceEncoder
    from resemblyzer.audio import normalize_volume

    encoder = VoiceEncoder("cpu", verbose=False)

    def embed(waveform: np.ndarray) -> np.ndarray:
        loud = normalize_volume(waveform, -30, increase_only=True)
        return encoder.embed_utterance(loud, return_partials=True)[1]

    return embed


def load_speech() -> Original:
    from pyopen_wakeword import OpenWakeWordFeatures

    features = OpenWakeWordFeatures.from_builtin()

    def run(interpreter: int, values: np.ndarray) -> np.ndarray:
        lib, values = features.lib, np.ascontiguousarray(values, dtype=np.float32)
        sizes = (ctypes.c_int32 * values.ndim)(*values.shape)
        lib.TfLiteInterpreterResizeInputTensor(interpreter, ctypes.c_int32(0), sizes, ctypes.c_int32(values.ndim))
        lib.TfLiteInterpreterAllocateTensors(interpreter)
        entry = lib.TfLiteInterpreterGetInputTensor(interpreter, ctypes.c_int32(0))
        lib.TfLiteTensorCopyFromBuffer(entry, values.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t(values.nbytes))
        lib.TfLiteInterpreterInvoke(interpreter)
        result = lib.TfLiteInterpreterGetOutputTensor(interpreter, ctypes.c_int32(0))
        found = np.empty(lib.TfLiteTensorByteSize(result) // 4, dtype=np.float32)
        lib.TfLiteTensorCopyToBuffer(result, found.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t(found.nbytes))
        return found

    def embed(waveform: np.ndarray) -> np.ndarray:
        if len(waveform) < 12512:  # as hf_audio has it: in the middle of 1.5 s
            left = (24000 - len(waveform)) // 2
            waveform = np.pad(waveform, (left, 24000 - len(waveform) - left))
        mels = run(features.mel_interpreter, waveform[None] * 32768).reshape(-1, 32) / 10 + 2
        windows = np.stack([mels[start : start + 76] for start in range(0, len(mels) - 75, 8)])
        return run(features.emb_interpreter, windows[..., None]).reshape(-1, 96)

    return embed


def load_sfx() -> Original:
    import essentia
    from aisfx import inference
    from aisfx.spectrogram.spectrogram_essentia import compute_spectrogram

    essentia.log.infoActive = False
    scalar = np._core.multiarray.scalar
    allowed = [(scalar, "numpy.core.multiarray.scalar"), np.dtype, type(np.dtype(np.int64))]
    with torch.serialization.safe_globals(allowed):
        network = inference.load_bestModel(*inference.load_weights("cpu"), "cpu")
    settings = {"sr": 44100.0, "block_size": 2048, "hop_size": 1024, "n_mels": 96, "f_min": 0.0, "f_max": 22050.0}

    def embed(waveform: np.ndarray) -> np.ndarray:
        with tempfile.NamedTemporaryFile(suffix=".wav") as file:
            soundfile.write(file.name, waveform, 44100, subtype="FLOAT")
            spectrogram = compute_spectrogram(file.name, **settings)
        # It asserts that there is more than half a block.
        spectrogram = np.pad(spectrogram, ((0, max(0, 60 - len(spectrogram))), (0, 0)))
        normal = inference.spectrogram_normalize(spectrogram)
        return inference.model_get_embedding(normal, 0.5, True, network, "cpu").numpy()

    return embed


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--originals", type=Path, required=True)
    parser.add_argument("clips", nargs="+")
    arguments = parser.parse_args()
    sys.path.insert(0, str(arguments.originals))
    for name, load in (("ge2e", load_ge2e), ("speech", load_speech), ("sfx", load_sfx)):
        model, original = AutoModel.from_pretrained(find_checkpoint(name)).eval(), load()
        of_windows, of_clips, largest = 0.0, 0.0, 0.0
        for clip in arguments.clips:
            waveform = load_audio(clip, model.config.sampling_rate)
            expected = original(waveform)
            with torch.no_grad():
                found = model(torch.from_numpy(waveform)[None]).last_hidden_state[0].numpy()
            assert found.shape == expected.shape, (clip, found.shape, expected.shape)
            of_windows = max(of_windows, float(np.abs(found - expected).max()))
            of_clips = max(of_clips, float(np.abs(found.mean(0) - expected.mean(0)).max()))
            largest = max(largest, float(np.abs(expected).max()))
        print(
            f"{name}: a window {of_windows:.1e}, a clip's mean {of_clips:.1e}, values up to {largest:.1f}", flush=True
        )


if __name__ == "__main__":
    main()
