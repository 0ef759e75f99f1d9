"""What a checkpoint can be asked about many recordings, and how its answers are kept and laid out."""

import hashlib
import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, get_args

from ..encoders.names import find_checkpoint
from ..errors import ArgumentError
from ..inference.checkpoint import load_classifier
from ..inference.classifier import AudioClassifier
from ..inference.facts import Facts, RunningMean, RunningScores, Whole
from .answers import Heading, Row, Writer, choose_writer, print_table
from .decoding import Cut
from .journal import Entry
from .scoring import Judgement, Scorer

logger = logging.getLogger(__name__)

CONFIGURATION = ("config.json", "preprocessor_config.json")  # of what a network is; other files tell how it came about


def warn_of_every_noise(checkpoint: str, facts: Facts) -> None:
    """Say that a checkpoint that is asked over time calls every noise by one of its labels, if it does."""
    if facts.names_every_noise:
        logger.warning(
            "%s knows no 'none of these', so it calls every noise by one of its %d labels: train it with --background "
            "(recordings of what is none of them), or trust high confidences alone.",
            checkpoint,
            len(facts.labels),
        )


def fingerprint(checkpoint: str) -> str:
    """A digest of the configuration and weights in a folder or file; the id of a checkpoint on the Hub."""
    path = Path(find_checkpoint(checkpoint))
    files = [path] if path.is_file() else [path / name for name in CONFIGURATION if (path / name).is_file()]
    files += sorted(path.glob("*.safetensors"))
    if not files:
        return checkpoint
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


class AnyHeading(Protocol):
    """The columns of a table of answers, whatever was asked."""

    @property
    def columns(self) -> list[str]:
        """All names in their order."""

    def rows(
        self,
        clip: Mapping[str, str],
        spans: Iterable[Sequence[float]],
        answers: Iterable[Any],
        problem: str | None,
    ) -> Iterator[Row]:
        """The rows of one clip."""


H = TypeVar("H", bound=AnyHeading)


class Answerer(ABC, Generic[H]):
    """A loaded checkpoint that is asked one question.

    Args:
        scorer: runs its network.
        facts: of the checkpoint.
    """

    def __init__(self, scorer: Scorer, facts: Facts):
        self.scorer = scorer
        self.facts = facts

    @abstractmethod
    def heading(self, further: Sequence[str]) -> H:
        """The columns of the table of answers to clips that have these further columns."""

    @abstractmethod
    def entry(self, judgement: Judgement, file: str) -> Entry:
        """What is kept of a judgement of a file: values that JSON has."""

    def running(self) -> RunningScores:
        """What makes a clip's scores, or its vector, of its windows'."""
        return RunningMean()

    @abstractmethod
    def show(self, heading: H, rows: Iterable[Row], paths: Iterable[str]) -> None:
        """Print the answers to the clips of these paths as they come."""


@dataclass(frozen=True)
class WindowQuestion(ABC, Generic[H]):
    """Something that can be asked about every recording, or about the windows of each."""

    over_time: bool = False
    """Whether it is asked of windows rather than of clips."""
    hop_seconds: float | None = None
    """From one window's beginning to the next one's; `None`: half a window or, where they do not overlap, a window."""

    action = "Predicting"
    """What a progress bar calls it."""
    overlapping = False
    """Whether windows overlap by half unless something else is asked for, so that no event is cut in two."""

    def __post_init__(self) -> None:
        if self.hop_seconds is not None and not self.over_time:
            raise ArgumentError("--hop_seconds is for scores over time: add --windows.")
        if self.hop_seconds is not None and not 0 < self.hop_seconds < math.inf:
            raise ArgumentError(f"--hop_seconds {self.hop_seconds} must be more than 0, and a number.")

    def cut(self, facts: Facts) -> Cut:
        """How it is asked of a recording."""
        if not self.over_time:
            return Cut(facts)
        window, hop = facts.stream_windows(hop_seconds=self.hop_seconds)
        return Cut(facts, (window, hop if self.overlapping or self.hop_seconds is not None else window))

    @property
    def request(self) -> dict[str, Any]:
        """What a run that goes on with another one's answers must have been asked too."""
        return {"--windows": self.over_time, "--hop_seconds": self.hop_seconds}

    def complaints_in(self, output: Path) -> str:
        """Where all clips that cannot be read are listed."""
        return str(output)

    @abstractmethod
    def network(self, checkpoint: str) -> Any:
        """What answers: the checkpoint, loaded.

        Raises:
            CheckpointError: it cannot be.
        """

    @abstractmethod
    def answerer(self, network: Any, checkpoint: str) -> Answerer[H]:
        """What `network` gave, ready to be asked about clips that have not been heard before."""

    @abstractmethod
    def choose_writer(self, output: Path, n_clips: int) -> Writer[H]:
        """What writes the answers to so many clips, by the output's name.

        Raises:
            DataError: the name says nothing, or does not suit.
        """


