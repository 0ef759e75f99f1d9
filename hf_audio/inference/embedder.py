"""Embeddings: what a network knows of a sound before its last layer names it, a vector of numbers for a window."""

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import CheckpointError, NoSpeechError
from .checkpoint import ONNX_SUFFIX, make_tone, try_out
from .classifier import AudioClassifier, as_waveform
from .facts import Facts
from .onnx_classifier import EMBEDDINGS, OnnxAudioClassifier
from .torch_classifier import TorchAudioClassifier
from .torch_network import TorchNetwork, classifies_by_name, load_network

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from transformers import PreTrainedModel


def pooled_embeddings(model: "PreTrainedModel", **inputs: Any) -> "Tensor":
    """What a model makes of each clip before its last layer -> (batch, size).

    Of an AudioCNN or an encoder that a package brings, with or without its head, the `pooler_output` of `AutoModel`;
    of an ensemble, its members' one after the other; of any other classifier of transformers, what enters its last
    linear layer; of a model without a head, its pooled output or, where it has none, the mean of its last hidden
    states over the frames that are no padding; of a CLAP, the embedding of its audio tower.

    Args:
        model: in evaluation mode, or what is dropped out differs from call to call.
        inputs: what the model is called with, by name.

    Raises:
        CheckpointError: a classifier whose last layer is not linear.
    """
    from torch import nn

    from ..models.modeling_audio_cnn import AudioCNNPreTrainedModel
    from ..models.modeling_audio_encoder import AudioEncoderPreTrainedModel
    from ..models.modeling_audio_ensemble import AudioEnsembleForAudioClassification

    model_classes = (AudioCNNPreTrainedModel, AudioEncoderPreTrainedModel, AudioEnsembleForAudioClassification)
    if isinstance(model, model_classes):
        return model.embed(**inputs)
    if not classifies_by_name(type(model).__name__):
        return _pooled_output(model, **inputs)
    layers = [each for each in model.modules() if isinstance(each, nn.Linear | nn.Conv1d | nn.Conv2d)]
    last = layers[-1] if layers else None
    if not isinstance(last, nn.Linear) or last.out_features != model.config.num_labels:
        raise CheckpointError(
            f"The last layer of a {type(model).__name__} is not linear, so nothing tells what its embeddings are: "
            "save its encoder alone, and give that."
        )
    entered: list[Tensor] = []
    hook = last.register_forward_pre_hook(lambda _, arguments: entered.append(arguments[0]))
    try:
        model(**inputs)
    finally:
        hook.remove()
    return entered[-1]


def _pooled_output(model: Any, **inputs: Any) -> "Tensor":
    """The pooled output of a model without a head -> (batch, size)."""
    if hasattr(model, "get_audio_features"):  # of a CLAP, which has a tower for texts too
        features = model.get_audio_features(**inputs)
        return getattr(features, "pooler_output", features)
    encoder = model.get_encoder() if model.config.is_encoder_decoder else model
    output = encoder(**inputs)
    pooled = getattr(output, "pooler_output", None)
    if pooled is not None:
        return pooled.flatten(1)
    states, mask = output.last_hidden_state, inputs.get("attention_mask")  # (batch, frames, size)
    if mask is None:
        return states.mean(1)
    weights = _frame_mask(model, states.shape[1], mask)[:, :, None].to(states.dtype)
    return (states * weights).sum(1) / weights.sum(1)


def _frame_mask(model: Any, n_frames: int, mask: "Tensor") -> "Tensor":
    """Which of the model's frames are of a clip, from the mask of what it reads: (batch, samples or frames)."""
    if hasattr(model, "_get_feature_vector_attention_mask"):  # of the wav2vec2s, whose own pooling uses it
        return model._get_feature_vector_attention_mask(n_frames, mask)
    import torch

    frames = (mask.sum(1) * n_frames / mask.shape[1]).ceil().clamp(min=1)
    return torch.arange(n_frames, device=mask.device) < frames[:, None]


