"""A checkpoint's network in torch, and what makes its inputs of waveforms."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..encoders.names import find_checkpoint
from ..errors import CheckpointError, MissingExtraError
from .classifier import group_by_length
from .facts import Facts

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn
    from transformers import PreTrainedModel, SequenceFeatureExtractor

# Made up by transformers where a checkpoint lacks it, and used in training alone.
OF_TRAINING = "masked_spec_embed"


class TorchNetwork:
    """A network in memory, run by torch: an AudioCNN, an ensemble, or any audio encoder of transformers.

    Args:
        model: with a head that classifies or without.
        extractor: of the model.
        facts: of the checkpoint that it is.
        device: as torch names them; by default a GPU where there is one.
    """

    def __init__(
        self,
        model: "PreTrainedModel",
        extractor: "SequenceFeatureExtractor",
        facts: Facts,
        device: "str | torch.device | None" = None,
    ):
        import torch
        from transformers import WhisperFeatureExtractor

        from ..models import AudioCNNFeatureExtractor
        from .extractors import padding_arguments
        from .kaldi_features import kaldi_features

        self.extractor, self.facts = extractor, facts
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.model = model.eval().to(self.device, memory_format=torch.channels_last)
        self.features = kaldi_features(extractor)
        if self.features is not None:
            self.features.to(self.device)
        # Where a mask goes with it, padding changes no answer. Of transformers' encoders some have none.
        self._knows_padding = isinstance(extractor, AudioCNNFeatureExtractor)
        self._padding = padding_arguments(extractor)
        if isinstance(extractor, WhisperFeatureExtractor) and not classifies_by_name(type(model).__name__):
            self._padding["return_attention_mask"] = True  # all sounds are padded to 30 s, which shall not be pooled

    def run(
        self, windows: Sequence[np.ndarray], ask: Callable[["nn.Module", Mapping[str, Any]], "Tensor"]
    ) -> np.ndarray:
        """What a network is asked of windows, (samples,) each -> (windows, values) float32.

        ask: takes the network and its inputs of some windows, and returns (windows, values). Windows of like lengths
        go through together.
        """
        values: np.ndarray | None = None
        for places, part in self.run_groups(windows, ask):
            if values is None:
                values = np.empty((len(windows), part.shape[1]), dtype=np.float32)
            values[places] = part
        return np.empty((0, 0), dtype=np.float32) if values is None else values

    def run_groups(
        self, windows: Sequence[np.ndarray], ask: Callable[["nn.Module", Mapping[str, Any]], "Tensor"]
    ) -> Iterator[tuple[list[int], np.ndarray]]:
        """Places of windows that go through together, and what the network gives for each, by groups; see `run`.

        Returns pairs of places and (places, ...) float32, whose further sizes may differ from group to group.
        """
        import torch

        for places in group_by_length(windows, padded=self._knows_padding):
            with torch.inference_mode():
                yield places, ask(self.model, self._inputs([windows[i] for i in places])).float().cpu().numpy()

    def _inputs(self, windows: Sequence[np.ndarray]) -> Mapping[str, Any]:
        """What the model reads of windows that go through it together, on its device."""
        import torch

        if self.features is not None:
            waveforms = torch.from_numpy(np.stack(windows)).to(self.device)
            return {"input_values": self.features(waveforms).to(self.model.dtype)}
        rate = self.extractor.sampling_rate
        inputs = self.extractor(windows, sampling_rate=rate, return_tensors="pt", **self._padding)
        if self._knows_padding and len({len(window) for window in windows}) == 1:
            del inputs["attention_mask"]  # nothing is padded, and to mask it would take almost as long as the rest
        inputs = inputs.to(self.device)
        # An AudioCNN in half precision still computes its spectrogram in float32, so its waveform stays whole.
        return inputs if self._knows_padding else inputs.to(self.model.dtype)


def load_network(checkpoint: str | os.PathLike, device: str | None = None, *, classifies: bool = True) -> TorchNetwork:
    """The network of a finished folder or a Hub id.

    Args:
        checkpoint: folder or Hub id, or the name of an encoder.
        device: as torch names them; by default a GPU where there is one.
        classifies: whether it must have a head that classifies; otherwise it may lack one.

    Raises:
        CheckpointError: there is none, it is broken, or it is of another kind.
        MissingExtraError: there is no torch or transformers.
    """
    try:
        from transformers import AutoFeatureExtractor, AutoModel, AutoModelForAudioClassification
    except ImportError as error:
        raise MissingExtraError(
            f"{checkpoint} needs torch and transformers: install hf-audio with all it requires, or give an ONNX file."
        ) from error

    from .checkpoint_numbers import check_numbers
    from .extractors import check_rate, check_spectrogram, longest_seconds

    named, checkpoint = checkpoint, find_checkpoint(checkpoint)
    if Path(checkpoint).is_dir():
        _check_folder(Path(checkpoint))
    try:
        auto_class = AutoModelForAudioClassification if classifies or _has_head(checkpoint) else AutoModel
        check_numbers(checkpoint, auto_class)
        extractor = AutoFeatureExtractor.from_pretrained(checkpoint)
        model, found = auto_class.from_pretrained(checkpoint, output_loading_info=True)
        check_rate(extractor, model.config)
        check_spectrogram(extractor, model.config)
        missing = {key for key in found["missing_keys"] if OF_TRAINING not in key}
        if classifies and _is_of_head(missing):
            raise CheckpointError(f"it has embeddings and no classes; train some by --model_name_or_path {named}")
        if missing:  # which transformers would leave at random
            raise CheckpointError(f"its weights lack {min(missing)}")
        facts = Facts.from_config(model.config, extractor.sampling_rate)
        if not classifies and facts.clip_seconds is None and not facts.num_digits:
            facts = replace(facts, clip_seconds=longest_seconds(extractor))
    except Exception as error:  # whatever a stranger's files bring about
        kind = "audio classifier" if classifies else "audio network"
        raise CheckpointError(
            f"{named} is no {kind} that can be loaded ({reason_of(error)}): give the --output_dir "
            "of a finished run, or a Hub id."
        ) from error
    return TorchNetwork(model, extractor, facts, device)


def reason_of(error: Exception) -> str:
    """What is wrong, in a part of a sentence."""
    cause = error.__cause__ if isinstance(error.__cause__, ValueError) else error  # of a configuration's own checks
    lines = [line.strip().rstrip(".:") for line in str(cause).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def _has_head(checkpoint: str | os.PathLike) -> bool:
    """Whether it was saved with a head that classifies."""
    from transformers import AutoConfig

    architectures = AutoConfig.from_pretrained(checkpoint).architectures
    return any(map(classifies_by_name, architectures or ()))


def classifies_by_name(class_name: str) -> bool:
    """Whether the models of a class of transformers have a head that classifies."""
    return class_name.endswith("Classification")


def _is_of_head(missing: set[str]) -> bool:
    """Whether what a checkpoint lacks is a head, and nothing else."""
    return "classifier.weight" in missing and all(name.startswith("classifier.") for name in missing)


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
