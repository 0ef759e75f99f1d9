"""A checkpoint run by torch."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..encoders.names import find_checkpoint
from ..errors import CheckpointError
from .classifier import AudioClassifier, group_by_length
from .facts import Facts

if TYPE_CHECKING:
    from torch import Tensor


class TorchAudioClassifier(AudioClassifier):
    """A finished folder or a Hub id, run by torch: an AudioCNN, an ensemble, or any audio encoder of transformers.

    Args:
        checkpoint: folder or Hub id, or the name of an encoder.
        device: as torch names them; by default a GPU where there is one.

    Raises:
        CheckpointError: there is none, it is broken, or it does not classify audio.
    """

    def __init__(self, checkpoint: str | os.PathLike, device: str | None = None):
        import torch
        from transformers import AutoFeatureExtractor, AutoModelForAudioClassification

        from ..models import AudioCNNFeatureExtractor
        from .checkpoint_numbers import check_numbers
        from .extractors import check_rate, check_spectrogram, padding_arguments
        from .kaldi_features import kaldi_features

        checkpoint = find_checkpoint(checkpoint)
        if Path(checkpoint).is_dir():
            _check_folder(Path(checkpoint))
        try:
            check_numbers(checkpoint)
            self.extractor = AutoFeatureExtractor.from_pretrained(checkpoint)
            model, found = AutoModelForAudioClassification.from_pretrained(checkpoint, output_loading_info=True)
            check_rate(self.extractor, model.config)
            check_spectrogram(self.extractor, model.config)
            missing = found["missing_keys"]  # which transformers would leave at random
            if missing and all(name.startswith("classifier.") for name in missing):
                raise CheckpointError("it has no head, only embeddings: train one with --model_name_or_path")
            if missing:
                raise CheckpointError(f"its weights lack {min(missing)}")
            facts = Facts.from_config(model.config, self.extractor.sampling_rate)
        except Exception as error:  # whatever a stranger's files bring about
            raise CheckpointError(
                f"{checkpoint} is no audio classifier that can be loaded ({reason_of(error)}): give the --output_dir "
                "of a finished run, or a Hub id."
            ) from error
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.model = model.eval().to(self.device, memory_format=torch.channels_last)
        self.features = kaldi_features(self.extractor)
        if self.features is not None:
            self.features.to(self.device)
        # Where a mask goes with it, padding changes no answer. Of transformers' encoders some have none.
        self._knows_padding = isinstance(self.extractor, AudioCNNFeatureExtractor)
        self._padding = padding_arguments(self.extractor)
        super().__init__(facts)

    def score(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        """See `AudioClassifier.score`. Windows of like lengths go through the model together."""
        from ..models.modeling_audio_cnn import probabilities

        return self._run(windows, lambda logits: probabilities(logits, self.model.config))

    def logits(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        """See `AudioClassifier.logits`."""
        return self._run(windows, lambda logits: logits.float())

    def _run(self, windows: Sequence[np.ndarray], function: Callable[["Tensor"], "Tensor"]) -> np.ndarray:
        """A function of the windows' logits, (windows, labels)."""
        import torch

        scores = np.empty((len(windows), len(self.facts.labels)), dtype=np.float32)
        for places in group_by_length(windows, padded=self._knows_padding):
            with torch.inference_mode():
                logits = self.model(**self._inputs([windows[i] for i in places])).logits
            scores[places] = function(logits).cpu().numpy()
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


def reason_of(error: Exception) -> str:
    """What is wrong, in a part of a sentence."""
    cause = error.__cause__ if isinstance(error.__cause__, ValueError) else error  # of a configuration's own checks
    lines = [line.strip().rstrip(".:") for line in str(cause).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


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