class AudioEmbedder(ABC):
    """A function from waveforms to embeddings, and the facts of the checkpoint that it is made of.

    Args:
        facts: of the checkpoint, by which recordings are cut into windows.
    """

    def __init__(self, facts: Facts):
        self.facts = facts

    @property
    def sampling_rate(self) -> int:
        """The rate of the waveforms that are embedded, in Hz."""
        return self.facts.sampling_rate

    @property
    def device(self) -> "torch.device | None":
        """The device on which PyTorch runs it; `None` where something else runs it, such as ONNX Runtime."""
        return None

    @cached_property
    def size(self) -> int:
        """Numbers of a vector."""
        return self.embed([make_tone(self.facts)]).shape[1]

    @abstractmethod
    def embed(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        """The vector of each waveform, (samples,) float32 at `sampling_rate` -> (windows, size) float32."""

    def score(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        """The same as `embed`; bulk work and the service call `score` of any network that they run."""
        return self.embed(windows)

    def embed_recording(self, waveform: np.ndarray) -> np.ndarray:
        """The vector of a recording, (samples,) -> (size,) float32: the mean of the vectors of its windows.

        Raises:
            AudioError: an array that is no waveform, see `as_waveform`.
            NoSpeechError: nobody speaks in it, and the checkpoint is of speech alone.
        """
        spoken, speech = self.facts.keep_speech(as_waveform(waveform, "The recording"))
        if speech is not None:
            raise NoSpeechError("The recording", speech)
        return self.facts.reduce(self.embed(self.facts.cut(spoken))).astype(np.float32)


class TorchAudioEmbedder(AudioEmbedder):
    """The embeddings of a network that torch runs.

    Args:
        network: of any checkpoint, with a head or without.
    """

    def __init__(self, network: TorchNetwork):
        self.network = network
        super().__init__(network.facts)

    @property
    def device(self) -> "torch.device":
        """See `AudioEmbedder.device`."""
        return self.network.device

    def embed(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        """See `AudioEmbedder.embed`. Windows of like lengths go through the model together."""
        return self.network.run(windows, lambda model, inputs: pooled_embeddings(model, **inputs))


class OnnxAudioEmbedder(AudioEmbedder):
    """The embeddings of an ONNX file that was exported with them.

    Args:
        classifier: of the file.

    Raises:
        CheckpointError: it was exported without embeddings.
    """

    def __init__(self, classifier: OnnxAudioClassifier):
        self.classifier = classifier
        if not classifier.has_embeddings:
            raise CheckpointError(
                f"{classifier.path} has no output {EMBEDDINGS!r}: export the checkpoint with --embeddings."
            )
        super().__init__(classifier.facts)

    def embed(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        """See `AudioEmbedder.embed`. Windows of one length go through the network together."""
        return self.classifier.run(windows, EMBEDDINGS)


def embedder_of(classifier: AudioClassifier) -> AudioEmbedder:
    """What embeds by the network of a classifier that is loaded already, so that it is in memory once.

    Raises:
        CheckpointError: an ONNX file that was exported without embeddings, or no network at all.
    """
    if isinstance(classifier, OnnxAudioClassifier):
        return OnnxAudioEmbedder(classifier)
    if not isinstance(classifier, TorchAudioClassifier):
        raise CheckpointError(f"A {type(classifier).__name__} has no embeddings: give a finished folder.")
    return TorchAudioEmbedder(classifier.network)


def load_embedder(checkpoint: str | os.PathLike, device: str | None = None) -> AudioEmbedder:
    """Load the embedder of a finished folder, a Hub id or an ONNX file, with or without a head that classifies.

    Args:
        checkpoint: folder, id or file.
        device: as torch names them; by default a GPU where there is one. ONNX files run on the CPU.

    Raises:
        CheckpointError: there is none, it is broken, it hears no audio, or an ONNX file has no embeddings.
    """
    embedder: AudioEmbedder
    if Path(checkpoint).suffix == ONNX_SUFFIX:
        embedder = OnnxAudioEmbedder(OnnxAudioClassifier(checkpoint))
    else:
        embedder = TorchAudioEmbedder(load_network(checkpoint, device, classifies=False))
    try_out(embedder.embed, embedder.facts, checkpoint, "embeddings")
    return embedder
