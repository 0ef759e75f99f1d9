"""A checkpoint, loaded to be used: what the command line, the service and streams ask, whatever runs the network."""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np

from ..audio.levels import to_floats
from ..errors import AudioError, CheckpointError
from .facts import Answer, Facts

# Windows that go through a network together: enough to keep it busy, and so few samples that what the layers leave
# stays small, which a CPU rewards.
WINDOWS_PER_FORWARD = 16
SAMPLES_PER_FORWARD = 1 << 20
# That make scores of logits.
FUNCTIONS = ("softmax", "sigmoid", "none")


class AudioClassifier(ABC):
    """A function from waveforms to probabilities, and what these mean.

    Args:
        facts: of the checkpoint.
    """

    def __init__(self, facts: Facts):
        self.facts = facts

    @property
    def labels(self) -> list[str]:
        """The classes' names, in the order of the probabilities."""
        return list(self.facts.labels)

    @property
    def sampling_rate(self) -> int:
        """The rate of the waveforms that are scored, in Hz."""
        return self.facts.sampling_rate

    @abstractmethod
    def score(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        """Probabilities of waveforms, (samples,) float32 at `sampling_rate` each -> (windows, labels) float32."""

    def logits(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        """The logits from which `score` computes its probabilities -> (windows, labels) float32."""
        raise NotImplementedError

    def score_frames(self, windows: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Probabilities of the frames of waveforms, (samples,) float32 each -> (frames, labels) float32 each.

        Frame k begins k * `frame_seconds` of the facts after the waveform, and lasts `frame_seconds`. For recordings
        that are longer than a window, and for networks without frame scores, see `frames.frame_scores`.

        Raises:
            CheckpointError: the network scores windows as a whole.
        """
        raise CheckpointError("This checkpoint scores windows as a whole: train one on annotations for finer scores.")

    def _frames_of(self, window: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """The frames that lie in a window, out of what a network gave for it when it was padded: (frames, labels)."""
        assert self.facts.frame_seconds is not None
        return scores[: -(-len(window) // round(self.facts.frame_seconds * self.facts.sampling_rate))]

    def _of_labels(self, values: np.ndarray) -> np.ndarray:
        """What a network gave, (windows, values), as values of the labels: (0, labels) of no windows.

        Raises:
            ValueError: they are more or less than the labels.
        """
        if values.size and values.shape[1] != len(self.facts.labels):
            raise ValueError(f"{values.shape[1]} values for {len(self.facts.labels)} labels")
        return values.reshape(len(values), len(self.facts.labels))

    def judge(self, waveforms: Sequence[np.ndarray]) -> np.ndarray:
        """Mean scores of the windows of waveforms, (samples,) of any length each -> (waveforms, labels) float32.

        Raises:
            AudioError: an array that is no waveform, see `as_waveform`.
        """
        named = (as_waveform(waveform, f"Waveform {place}") for place, waveform in enumerate(waveforms))
        windows = [self.facts.cut(waveform) for waveform in named]
        if not windows:
            return np.empty((0, len(self.facts.labels)), dtype=np.float32)
        scores = self.score([window for group in windows for window in group])
        ends = np.cumsum([len(group) for group in windows])
        return np.stack([self.facts.reduce(part) for part in np.split(scores, ends[:-1])]).astype(np.float32)

    def judge_recording(self, waveform: np.ndarray) -> np.ndarray:
        """Scores of a whole recording, (samples,), see `Facts.reduce`; a speech-only model hears only its speech.

        Raises:
            AudioError: an array that is no waveform, see `as_waveform`.
        """
        spoken, speech = self.facts.keep_speech(as_waveform(waveform, "The recording"))
        scores = self.score(self.facts.cut(spoken)) if speech is None else ()
        return self.facts.reduce(scores, speech)

    def judge_windows(self, windows: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Scores of parts of a recording, (samples,) each: as of recordings, but each part is scored as one window."""
        return self.facts.reduce_each(windows, self.score(windows))

    def __call__(self, audio: str | os.PathLike | bytes | np.ndarray, top_k: int | None = 5) -> Answer:
        """Classify a file, its bytes or a waveform at `sampling_rate`; the answer is that of `Facts.name`.

        Raises:
            AudioError: audio that cannot be read; the sentence names it.
            MissingExtraError: a checkpoint of speech alone, and `silero-vad` is not installed.
        """
        if isinstance(audio, np.ndarray):
            waveform = as_waveform(audio, "The array")
        else:
            from ..audio.loading import load_audio  # not needed where waveforms come from elsewhere

            waveform = load_audio(audio, self.sampling_rate)
        return self.facts.name(self.judge_recording(waveform), top_k)


class AppliedClassifier(AudioClassifier):
    """A classifier with another function of its logits in the place of its probabilities.

    Args:
        classifier: has the logits.
        function: `"softmax"`, `"sigmoid"` or `"none"`, which leaves the logits themselves.
    """

    def __init__(self, classifier: AudioClassifier, function: str):
        super().__init__(classifier.facts)
        self.classifier = classifier
        self.function = function

    def score(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        """What the function makes of every window's logits -> (windows, labels) float32."""
        logits = self.classifier.logits(windows)
        if self.function == "none":
            return logits
        return replace(self.facts, multi_label=self.function == "sigmoid").probabilities(logits)


def as_waveform(samples: np.ndarray, name: str) -> np.ndarray:
    """A whole recording as a network hears it: (samples,) float32, integers divided by their full scale.

    Raises:
        AudioError: it is not mono, has no samples, or some that are no numbers, not finite or beyond any scale.
    """
    waveform = np.asarray(samples)
    if waveform.ndim != 1 or waveform.size == 0:
        raise AudioError(f"{name} has the shape {waveform.shape}: give (samples,), mono, of one sample or more.")
    return to_floats(waveform, name)


def group_by_length(windows: Sequence[np.ndarray], padded: bool) -> Iterator[list[int]]:
    """Places of windows that go through a network together, of one length or, if they may be padded, of like ones."""
    # The longest first: most are whole windows, which then go together and need no mask.
    order = sorted(range(len(windows)), key=lambda i: -len(windows[i]))
    groups = [order] if padded else [list(group) for _, group in groupby(order, key=lambda i: len(windows[i]))]
    for group in groups:
        while group:
            n_windows = min(WINDOWS_PER_FORWARD, max(SAMPLES_PER_FORWARD // len(windows[group[0]]), 1))
            yield group[:n_windows]
            group = group[n_windows:]
