"""A checkpoint, loaded to be used: what the command line, the service and streams ask, whatever runs the network."""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from ..audio.windows import split_windows
from ..errors import AudioError

# Windows that go through a network together: enough to keep it busy, and so few samples that what the layers leave
# stays small, which a CPU rewards.
WINDOWS_PER_FORWARD = 16
SAMPLES_PER_FORWARD = 1 << 20
NO_SPEECH = "no speech"  # in the place of a label


class AudioClassifier(ABC):
    """Waveforms in, probabilities out, and what they mean.

    Args:
        labels: the classes' names, in the order of the probabilities.
        sampling_rate: of the waveforms it hears, in Hz.
        clip_seconds: longer recordings are judged in windows of this length; `None`: as a whole.
        num_digits: of the numbers it reads, each a distribution of ten probabilities; 0 for classes.
        multi_label: whether several classes may sound at once, so that probabilities do not sum to 1.
        speech_only: whether it was trained on speech alone, and so is asked nothing where nobody speaks.
        overlap: share of a window that the next one hears again.
    """

    def __init__(
        self,
        labels: Sequence[str],
        sampling_rate: int,
        clip_seconds: float | None = None,
        num_digits: int = 0,
        multi_label: bool = False,
        speech_only: bool = False,
        overlap: float = 0.0,
    ):
        self.labels = list(labels)
        self.sampling_rate = sampling_rate
        self.clip_seconds = clip_seconds
        self.num_digits = num_digits
        self.multi_label = multi_label
        self.speech_only = speech_only
        self.overlap = overlap

    @abstractmethod
    def score(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        """What each waveform, (samples,) float32 at `sampling_rate`, is -> (windows, labels) float32 probabilities."""

    def split(self, waveform: np.ndarray) -> list[np.ndarray]:
        """(samples,) -> what goes through the network: windows, or the whole where half of it would mean another."""
        if self.num_digits or self.clip_seconds is None:
            return [waveform]
        return split_windows(waveform, round(self.clip_seconds * self.sampling_rate), self.overlap)

    def judge(self, waveforms: Sequence[np.ndarray]) -> np.ndarray:
        """Waveforms of any length, (samples,) each -> (waveforms, labels), the mean of each one's windows."""
        windows = [self.split(waveform) for waveform in waveforms]
        scores = self.score([window for group in windows for window in group])
        ends = np.cumsum([len(group) for group in windows])
        return np.stack([part.mean(0) for part in np.split(scores, ends[:-1])])

    def select(self, waveform: np.ndarray) -> np.ndarray:
        """A recording, (samples,), -> what is judged of it: the whole, or where `speech_only` what is spoken.

        Raises:
            NoSpeechError: nobody speaks in it.
            ImportError: `silero-vad` is not installed.
        """
        if not self.speech_only:
            return waveform
        from ..audio.speech import keep_speech  # loads torch

        return keep_speech(waveform, self.sampling_rate)

    def silence(self, speech: float) -> np.ndarray:
        """The scores of a recording in which somebody speaks with no more than that probability: (labels + 1,)."""
        return np.array([0.0] * len(self.labels) + [1 - speech], dtype=np.float32)

    def judge_recording(self, waveform: np.ndarray) -> np.ndarray:
        """A recording, (samples,), -> (labels,), or `silence`, where `speech_only` and nobody speaks."""
        if not self.speech_only:
            return self.judge([waveform])[0]
        from ..errors import NoSpeechError

        try:
            return self.judge([self.select(waveform)])[0]
        except NoSpeechError as error:
            return self.silence(error.probability)

    def judge_windows(self, windows: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Parts of a recording, (samples,) each, -> of each (labels,), or `silence` as in `judge_recording`."""
        scores = list(self.score(windows))
        return [self.silence_of(window, row) for window, row in zip(windows, scores, strict=True)]

    def silence_of(self, window: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """A window's scores, or `silence`, where `speech_only` and nobody speaks in it."""
        if not self.speech_only:
            return scores
        from ..errors import NoSpeechError

        try:
            self.select(window)
        except NoSpeechError as error:
            return self.silence(error.probability)
        return scores

    def answer(self, scores: np.ndarray, top_k: int | None = 5) -> list[dict[str, Any]] | dict[str, Any]:
        """Probabilities, (labels,), as the pipeline tells them: the best labels, or the number that was read.

        Returns `[{"score": 0.9, "label": "dog"}, ...]`, best first, `None` meaning all; or, of a model of spoken
        numbers, `{"text": "194827", "score": 0.98}`.
        """
        if self.num_digits:
            text, score = read_number(scores, self.num_digits)
            return {"text": text, "score": score}
        if len(scores) > len(self.labels):  # see `silence`
            return [{"score": float(scores[-1]), "label": NO_SPEECH}]
        best = np.argsort(-scores, kind="stable")[:top_k]
        return [{"score": float(scores[i]), "label": self.labels[i]} for i in best]

    def __call__(self, audio: str | os.PathLike | bytes | np.ndarray, top_k: int | None = 5) -> Any:
        """A file, its bytes, or a waveform at `sampling_rate`, to an answer.

        Of speech alone, the answer is `[{"score": 0.97, "label": "no speech"}]` where nobody speaks.

        Raises:
            AudioError: audio that cannot be read; the sentence names it.
            ImportError: `speech_only`, and `silero-vad` is not installed.
        """
        if isinstance(audio, np.ndarray):
            if audio.ndim != 1 or audio.size == 0 or audio.dtype.kind != "f" or not np.isfinite(audio).all():
                raise AudioError(
                    f"An array of shape {audio.shape} and type {audio.dtype} is no waveform: give (samples,) of "
                    "floats with full scale 1, without NaN."
                )
            waveform = audio.astype(np.float32, copy=False)
        else:
            from ..audio.loading import load_audio  # not needed where waveforms come from elsewhere

            waveform = load_audio(audio, self.sampling_rate)
        return self.answer(self.judge_recording(waveform), top_k)


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


def read_number(scores: np.ndarray, num_digits: int) -> tuple[str, float]:
    """Probabilities of every digit, (10 x digits,) -> the number without leading zeros, and how probable all are."""
    digits = scores.reshape(num_digits, -1)
    text = "".join(map(str, digits.argmax(1))).lstrip("0") or "0"
    return text, float(digits.max(1).prod())
