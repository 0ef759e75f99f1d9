"""`pipeline("audio-classification")` for any audio: file, bytes, URL or array, any rate, stereo, minutes long."""

import http.client
import itertools
import logging
import math
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from types import GeneratorType
from typing import Any

import numpy as np
import torch
from transformers import AudioClassificationPipeline as StockAudioClassificationPipeline
from transformers import BatchFeature
from transformers.pipelines import PIPELINE_REGISTRY
from transformers.pipelines.base import ChunkPipeline

from ..audio.loading import load_audio
from ..audio.resampling import to_mono
from ..errors import ArgumentError, AudioError
from ..models.configuration_audio_cnn import AudioCNNConfig
from ..models.configuration_audio_encoder import AudioEncoderConfig
from ..models.configuration_audio_ensemble import AudioEnsembleConfig
from .classifier import WINDOWS_PER_FORWARD
from .facts import Answer, Facts, check_top_k
from .kaldi_features import kaldi_features

logger = logging.getLogger(__name__)

# Networks whose front-end, in half precision too, computes in float32: it hears waveforms as they are.
OWN_TYPES = tuple(kind.model_type for kind in (AudioCNNConfig, AudioEncoderConfig, AudioEnsembleConfig))
# Beside a model's inputs, where a recording holds no speech: (1, 1), how probable speech is; for others, `SPOKEN`.
SPEECH, SPOKEN = "speech", -1.0


