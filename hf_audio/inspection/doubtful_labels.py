"""Clips whose label their embeddings speak against: they lie among those of another class."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..bulk.embed import EmbeddingQuestion
from ..bulk.scoring import default_workers, judge_clips
from ..errors import DataError
from ..inference.collection_map import CollectionMap, map_collection
from ..inference.embedder import load_embedder
from .findings import Case, Finding, find
from .listing import Entry

NEIGHBOURS_TOLD = 3


@dataclass(frozen=True)
class EmbeddedCollection:
    """What an encoder makes of a collection's clips."""

    encoder: str
    entries: list[Entry]
    """Of the clips that were embedded: those that can be read and have a class."""
    found: CollectionMap | None
    """`None` where there is nothing to tell."""

    @property
    def names(self) -> list[str]:
        """Names of the clips, for a picture."""
        return [os.path.basename(entry.path) for entry in self.entries]

    @property
    def tells(self) -> CollectionMap | None:
        """The map, where the encoder tells the classes apart, and so has a say."""
        return self.found if self.found is not None and self.found.says_something else None

    def findings(self) -> list[Finding]:
        """The doubtful clips, and why; or that the encoder has nothing to say."""
        found = self.tells
        if found is None:
            told = "too few clips of several classes" if self.found is None else _tell_agreement(self.found)
            message = f"{self.encoder} does not tell these classes apart ({told}), so no label is doubted by it."
            return [Finding("note", "not_told_apart", message, "")]
        cases = []
        for doubt in found.doubts:
            label, paths = found.labels[doubt.clip], [self.entries[place].path for place in doubt.neighbours]
            told = ", ".join(os.path.basename(path) for path in paths[:NEIGHBOURS_TOLD])
            detail = f"{label}, and of its {len(paths)} nearest clips {doubt.votes} are {doubt.among}: {told}, ..."
            cases.append(Case((self.entries[doubt.clip].path,), detail))
        title = f"Clips lie among those of another class, to {self.encoder} ({_tell_agreement(found)})"
        return find("warning", "doubtful_label", title, "Listen to them, and mend the labels that are wrong.", cases)


def _tell_agreement(found: CollectionMap) -> str:
    return f"{found.agreement:.0%} of clips lie among their own class, {found.chance:.0%} by chance"


def embed_collection(entries: Sequence[Entry], encoder: str, data: str) -> EmbeddedCollection:
    """Embed the labelled clips of a collection, and look at the neighbours of each.

    Args:
        entries: of files that can be read; the first of several labels counts.
        encoder: a checkpoint's folder, Hub id or name.
        data: the collection's name.

    Raises:
        CheckpointError: the encoder cannot be used.
        DataError: no clip has a class.
    """
    labelled = [entry for entry in entries if entry.labels and entry.labels[0]]
    if not labelled:
        raise DataError(
            f"{data} has no classes, and --encoder finds clips among those of another class: leave it out."
        )
    embedder = load_embedder(encoder)
    cut = EmbeddingQuestion().cut(embedder.facts)
    files = [(place, entry.path) for place, entry in enumerate(labelled)]
    vectors: dict[int, np.ndarray] = {}
    for judgement in judge_clips(embedder, files, cut, default_workers(len(files))):
        if judgement.problem is None and judgement.speech == [None]:
            vectors[judgement.clip] = judgement.scores[0]
    kept = [labelled[place] for place in sorted(vectors)]
    found = None
    if vectors:
        rows = np.stack([vectors[place] for place in sorted(vectors)])
        found = map_collection(rows, [entry.labels[0] for entry in kept], [entry.group for entry in kept])
    return EmbeddedCollection(encoder, kept, found)


__all__ = ["EmbeddedCollection", "embed_collection"]
