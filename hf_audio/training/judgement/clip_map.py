"""The test clips of a run in the plane, by what its network makes of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from datasets import Dataset
from transformers import PreTrainedModel, SequenceFeatureExtractor

from ...data.cache import cached_waveform
from ...inference.collection_map import (
    FEWEST,
    MOST_DRAWN,
    MOST_NAMED,
    SEED,
    CollectionMap,
    map_collection,
    write_map,
)
from ...inference.embedder import TorchAudioEmbedder
from ...inference.facts import Facts
from ...inference.torch_network import TorchNetwork
from ...runs.markdown import Table
from ...runs.predictions.classes import Predictions
from ...runs.predictions.kinds import AnyPredictions
from ..networks.embeddings import ClipEmbedder

PICTURE_NAME = "embeddings.png"
WINDOWS_AT_ONCE = 64


@dataclass(frozen=True)
class ClipMap:
    """The test clips by their embeddings."""

    found: CollectionMap
    names: list[str]
    """Of the clips' files."""

    def write(self, folder: Path) -> str:
        """Leave the picture in a folder; returns its name."""
        write_map(self.found, self.names, folder / PICTURE_NAME)
        return PICTURE_NAME

    def tables(self) -> list[Table]:
        """Table of the card: the clips that lie among those of another class, if any do."""
        if not self.found.doubts:
            return []
        named = self.found.doubts[:MOST_NAMED]
        few = f", the first {MOST_NAMED} of {len(self.found.doubts)}" if len(named) < len(self.found.doubts) else ""
        table = Table(
            "In the picture of embeddings, near clips are alike to the network; these test clips lie among those of "
            f"another class, because it errs or their labels do{few}:",
            ["Clip", "Class", "Among"],
            [[self.names[doubt.clip], self.found.labels[doubt.clip], doubt.among] for doubt in named],
        )
        return [table]


def map_test_clips(
    model: PreTrainedModel,
    extractor: SequenceFeatureExtractor,
    clips: Dataset,
    predictions: AnyPredictions,
    is_kept: bool = False,
) -> ClipMap | None:
    """Embed the test clips of a run, or as many as a picture shows, drawn by lot.

    Args:
        model: whose training is over.
        extractor: of the model.
        clips: rows of `audio` as `cache_audio` gives them.
        predictions: of these clips.
        is_kept: whether the clips' embeddings are in the cache, because a head was fitted to such.

    Returns:
        `None` where the picture says nothing: of tags and numbers, of few clips, and where the network tells classes
        apart no better than chance.
    """
    if not isinstance(predictions, Predictions) or len(clips) < FEWEST:
        return None
    places = np.arange(len(clips))
    if len(clips) > MOST_DRAWN:
        places = np.sort(np.random.default_rng(SEED).choice(places, MOST_DRAWN, replace=False))
    chosen = clips.select(places)
    if is_kept:
        vectors = ClipEmbedder(model, extractor)(chosen).means()
    else:
        facts = Facts.from_config(model.config, extractor.sampling_rate)
        vectors = _embed(TorchAudioEmbedder(TorchNetwork(model, extractor, facts, model.device)), chosen)
    labels = [predictions.names[int(label)] for label in np.asarray(predictions.references)[places]]
    groups = None if predictions.groups is None else [str(predictions.groups[place]) for place in places]
    found = map_collection(vectors, labels, groups)
    if found is None or not found.says_something:
        return None
    return ClipMap(found, [Path(predictions.paths[place]).name for place in places.tolist()])


def _embed(embedder: TorchAudioEmbedder, clips: Dataset) -> np.ndarray:
    """The mean of each clip's windows, (clips, size)."""
    vectors: list[np.ndarray] = []
    waiting: list[Sequence[np.ndarray]] = []

    def embed_waiting() -> None:
        rows = embedder.embed([window for windows in waiting for window in windows])
        ends = np.cumsum([len(windows) for windows in waiting])
        vectors.extend(part.mean(0) for part in np.split(rows, ends[:-1]))
        waiting.clear()

    for row in clips.with_format(None).select_columns("audio"):
        waiting.append(embedder.facts.cut(cached_waveform(row["audio"])))
        if sum(map(len, waiting)) >= WINDOWS_AT_ONCE:
            embed_waiting()
    if waiting:
        embed_waiting()
    return np.stack(vectors)
