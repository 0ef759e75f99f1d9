"""An exported file beside the checkpoint that it is of: by how much its answers are others."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..inference.classifier import AudioClassifier
from ..inference.embedder import OnnxAudioEmbedder, embedder_of
from ..inference.facts import Facts
from ..inference.frames import frame_scores
from ..inference.onnx_classifier import OnnxAudioClassifier
from .footprint import Footprint

# Between torch and ONNX Runtime, in probability.
TOLERANCE = 1e-4


@dataclass
class Export:
    """What an export was found to be."""

    path: Path
    n_clips: int
    """On which it was compared with torch."""
    largest_difference: float
    """Of a probability."""
    agreement: float
    """Share of the clips whose first answer is torch's."""
    accuracies: tuple[float, float] | None = None
    """Torch's and the file's, where the clips' labels were given."""
    footprint: Footprint | None = None
    """Of a file of one window: what it asks of a device."""


def bound_of(difference: float) -> float:
    """What a file of 8 bits may differ by on other clips, which differ more than those that calibrated it."""
    return min(1.0, max(round(3 * difference, 4), TOLERANCE))


def compare(
    path: Path,
    exported: AudioClassifier,
    classifier: AudioClassifier,
    clips: Sequence[np.ndarray],
    labels: Sequence[str] | None,
) -> Export:
    """How far the answers of a file, by what runs it, are from torch's, on recordings, (samples,) each."""
    # Clip by clip: many long ones would not fit into memory together.
    pairs = [(classifier.judge([clip])[0], exported.judge([clip])[0]) for clip in clips]
    difference = float(np.max([np.abs(a - b).max() for a, b in pairs]))
    first = np.array([[_first(exported.facts, scores) for scores in pair] for pair in pairs])  # (clips, 2)
    accuracies = None
    if labels is not None and any(labels):
        wanted = np.array(labels)
        before, after = (first == wanted[:, None])[wanted != ""].mean(0).tolist()
        accuracies = before, after
    return Export(path, len(clips), difference, float((first[:, 0] == first[:, 1]).mean()), accuracies)


def compare_frames(
    exported: AudioClassifier, classifier: AudioClassifier, clips: Sequence[np.ndarray]
) -> Iterator[float]:
    """How far an exported classifier's scores are from torch's, at most, in the moments of each clip, (samples,)."""
    for clip in clips:
        pairs = zip(frame_scores(exported, [clip]), frame_scores(classifier, [clip]), strict=True)
        yield float(np.max([np.abs(own.scores - expected.scores).max() for own, expected in pairs]))


def compare_embeddings(path: Path, classifier: AudioClassifier, clips: Sequence[np.ndarray]) -> Iterator[float]:
    """How far an ONNX file's embedding of each clip, (samples,), is from torch's, as a share of its length."""
    exported, own = OnnxAudioEmbedder(OnnxAudioClassifier(path)), embedder_of(classifier)
    for clip in clips:
        yield distance(exported.embed_recording(clip), own.embed_recording(clip))


def distance(vector: np.ndarray, expected: np.ndarray) -> float:
    """Between two vectors, (size,), as a share of the second one's length."""
    return float(np.linalg.norm(vector - expected) / max(np.linalg.norm(expected), np.finfo(np.float32).tiny))


def _first(facts: Facts, scores: np.ndarray) -> str:
    answer = facts.name(scores, top_k=1)
    return answer["text"] if isinstance(answer, dict) else answer[0]["label"]
