"""What a checkpoint says of itself, and how its answers follow from that: cut, reduce, name. Loads numpy alone."""

import dataclasses
import json
import math
import numbers
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..audio.windows import cut_windows
from ..errors import ArgumentError, AudioError, CheckpointError, NoSpeechError
from .events import EventRule, is_event, is_number

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

NO_SPEECH = "no speech"  # in the place of a label
NO_NUMBER = "none of these"  # in the place of a number; NONE_OF_THESE of the models, which load more than numpy
STREAM_WINDOW_SECONDS = 3.0  # of a checkpoint that has no window of its own
# What no checkpoint exceeds, so that a stranger's cannot fill memory.
MAX_SAMPLING_RATE, MAX_CLIP_SECONDS, MAX_OVERLAP = 1_000_000, 3600, 0.99

Whole = Literal["mean", "max", "any"]
"""What of its windows' scores becomes a recording's: their mean; the highest; or how likely a label sounds in any."""
Answer = list[dict[str, Any]] | dict[str, Any]
"""`[{"score": 0.9, "label": "dog"}, ...]`, or `{"text": "194827", "score": 0.98}` of a number."""


@dataclass(frozen=True)
class Facts:
    """What must be known of a checkpoint to use it, and how its answers follow from its network's scores.

    Whatever runs the network, a recording is `cut` into windows (where `speech_only`, after `keep_speech`), the logits
    become `probabilities`, and these are `reduce`d to the recording's and `name`d: so all runtimes answer alike.

    Raises:
        CheckpointError: no checkpoint has such facts; the message names the value.
    """

    labels: tuple[str, ...]
    """The classes' names, in the order of the scores; of numbers, those of every digit's values."""
    sampling_rate: int
    """Of the waveforms that the network reads, in Hz."""
    clip_seconds: float | None = None
    """Longer recordings are cut into windows of this length; `None`: they are scored as a whole."""
    num_digits: int = 0
    """Of the numbers that the network reads, each a distribution of ten probabilities; 0 for classes."""
    multi_label: bool = False
    """Whether several classes may sound at once, so that probabilities do not sum up to 1."""
    speech_only: bool = False
    """Whether the network was trained on speech alone, and so is asked nothing where nobody speaks."""
    overlap: float = 0.0
    """Share of a window that the next one repeats."""
    event_rule: EventRule | None = None
    """How events follow from scores over time, where one was fitted; a mapping, as JSON has it, is read."""
    frame_seconds: float | None = None
    """From one moment that the network scores to the next one; `None`: it scores windows as a whole."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", _as_text(self.labels))
        rate, seconds = self.sampling_rate, self.clip_seconds
        if not is_number(rate) or not 1 <= rate <= MAX_SAMPLING_RATE:
            raise CheckpointError(f"sampling_rate={rate!r} must lie between 1 and {MAX_SAMPLING_RATE} Hz.")
        if seconds is not None and not (is_number(seconds) and 1 <= seconds * rate <= MAX_CLIP_SECONDS * rate):
            raise CheckpointError(f"clip_seconds={seconds!r} must last a sample, and {MAX_CLIP_SECONDS} s at most.")
        if not is_number(self.overlap) or not 0 <= self.overlap <= MAX_OVERLAP:
            raise CheckpointError(f"overlap={self.overlap!r} must lie between 0 and {MAX_OVERLAP} of a window.")
        frame = self.frame_seconds
        if frame is not None and not (is_number(frame) and 1 <= frame * rate <= (self.clip_seconds or 0) * rate):
            raise CheckpointError(f"frame_seconds={frame!r} must last a sample, and clip_seconds={seconds} at most.")
        for name in ("multi_label", "speech_only"):
            if not isinstance(getattr(self, name), bool):
                raise CheckpointError(f"{name}={getattr(self, name)!r} must be true or false.")
        if self.num_digits and len(self.labels) != 10 * self.num_digits:
            raise CheckpointError(f"num_digits={self.num_digits!r} needs ten labels each, and has {len(self.labels)}.")
        if self.event_rule is not None and not isinstance(self.event_rule, EventRule):
            object.__setattr__(self, "event_rule", EventRule.from_dict(self.event_rule))
        n_thresholds = len(self.labels) if self.event_rule is None else len(self.event_rule.thresholds)
        if n_thresholds != len(self.labels):
            raise CheckpointError(
                f"event_rule has {n_thresholds} thresholds, and there are {len(self.labels)} labels."
            )

    @classmethod
    def from_config(cls, config: "PreTrainedConfig", sampling_rate: int) -> "Facts":
        """The facts of any audio classifier of transformers, whose feature extractor has that rate."""
        return cls(
            labels=tuple(config.id2label.get(number) for number in range(config.num_labels)),
            sampling_rate=sampling_rate,
            clip_seconds=getattr(config, "clip_seconds", None),
            num_digits=getattr(config, "num_digits", 0),
            multi_label=config.problem_type == "multi_label_classification",
            speech_only=getattr(config, "speech_only", False),
            overlap=getattr(config, "overlap", 0.0),
            event_rule=getattr(config, "event_rule", None),
            frame_seconds=getattr(config, "frame_seconds", None),
        )

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> "Facts":
        """The facts in an ONNX file's metadata, JSON by name; what the file does not know has its default.

        Raises:
            TypeError: labels or rate are missing.
            ValueError: a value is no JSON.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: json.loads(metadata[name]) for name in names if name in metadata})

    def to_dict(self) -> dict[str, Any]:
        """The facts by name, as JSON has them: in `model.json` of a page, and each on its own in an ONNX file."""
        rule = None if self.event_rule is None else self.event_rule.to_dict()
        return {**vars(self), "labels": list(self.labels), "event_rule": rule}

    @property
    def function(self) -> str:
        """The function that makes probabilities of the logits, as transformers' pipelines call it."""
        return "sigmoid" if self.multi_label else "softmax"

    @property
    def window(self) -> int | None:
        """Samples of a window; `None` where a recording is scored as a whole: half a number is another number."""
        if self.num_digits or self.clip_seconds is None:
            return None
        return round(self.clip_seconds * self.sampling_rate)

    @property
    def stream_seconds(self) -> float:
        """How much of a stream is scored at once, unless something else is asked for."""
        return self.clip_seconds or STREAM_WINDOW_SECONDS

    def stream_windows(self, window_seconds: float | None = None, hop_seconds: float | None = None) -> tuple[int, int]:
        """Samples of the windows that are scored over time, and from one's end to the next one's.

        Args:
            window_seconds: by default `stream_seconds`.
            hop_seconds: by default half a window.

        Raises:
            ArgumentError: one of them lasts no sample, or is no number.
        """
        for name, seconds in (("window_seconds", window_seconds), ("hop_seconds", hop_seconds)):
            if seconds is not None and not (math.isfinite(seconds) and round(seconds * self.sampling_rate) >= 1):
                raise ArgumentError(
                    f"{name}={seconds} must last a sample at least, which is {1 / self.sampling_rate:g} s, and be a "
                    "number."
                )
        window_seconds = self.stream_seconds if window_seconds is None else window_seconds
        hop_seconds = window_seconds / 2 if hop_seconds is None else hop_seconds
        return round(window_seconds * self.sampling_rate), max(round(hop_seconds * self.sampling_rate), 1)

    def keep_speech(self, waveform: np.ndarray) -> tuple[np.ndarray, float | None]:
        """A recording, (samples,), to what of it is scored: what is spoken where `speech_only`, else all.

        With it comes `None` or, where nobody speaks, the probability of speech in the recording's most promising
        moment, which `reduce` takes; the waveform is then the whole again.

        Raises:
            MissingExtraError: `speech_only`, and `silero-vad` is not installed.
        """
        if not self.speech_only:
            return waveform, None
        from ..audio.speech import keep_speech  # loads torch

        try:
            return keep_speech(waveform, self.sampling_rate), None
        except NoSpeechError as error:
            return waveform, error.probability

    def cut(self, waveform: np.ndarray) -> list[np.ndarray]:
        """A recording, (samples,), to the windows that go through the network, each (at most `window` samples,)."""
        return [samples for _, samples in self.cut_blocks([waveform])]

    def cut_blocks(self, blocks: Iterable[np.ndarray]) -> Iterator[tuple[int, np.ndarray]]:
        """A recording in blocks, (samples,) each, to the first sample and the samples of each window of `cut`."""
        if self.window is None:
            parts = list(blocks)
            yield 0, parts[0] if len(parts) == 1 else np.concatenate(parts)
        else:
            yield from cut_windows(blocks, self.window, self.overlap)

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Logits (windows, labels) to probabilities: of each label, of one among all, or among a digit's ten."""
        logits = logits.astype(np.float32, copy=False)
        if self.multi_label:
            return np.exp(-np.logaddexp(0, -logits))
        values = logits.reshape(len(logits), max(self.num_digits, 1), -1)
        values = np.exp(values - values.max(-1, keepdims=True))
        return (values / values.sum(-1, keepdims=True)).reshape(logits.shape)

    def reduce(self, scores: np.ndarray | Sequence[np.ndarray], speech: float | None = None) -> np.ndarray:
        """The windows' scores, (windows, labels), to the recording's, (labels,): their mean.

        speech: of a recording without any, see `keep_speech`: its scores, (labels + 1,), say that nobody speaks.
        """
        if speech is not None:
            return np.array([0.0] * len(self.labels) + [1 - speech], dtype=np.float32)
        mean = RunningMean()
        mean.add(scores)
        return mean.value

    def running(self, whole: Whole = "mean") -> "RunningScores":
        """What makes a recording's scores of its windows', which come a few at a time.

        Raises:
            ArgumentError: the highest scores of numbers are no number.
        """
        if whole == "mean":
            return RunningMean()
        if self.num_digits:
            raise ArgumentError(f"--whole {whole} is of labels, and this checkpoint reads numbers: leave it out.")
        sounds = np.array([is_event(label, self.labels) for label in self.labels])
        return RunningMax(sounds) if whole == "max" else RunningAny(sounds)

    @property
    def names_every_noise(self) -> bool:
        """Whether whatever is none of the labels is called by one of them all the same."""
        has_other_answers = self.multi_label or self.speech_only or self.num_digits or self.event_rule is not None
        return not has_other_answers and all(is_event(label, self.labels) for label in self.labels)

    def reduce_each(self, windows: Sequence[np.ndarray], scores: np.ndarray) -> list[np.ndarray]:
        """Parts of a recording, (samples,) each, and what each was scored, (parts, labels), each one reduced alone."""
        pairs = zip(windows, scores, strict=True)
        return [self.reduce([row], self.keep_speech(window)[1]) for window, row in pairs]

    def name(self, scores: np.ndarray, top_k: int | None = 5) -> Answer:
        """The scores of a recording, as `reduce` gives them, to its answer: the best labels, or the number it holds.

        Returns `[{"score": 0.9, "label": "dog"}, ...]`, best first, `None` meaning all; `[{"score": 0.97, "label":
        "no speech"}]` where nobody speaks; or, of spoken numbers, `{"text": "194827", "score": 0.98}`, the score being
        the probability that all digits are right, and `{"text": "none of these", "score": 0.9}` where more likely no
        number is heard than one.

        Raises:
            AudioError: scores that are not finite, and so no answer.
            ArgumentError: see `check_top_k`.
        """
        check_top_k(top_k)
        if not np.isfinite(scores).all():
            raise AudioError(
                "The network's scores are not finite: the recording is too loud for it, or the checkpoint is broken."
            )
        if len(scores) > len(self.labels):  # see `reduce`
            return [{"score": float(scores[-1]), "label": NO_SPEECH}]
        if self.num_digits:
            digits = scores.reshape(self.num_digits, -1)
            none = float(no_number(digits))
            if none > 0.5:
                return {"text": NO_NUMBER, "score": none}
            text = "".join(map(str, digits.argmax(1))).lstrip("0") or "0"
            return {"text": text, "score": float(digits.max(1).prod())}
        best = np.argsort(-scores, kind="stable")[:top_k]
        return [{"score": float(scores[place]), "label": self.labels[place]} for place in best]


