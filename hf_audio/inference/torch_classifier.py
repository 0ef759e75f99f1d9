"""A checkpoint run by torch."""

import os
from collections.abc import Sequence

import numpy as np

from .classifier import AudioClassifier
from .torch_network import load_network


class TorchAudioClassifier(AudioClassifier):
    """A finished folder or a Hub id, run by torch: an AudioCNN, an ensemble, or any audio encoder of transformers.

    Args:
        checkpoint: folder or Hub id.
        device: as torch names them; by default a GPU where there is one.

    Raises:
        CheckpointError: there is none, it is broken, or it does not classify audio.
    """

    def __init__(self, checkpoint: str | os.PathLike, device: str | None = None):
        self.network = load_network(checkpoint, device)
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
