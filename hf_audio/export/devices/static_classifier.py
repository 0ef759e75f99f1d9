"""A file of one window as a classifier, by whatever runs its format."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ...inference.classifier import AudioClassifier
from ...inference.facts import Facts
from ...inference.onnx_classifier import FRAME_SCORES, OUTPUT, fill_window


class StaticClassifier(AudioClassifier):
    """A file of one window, run by whatever runs its format.

    Args:
        facts: of the checkpoint.
        run: a window, (1, samples) float32 -> the outputs by their names, a row each.
    """

    def __init__(self, facts: Facts, run: Callable[[np.ndarray], Mapping[str, np.ndarray]]):
        super().__init__(facts)
        self.run = run

    def score(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        """See `AudioClassifier.score`."""
        return self.facts.probabilities(self.logits(windows))

    def logits(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        """See `AudioClassifier.logits`; shorter windows are filled by zeros."""
        rows = [np.asarray(self.run(fill_window(window, self.facts)[None])[OUTPUT])[0] for window in windows]
        return self._of_labels(np.stack(rows).astype(np.float32, copy=False) if rows else np.empty((0, 0), np.float32))

    def score_frames(self, windows: Sequence[np.ndarray]) -> list[np.ndarray]:
        """See `AudioClassifier.score_frames`."""
        if self.facts.frame_seconds is None:
            return super().score_frames(windows)
        filled = (fill_window(window, self.facts)[None] for window in windows)
        rows = (np.asarray(self.run(each)[FRAME_SCORES])[0] for each in filled)
        return [self._frames_of(window, row) for window, row in zip(windows, rows, strict=True)]


def whole_windows(classifier: AudioClassifier) -> StaticClassifier:
    """A classifier that hears shorter windows as a static file does, with zeros around them."""

    def run(window: np.ndarray) -> dict[str, np.ndarray]:
        answers = {OUTPUT: classifier.logits(list(window))}
        if classifier.facts.frame_seconds is not None:
            answers[FRAME_SCORES] = classifier.score_frames(list(window))[0][None]
        return answers

    return StaticClassifier(classifier.facts, run)
