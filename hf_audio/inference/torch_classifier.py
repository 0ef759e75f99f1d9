"""A checkpoint run by torch."""

import os
from collections.abc import Sequence

import numpy as np

from .classifier import AudioClassifier
from .torch_network import TorchNetwork


class TorchAudioClassifier(AudioClassifier):
    """A finished folder or a Hub id, run by torch: an AudioCNN, an ensemble, or any audio encoder of transformers.

    Args:
        checkpoint: folder or Hub id.
        device: as torch names them; by default a GPU where there is one.

    Raises:
        CheckpointError: there is none, it is broken, or it does not classify audio.
    """

    def __init__(self, checkpoint: str | os.PathLike, device: str | None = None):
        self.network = TorchNetwork(checkpoint, device)
        self.model, self.extractor = self.network.model, self.network.extractor
        self.device = self.network.device
        super().__init__(self.network.facts)

    def score(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        """See `AudioClassifier.score`. Windows of like lengths go through the model together."""
        from ..models.modeling_audio_cnn import probabilities

        config = self.model.config
        return self._rows(
            self.network.run(windows, lambda model, inputs: probabilities(model(**inputs).logits, config))
        )

    def logits(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        """See `AudioClassifier.logits`."""
        return self._rows(self.network.run(windows, lambda model, inputs: model(**inputs).logits))

    def _rows(self, values: np.ndarray) -> np.ndarray:
        """(windows, labels), of no windows too."""
        return values.reshape(-1, len(self.facts.labels))