def check_top_k(top_k: int | None) -> None:
    """Refuse what is no number of labels; `None` is all of them.

    Raises:
        ArgumentError: it is none, or below 1: -1 would be all labels but the last one.
    """
    if top_k is not None and not (isinstance(top_k, numbers.Integral) and top_k >= 1):
        raise ArgumentError(f"top_k={top_k!r} must be a whole number, at least 1, or None for all labels.")


def no_number(digits: np.ndarray) -> np.ndarray:
    """How likely no number is heard: then all values of a digit are equally likely, so none is less likely than that.

    digits: probabilities (..., digits, 10) -> (...).
    """
    return 10 * digits.min(axis=(-2, -1))


def _as_text(labels: Any) -> tuple[str, ...]:
    """Names of classes; those that are numbers as text."""
    if not isinstance(labels, list | tuple) or not labels:
        raise CheckpointError(f"labels={labels!r} must be a list of names.")
    for place, label in enumerate(labels):
        if not isinstance(label, str | int | float):
            raise CheckpointError(f"Label {place} is {label!r} and must be a name.")
    return tuple(map(str, labels))


class RunningScores(ABC):
    """The scores of a recording, of those of its windows, which come a few at a time, in double precision."""

    @abstractmethod
    def add(self, rows: np.ndarray | Sequence[np.ndarray]) -> None:
        """Take some in, (rows, values)."""

    @property
    @abstractmethod
    def value(self) -> np.ndarray:
        """The result of all scores that have come, (values,)."""