class AudioClassificationPipeline(StockAudioClassificationPipeline, ChunkPipeline):
    """transformers' audio-classification pipeline, with soundfile and soxr in the place of ffmpeg and torchaudio.

    Accepts paths, URLs, bytes, arrays and tensors at the model's rate, `{"array" or "raw", "sampling_rate"}` at any
    rate, and `{"bytes", "path"}`; one of them or a list. Audio longer than the model's `clip_seconds` is judged in
    windows, whose probabilities are averaged.

    A model of spoken numbers hears a recording as a whole and answers `{"text": "194827", "score": 0.98}`, the number
    without leading zeros and the probability that all its digits are right.

    A model of speech alone (`config.speech_only`) hears what silero-vad finds to be speech, and of a recording without
    any the answer is `[{"label": "no speech", "score": 0.97}]`, how sure it is that nobody speaks.

    Args:
        top_k (`int`, *optional*): how many labels to return, best first; `None` returns all. Given when the pipeline
            is built or in a call. Defaults to 5.
        window_seconds (`float`, *optional*): another window than the model's `clip_seconds`.
        function_to_apply (`str`, *optional*): "softmax", "sigmoid" or "none"; chosen by `config.problem_type`.
        batch_size (`int`, *optional*): how many windows go through the model together when a list is given.

    Raises:
        AudioError: audio that cannot be read; the sentence names it.
        ImportError: a model of speech alone, and `silero-vad` is not installed.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        if self.model.config.model_type in OWN_TYPES:
            self.model.to(memory_format=torch.channels_last)  # in which small networks convolve fastest
        self._kaldi_features = kaldi_features(self.feature_extractor)

    @property
    def facts(self) -> Facts:
        """The facts of the model, as its config has them at this moment."""
        return Facts.from_config(self.model.config, self.feature_extractor.sampling_rate)

    def __call__(self, inputs: Any, **kwargs: Any) -> Any:
        """The answer to one recording, a list of them to a list, or an iterator of them to a data set or generator.

        inputs and further arguments: see the class.
        """
        # The stock pipeline looks at the first of a list.
        return [] if isinstance(inputs, list) and not inputs else super().__call__(inputs, **kwargs)

    def _sanitize_parameters(
        self, window_seconds: float | None = None, **kwargs: Any
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        if window_seconds is not None and not 0 < window_seconds < math.inf:
            raise ArgumentError(f"window_seconds={window_seconds} must be positive, and a number.")
        if unknown := sorted(set(kwargs) - {"top_k", "function_to_apply"}):
            # The stock pipeline passes over them: an array of another rate would get another answer.
            remedy = ': give {"array": ..., "sampling_rate": ...}' if "sampling_rate" in unknown else ""
            raise ArgumentError(f"{', '.join(unknown)}: the pipeline has no such argument{remedy}.")
        check_top_k(kwargs.get("top_k"))
        _, _, postprocess = super()._sanitize_parameters(**kwargs)
        if "top_k" not in kwargs:
            # The stock pipeline says "all" here in every call, and so forgets what it was built with.
            del postprocess["top_k"]
        preprocess = {} if window_seconds is None else {"window_seconds": window_seconds}
        return preprocess, {}, postprocess

    def _load(self, inputs: Any) -> np.ndarray:
        """Whatever a caller holds -> (samples,) float32 at the model's rate."""
        rate = self.feature_extractor.sampling_rate
        if isinstance(inputs, str) and inputs.startswith(("http://", "https://")):
            inputs = _fetch(inputs)
        if "torchcodec" in sys.modules and isinstance(inputs, sys.modules["torchcodec"].decoders.AudioDecoder):
            decoded = inputs.get_all_samples()
            inputs = {"array": decoded.data, "sampling_rate": decoded.sample_rate}
        if isinstance(inputs, dict):
            array = inputs.get("raw", inputs.get("array"))
            if array is not None and "sampling_rate" in inputs:
                # A tensor of one number: as data sets in the format of torch have it.
                own_rate: Any = np.asarray(inputs["sampling_rate"])
                return to_mono(_as_numpy(array), own_rate.item() if own_rate.ndim == 0 else own_rate, rate)
            inputs = inputs.get("bytes") or inputs.get("path")
            if inputs is None:
                raise ArgumentError('A dict needs "array" (or "raw") and "sampling_rate", or "bytes", or "path".')
        if isinstance(inputs, np.ndarray | torch.Tensor):
            return to_mono(_as_numpy(inputs), rate, rate)
        return load_audio(inputs, rate)

    def preprocess(self, inputs: Any, window_seconds: float | None = None) -> Iterator[dict[str, Any]]:
        """Yields the model's inputs for one window after the other."""
        waveform, facts = self._load(inputs), self.facts
        facts = replace(facts, clip_seconds=window_seconds or facts.clip_seconds)
        rate = facts.sampling_rate
        if facts.num_digits and len(waveform) > (facts.clip_seconds or math.inf) * rate:
            logger.warning(
                "A recording of %.1f s is longer than the numbers this model was trained on, %.1f s: what it reads "
                "may be wrong.",
                len(waveform) / rate,
                facts.clip_seconds,
            )
        spoken, speech = facts.keep_speech(waveform)
        if speech is not None:
            spoken = spoken[: facts.window or rate]  # the network is asked something, and its answer not used
        windows = facts.cut(spoken)
        for number, window in enumerate(windows):
            if self._kaldi_features is None:
                features = self.feature_extractor(window, sampling_rate=rate, return_tensors="pt")
            else:
                features = BatchFeature({"input_values": self._kaldi_features(torch.from_numpy(window)[None])})
            if self.dtype is not None and self.model.config.model_type not in OWN_TYPES:
                features = features.to(dtype=self.dtype)
            if facts.speech_only:
                features[SPEECH] = torch.tensor([[SPOKEN if speech is None else speech]])
            yield {"is_last": number == len(windows) - 1, **features}

    def _forward(self, model_inputs: dict[str, Any]) -> dict[str, Any]:
        passed_on = {name: model_inputs.pop(name) for name in ("is_last", SPEECH) if name in model_inputs}
        # As after `Trainer.train()`: a network that learns would answer at random, and learn from what it hears.
        learns = self.model.training
        if learns:
            self.model.eval()
        try:
            return {**passed_on, "logits": self.model(**model_inputs).logits}
        finally:
            if learns:
                self.model.train()

    def get_iterator(
        self,
        inputs: Any,
        num_workers: int,
        batch_size: int,
        preprocess_params: dict[str, Any],
        forward_params: dict[str, Any],
        postprocess_params: dict[str, Any],
    ) -> Iterator[Answer]:
        """Without a batch size, recording by recording, which spares a short clip a data loader of its own."""
        parameters = (preprocess_params, forward_params, postprocess_params)
        if batch_size == 1 and num_workers == 0 and isinstance(inputs, list | tuple | GeneratorType):
            return (self.run_single(item, *parameters) for item in inputs)
        if isinstance(inputs, torch.utils.data.Dataset) and not isinstance(inputs, torch.utils.data.IterableDataset):
            inputs = _Items(inputs)
        return super().get_iterator(inputs, num_workers, batch_size, *parameters)

    def run_single(
        self,
        inputs: Any,
        preprocess_params: dict[str, Any],
        forward_params: dict[str, Any],
        postprocess_params: dict[str, Any],
    ) -> Answer:
        """One recording: its windows, all of one length, go through the model a few at a time."""
        windows = self.preprocess(inputs, **preprocess_params)
        outputs = []
        while group := list(itertools.islice(windows, WINDOWS_PER_FORWARD)):
            keys = [key for key in group[0] if key != "is_last"]
            batch = {key: torch.cat([window[key] for window in group]) for key in keys}
            outputs.append(self.forward({"is_last": group[-1]["is_last"], **batch}, **forward_params))
        return self.postprocess(outputs, **postprocess_params)

    def postprocess(
        self, model_outputs: list[dict[str, Any]], top_k: int | None = 5, function_to_apply: str | None = None
    ) -> Answer:
        """A recording's answer, out of its windows' logits."""
        facts = self.facts
        speech = float(model_outputs[0][SPEECH][0, 0]) if facts.speech_only else SPOKEN
        if speech != SPOKEN:
            return facts.name(facts.reduce((), speech), top_k)
        logits = torch.cat([output["logits"] for output in model_outputs]).float().numpy()  # (windows, labels)
        if function_to_apply is None and self.model.config.problem_type == "regression":
            function_to_apply = "none"
        if function_to_apply is None or facts.num_digits:
            scores = facts.probabilities(logits)
        elif function_to_apply == "none":
            scores = logits
        else:
            scores = replace(facts, multi_label=function_to_apply == "sigmoid").probabilities(logits)
        return facts.name(facts.reduce(scores), top_k)


class _Items:
    """The items of a map-style data set, by its length: few of them raise the IndexError that ends a bare `for`."""

    def __init__(self, dataset: torch.utils.data.Dataset):
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Any]:
        return (self.dataset[index] for index in range(len(self)))


def _as_numpy(array: Any) -> np.ndarray:
    if isinstance(array, torch.Tensor):
        array = array.detach().cpu()
        # numpy has no bfloat16
        return (array.float() if array.is_floating_point() else array).numpy()
    return np.asarray(array)


def _fetch(url: str) -> bytes:
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "hf_audio"})
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.read()
    except (http.client.InvalidURL, ValueError) as error:
        raise AudioError(f"{url} is not an address ({error}): check it.") from error
    except urllib.error.HTTPError as error:
        raise AudioError(f"{url} answered {error.code} ({error.reason}): check the address.") from error
    except OSError as error:
        raise AudioError(f"{url} cannot be fetched ({error}): check the address and the network.") from error


# Set in place: `register_pipeline` would warn about the stock pipeline that it replaces, and would make every
# checkpoint saved through the pipeline ask for its code.
PIPELINE_REGISTRY.supported_tasks["audio-classification"]["impl"] = AudioClassificationPipeline
