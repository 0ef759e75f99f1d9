"""A checkpoint, loaded to be used: what the command line, the service and streams ask, whatever runs the network."""

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from ..audio.windows import split_windows
from ..errors import AudioError, CheckpointError

# Windows that go through a network together: enough to keep it busy, and so few samples that what the layers leave
# stays small, which a CPU rewards.
WINDOWS_PER_FORWARD = 16
SAMPLES_PER_FORWARD = 1 << 20
ONNX_SUFFIX = ".onnx"
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


class TorchAudioClassifier(AudioClassifier):
    """A finished folder or a Hub id, run by torch: an AudioCNN, an ensemble, or any audio encoder of transformers.

    Args:
        checkpoint: folder or Hub id.
        device: as torch names them; by default a GPU where there is one.

    Raises:
        CheckpointError: there is none, it is broken, or it does not classify audio.
    """

    def __init__(self, checkpoint: str | os.PathLike, device: str | None = None):
        import torch
        from safetensors import SafetensorError
        from transformers import AutoFeatureExtractor, AutoModelForAudioClassification

        from ..models import AudioCNNFeatureExtractor
        from .extractors import check_spectrogram, padding_arguments
        from .kaldi_features import kaldi_features

        if Path(checkpoint).is_dir():
            _check_folder(Path(checkpoint))
        try:
            self.extractor = AutoFeatureExtractor.from_pretrained(checkpoint)
            model, found = AutoModelForAudioClassification.from_pretrained(checkpoint, output_loading_info=True)
            check_spectrogram(self.extractor, model.config)
            if found["missing_keys"]:  # which transformers would leave at random
                raise AudioError(f"its weights lack {min(found['missing_keys'])}")
        except (OSError, ValueError, KeyError, RuntimeError, AttributeError, SafetensorError) as error:
            reason = str(error).split("\n")[0].rstrip(".")
            raise CheckpointError(
                f"{checkpoint} is no audio classifier that can be loaded ({reason}): give the --output_dir of a "
                "finished run, or a Hub id."
            ) from error
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.model = model.eval().to(self.device, memory_format=torch.channels_last)
        self.features = kaldi_features(self.extractor)
        if self.features is not None:
            self.features.to(self.device)
        # Where a mask goes with it, padding changes no answer. Of transformers' encoders some have none.
        self._knows_padding = isinstance(self.extractor, AudioCNNFeatureExtractor)
        self._padding = padding_arguments(self.extractor)
        config = self.model.config
        super().__init__(
            [config.id2label[i] for i in range(config.num_labels)],
            self.extractor.sampling_rate,
            getattr(config, "clip_seconds", None),
            getattr(config, "num_digits", 0),
            config.problem_type == "multi_label_classification",
            getattr(config, "speech_only", False),
            getattr(config, "overlap", 0.0),
        )

    def score(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        """See `AudioClassifier.score`. Windows of like lengths go through the model together."""
        import torch

        from ..models.modeling_audio_cnn import probabilities

        scores = np.empty((len(windows), len(self.labels)), dtype=np.float32)
        for places in group_by_length(windows, padded=self._knows_padding):
            with torch.inference_mode():
                logits = self.model(**self._inputs([windows[i] for i in places])).logits
            scores[places] = probabilities(logits, self.model.config).cpu().numpy()
        return scores

    def _inputs(self, windows: Sequence[np.ndarray]) -> Mapping[str, Any]:
        """What the model reads of windows that go through it together, on its device."""
        import torch

        if self.features is not None:
            waveforms = torch.from_numpy(np.stack(windows)).to(self.device)
            return {"input_values": self.features(waveforms).to(self.model.dtype)}
        inputs = self.extractor(windows, sampling_rate=self.sampling_rate, return_tensors="pt", **self._padding)
        if self._knows_padding and len({len(window) for window in windows}) == 1:
            del inputs["attention_mask"]  # nothing is padded, and to mask it would take almost as long as the rest
        inputs = inputs.to(self.device)
        # An AudioCNN in half precision still computes its spectrogram in float32, so its waveform stays whole.
        return inputs if self._knows_padding else inputs.to(self.model.dtype)


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


def load_classifier(checkpoint: str | os.PathLike) -> AudioClassifier:
    """A finished folder, a Hub id or an exported ONNX file, ready to be used.

    Raises:
        CheckpointError: there is none, it is broken, or it does not classify audio.
    """
    if Path(checkpoint).suffix == ONNX_SUFFIX:
        from ..export.onnx import OnnxAudioClassifier

        return OnnxAudioClassifier(checkpoint)
    return TorchAudioClassifier(checkpoint)


def _check_folder(folder: Path) -> None:
    # transformers would look for such a folder on the Hub, or speak of keys and tensors.
    config = folder / "config.json"
    try:
        kind = json.loads(config.read_text(encoding="utf-8")).get("model_type")
    except OSError as error:
        raise CheckpointError(
            f"{folder} holds no config.json: give the --output_dir of a finished run, or a Hub id."
        ) from error
    except (ValueError, AttributeError) as error:
        raise CheckpointError(f"{config} is no configuration: copy the checkpoint again.") from error
    if kind is None:
        raise CheckpointError(f"{config} has no model_type: it is none of transformers' models.")