class RunningMean(RunningScores):
    """The mean: what a recording is of the longest."""

    def __init__(self) -> None:
        self._total: np.ndarray | float = 0.0
        self._n_rows = 0

    def add(self, rows: np.ndarray | Sequence[np.ndarray]) -> None:
        """See `RunningScores.add`."""
        self._total = self._total + np.sum(rows, axis=0, dtype=np.float64)
        self._n_rows += len(rows)

    @property
    def value(self) -> np.ndarray:
        """See `RunningScores.value`."""
        return np.asarray(self._total / self._n_rows)


class RunningMax(RunningScores):
    """The highest score of each label, and the lowest where it says that none of the others sounds.

    Args:
        sounds: which labels are of sounds, (labels,).
    """

    def __init__(self, sounds: np.ndarray):
        self._sign = np.where(sounds, 1.0, -1.0)
        self._best = np.full(len(sounds), -np.inf)

    def add(self, rows: np.ndarray | Sequence[np.ndarray]) -> None:
        """See `RunningScores.add`."""
        self._best = np.maximum(self._best, (np.asarray(rows, dtype=np.float64) * self._sign).max(0))

    @property
    def value(self) -> np.ndarray:
        """See `RunningScores.value`."""
        return self._best * self._sign


class RunningAny(RunningScores):
    """How likely each label sounds in some window, were they independent; and that none of the others does in any.

    Args:
        sounds: which labels are of sounds, (labels,).
    """

    def __init__(self, sounds: np.ndarray):
        self._sounds = sounds
        self._total = np.zeros(len(sounds))  # of logarithms

    def add(self, rows: np.ndarray | Sequence[np.ndarray]) -> None:
        """See `RunningScores.add`."""
        scores = np.asarray(rows, dtype=np.float64)
        with np.errstate(divide="ignore"):  # what is certain
            self._total += np.log(np.where(self._sounds, 1 - scores, scores)).sum(0)

    @property
    def value(self) -> np.ndarray:
        """See `RunningScores.value`."""
        never = np.exp(self._total)
        return np.where(self._sounds, 1 - never, never)