@dataclass(frozen=True)
class Question(WindowQuestion[Heading]):
    """What is heard: the best labels, or the number, each with its confidence."""

    top_k: int = 1
    """How many labels, best first."""
    whole: Whole = "mean"
    """What of its windows' scores becomes a recording's."""

    overlapping = True

    def __post_init__(self) -> None:
        if self.top_k < 1:
            raise ArgumentError(f"--top_k {self.top_k} must be 1 or more.")
        if self.whole not in get_args(Whole):
            raise ArgumentError(f"--whole {self.whole} must be one of {', '.join(get_args(Whole))}.")
        if self.whole != "mean" and self.over_time:
            raise ArgumentError(f"--whole {self.whole} is of whole recordings: leave it or --windows out.")
        super().__post_init__()

    @property
    def request(self) -> dict[str, Any]:
        """See `WindowQuestion.request`."""
        whole = {} if self.whole == "mean" else {"--whole": self.whole}  # journals of earlier versions have none
        return {"--top_k": self.top_k, **whole, **super().request}

    def network(self, checkpoint: str) -> AudioClassifier:
        """See `WindowQuestion.network`."""
        classifier = load_classifier(checkpoint)
        if self.over_time:
            warn_of_every_noise(checkpoint, classifier.facts)
            window, hop = self.cut(classifier.facts).over_time or (0, 1)
            if hop >= window:
                logger.warning("A recording's last window ends with it, and may overlap the one before: see `start`.")
        return classifier

    def answerer(self, network: AudioClassifier, checkpoint: str) -> "LabelAnswerer":
        """See `WindowQuestion.answerer`."""
        return LabelAnswerer(network, self)

    def choose_writer(self, output: Path, n_clips: int) -> Writer[Heading]:
        """See `WindowQuestion.choose_writer`."""
        return choose_writer(output, over_time=self.over_time, n_clips=n_clips)


class LabelAnswerer(Answerer[Heading]):
    """A classifier that is asked for labels.

    Args:
        classifier: is asked.
        question: how many, and of what.
    """

    def __init__(self, classifier: AudioClassifier, question: Question):
        super().__init__(classifier, classifier.facts)
        self.question = question
        self.facts.running(question.whole)  # refused before anything takes time

    @property
    def n_answers(self) -> int:
        """How many labels each clip or window gets."""
        return 1 if self.facts.num_digits else min(self.question.top_k, len(self.facts.labels))

    def running(self) -> RunningScores:
        """See `Answerer.running`."""
        return self.facts.running(self.question.whole)

    def heading(self, further: Sequence[str]) -> Heading:
        """See `Answerer.heading`."""
        kind = "number" if self.facts.num_digits else "label"
        over_time, rate, tags = self.question.over_time, self.facts.sampling_rate, self.facts.multi_label
        return Heading(further, kind, self.n_answers, over_time, rate, tags)

    def entry(self, judgement: Judgement, file: str) -> Entry:
        """See `Answerer.entry`."""
        answers: list[list[list[Any]]] = []
        for scores in judgement.scores:
            answer = self.facts.name(scores, self.n_answers)
            best = [answer] if isinstance(answer, dict) else answer
            answers.append([[one.get("text", one.get("label")), round(one["score"], 6)] for one in best])
        spans = [list(span) for span in judgement.spans]
        return Entry(judgement.clip, spans, answers, judgement.ended, judgement.problem)

    def show(self, heading: Heading, rows: Iterable[Row], paths: Iterable[str]) -> None:
        """See `Answerer.show`."""
        labels = ["9" * self.facts.num_digits] if self.facts.num_digits else self.facts.labels
        print_table(heading, rows, paths, labels)
