"""`hf-audio embed`: many recordings to one file of embeddings, by the engine that answers `hf-audio predict`."""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import NoSpeechError
from ..inference.embedder import AudioEmbedder, load_embedder
from .answers import Row, Writer, shown_name
from .clips import is_searched
from .journal import Entry
from .questions import Answerer, WindowQuestion, fingerprint
from .scoring import Judgement
from .vectors.heading import VectorHeading, pack
from .vectors.vector_files import choose_vector_writer


@dataclass(frozen=True)
class EmbeddingQuestion(WindowQuestion[VectorHeading]):
    """What a recording or a window is to the network: its embedding."""

    embedder: AudioEmbedder | None = field(default=None, compare=False)
    """The checkpoint, where it is loaded already."""

    sources: Sequence[str] = field(default=(), compare=False)
    """Where the recordings are found, which is told with the vectors."""

    action = "Embedding"

    @property
    def request(self) -> dict[str, Any]:
        """See `WindowQuestion.request`."""
        return {"command": "embed", **super().request}

    def complaints_in(self, output: Path) -> str:
        """See `WindowQuestion.complaints_in`."""
        return f"the metadata of {output}"

    def network(self, checkpoint: str) -> AudioEmbedder:
        """See `WindowQuestion.network`."""
        return self.embedder or load_embedder(checkpoint)

    def answerer(self, network: AudioEmbedder, checkpoint: str) -> "EmbeddingAnswerer":
        """See `WindowQuestion.answerer`."""
        return EmbeddingAnswerer(network, checkpoint, self)

    def choose_writer(self, output: Path, n_clips: int) -> Writer[VectorHeading]:
        """See `WindowQuestion.choose_writer`."""
        return choose_vector_writer(output)


class EmbeddingAnswerer(Answerer[VectorHeading]):
    """What embeds, and is asked for that of every recording or window.

    Args:
        embedder: is asked.
        checkpoint: its name.
        question: of what.
    """

    def __init__(self, embedder: AudioEmbedder, checkpoint: str, question: EmbeddingQuestion):
        super().__init__(embedder, embedder.facts)
        self.embedder = embedder
        self.checkpoint = checkpoint
        self.question = question

    def heading(self, further: Sequence[str]) -> VectorHeading:
        """See `Answerer.heading`."""
        window, hop = self.question.cut(self.facts).over_time or (None, None)
        rate = self.facts.sampling_rate
        metadata = {
            "checkpoint_name": self.checkpoint,
            "sampling_rate": rate,
            "window_seconds": None if window is None else window / rate,
            "hop_seconds": None if hop is None else hop / rate,
            "folder": os.getcwd(),  # where the names of files lead on from
            "searched": [shown_name(source) for source in self.question.sources if is_searched(source)],
        }
        return VectorHeading(further, self.embedder.size, fingerprint(self.checkpoint), metadata)

    def entry(self, judgement: Judgement, file: str) -> Entry:
        """See `Answerer.entry`. Windows in which nobody speaks have no vector, where the checkpoint is of speech."""
        spoken = [place for place, speech in enumerate(judgement.speech) if speech is None]
        problem = judgement.problem
        if problem is None and not spoken and judgement.ended and not self.question.over_time:
            problem = str(NoSpeechError(file, 0.0))
        stamp: tuple[int | None, int | None] = None, None
        with suppress(OSError):  # which is gone already
            about = os.stat(file)
            stamp = about.st_size, about.st_mtime_ns
        answers = [[pack(judgement.scores[place]), *stamp] for place in spoken]
        return Entry(
            judgement.clip, [list(judgement.spans[place]) for place in spoken], answers, judgement.ended, problem
        )

    def show(self, heading: VectorHeading, rows: Iterable[Row], paths: Iterable[str]) -> None:
        """See `Answerer.show`.

        A line a vector would fill the screen, so there is one for all.
        """
        print(f"{sum(1 for _ in rows)} vectors of {heading.size} numbers")
