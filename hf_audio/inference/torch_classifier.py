"""A checkpoint run by torch."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .classifier import AudioClassifier
from .torch_network import TorchNetwork, load_network

if TYPE_CHECKING:
    from torch import Tensor, nn


class TorchAudioClassifier(AudioClassifier):
    """A finished folder or a Hub id, run by torch: an AudioCNN, an ensemble, or any audio encoder of transformers.

    Args:
        checkpoint: folder or Hub id, or a network in memory.
        device: as torch names them; by default a GPU where there is one.

    Raises:
        CheckpointError: there is none, it is broken, or it does not classify audio.
    """

    def __init__(self, checkpoint: str | os.PathLike | TorchNetwork, device: str | None = None):
        self.network = checkpoint if isinstance(checkpoint, TorchNetwork) else load_network(checkpoint, device)
        self.model, self.extractor = self.network.model, self.network.extractor
        self.device = self.network.device
        super().__init__(self.network.facts)

    def score(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        """See `AudioClassifier.score`. Windows of like lengths go through the model together."""
        from ..models.modeling_audio_cnn import probabilities

        config = self.model.config
        return self._of_labels(
            self.network.run(windows, lambda model, inputs: probabilities(model(**inputs).logits, config))
        )

    def logits(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        """See `AudioClassifier.logits`."""
        return self._of_labels(self.network.run(windows, lambda model, inputs: model(**inputs).logits))

    def score_frames(self, windows: Sequence[np.ndarray]) -> list[np.ndarray]:
        """See `AudioClassifier.score_frames`. Windows of like lengths go through the model together."""
        if self.facts.frame_seconds is None:
            return super().score_frames(windows)
        frames: list[np.ndarray] = [np.empty(0)] * len(windows)
        for places, part in self.network.run_groups(windows, _ask_for_frames):
            for place, scores in zip(places, part, strict=True):
                # A copy, as what it is cut from holds all of the group.
                frames[place] = self._frames_of(windows[place], scores).copy()
        return frames


def _ask_for_frames(model: "nn.Module", inputs: Mapping[str, Any]) -> "Tensor":
    return model(**inputs, output_frame_logits=True).frame_logits.sigmoid()
