"""An exported checkpoint run by numpy and onnxruntime alone."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..audio.levels import find_peak, to_floats
from ..errors import AudioError, CheckpointError
from .classifier import AudioClassifier, group_by_length
from .facts import Facts

INPUT, OUTPUT = "input_values", "logits"
FRAME_SCORES = "frame_scores"  # a second output, of networks that score frames: their probabilities
EMBEDDINGS = "embeddings"  # a second output, of files that were exported with it


def fill_window(window: np.ndarray, facts: Facts) -> np.ndarray:
    """A waveform, (samples,), as a network of one length hears it: zeros fill a window, (window,) float32.

    The sound comes to lie in its middle, or at its beginning where moments are scored.

    Raises:
        AudioError: it is longer than a window.
    """
    size = facts.window or len(window)
    if len(window) > size:
        raise AudioError(
            f"A waveform of {len(window)} samples is longer than the {size} that the network reads at once."
        )
    before = (size - len(window)) // 2 if facts.frame_seconds is None else 0
    return np.pad(window.astype(np.float32, copy=False), (before, size - len(window) - before))


class OnnxAudioClassifier(AudioClassifier):
    """An exported checkpoint; needs numpy and onnxruntime, and soundfile and soxr where it is to read files.

    One of speech alone needs torch and silero-vad too, which find the speech.

    Args:
        path: of the file that `export_onnx` wrote.
        threads: that one forward takes; by default those of OMP_NUM_THREADS, or else those that onnxruntime chooses.

    Raises:
        CheckpointError: no such file, or one that `export_onnx` has not written.
    """

    def __init__(self, path: str | os.PathLike, threads: int = 0):
        try:
            import onnxruntime
        except ImportError as error:
            raise CheckpointError(f"{path} needs onnxruntime: pip install 'hf-audio[export]'.") from error
        if not Path(path).is_file():
            raise CheckpointError(f"{path} is no file: write it by hf-audio export.")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or _threads_of_environment()
        try:
            self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
            metadata = self.session.get_modelmeta().custom_metadata_map
            facts = Facts.from_metadata(metadata)
            int8_bound = json.loads(metadata.get("int8_bound", "null"))
        except Exception as error:  # onnxruntime's exceptions have no ancestor of their own
            reason = f" ({str(error).rstrip('.')})" if isinstance(error, CheckpointError) else ""
            raise CheckpointError(
                f"{path} was not written by hf-audio export{reason}: export the checkpoint again."
            ) from error
        super().__init__(facts)
        self.path = Path(path)
        given = self.session.get_inputs()[0]
        if given.name != INPUT:
            raise CheckpointError(
                f"{path} was exported without its front-end and reads features: it is for devices; export the "
                "checkpoint without --without_frontend to use it here."
            )
        self.is_static = all(isinstance(size, int) for size in given.shape)
        """Whether the network reads one window at a time, and nothing shorter, see `export_for_device`."""
        self.has_embeddings = any(output.name == EMBEDDINGS for output in self.session.get_outputs())
        """Whether the file was exported with embeddings, see `OnnxAudioEmbedder`."""
        self.int8_bound: float | None = int8_bound
        """Of a quantised file, the largest difference of a probability that may be expected."""

    def score(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        """See `AudioClassifier.score`. Windows of one length go through the network together."""
        return self.facts.probabilities(self.logits(windows))

    def logits(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        """See `AudioClassifier.logits`."""
        return self._of_labels(self.run(windows, OUTPUT))

    def score_frames(self, windows: Sequence[np.ndarray]) -> list[np.ndarray]:
        """See `AudioClassifier.score_frames`. Windows of one length go through the network together."""
        if self.facts.frame_seconds is None:
            return super().score_frames(windows)
        rows = zip(windows, self.run_each(windows, FRAME_SCORES), strict=True)
        return [self._frames_of(window, scores) for window, scores in rows]

    def run(self, windows: Sequence[np.ndarray], output: str) -> np.ndarray:
        """What the network gives by the name of an output -> (windows, values) float32."""
        rows = self.run_each(windows, output)
        return np.stack(rows) if rows else np.empty((0, 0), dtype=np.float32)

    def run_each(self, windows: Sequence[np.ndarray], output: str) -> list[np.ndarray]:
        """The values of an output, float32, an array for each window: their shapes may differ; see `run`."""
        windows = [_with_full_scale(np.asarray(window)) for window in windows]
        rows: list[np.ndarray] = [np.empty(0)] * len(windows)
        if self.is_static:
            filled = (fill_window(window, self.facts)[None] for window in windows)
            return [self.session.run([output], {INPUT: each})[0][0].astype(np.float32, copy=False) for each in filled]
        for places in group_by_length(windows, padded=False):
            batch = np.stack([windows[i] for i in places]).astype(np.float32, copy=False)
            (values,) = self.session.run([output], {INPUT: batch})
            for place, row in zip(places, values, strict=True):
                rows[place] = row.astype(np.float32, copy=False)
        return rows


def _with_full_scale(window: np.ndarray) -> np.ndarray:
    """Integers, or floats that hold such, divided by their full scale, as the feature extractor does beside torch."""
    if window.dtype.kind == "f" and not (find_peak(window, "A window") > 1 and (window == np.rint(window)).all()):
        return window
    return to_floats(window, "A window")


def _threads_of_environment() -> int:
    """The threads that torch would take by the environment; 0, onnxruntime's own choice, if it tells none."""
    setting = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(setting) if setting.isdecimal() else 0
