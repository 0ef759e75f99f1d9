"""Files to the windows that a network hears, in processes of their own, ahead of it."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from ..audio.loading import stream_audio
from ..audio.resampling import to_mono
from ..audio.windows import cut_running
from ..errors import AudioError, DecodingError
from ..inference.facts import Facts
from ..inference.frames import FrameCutter, FrameWindows
from ..remote.addresses import is_remote, public_name
from ..remote.reading import fetch

# Windows that are handed over together, and how many samples they may have: a worker holds three such parcels.
PARCEL_WINDOWS = 16
PARCEL_SAMPLES = 1 << 21
# What is judged as a whole must fit into memory as a whole.
LONGEST_WHOLE_SECONDS = 600
# Remote files that are opened before they are asked for, two megabytes of each.
FETCHED_AHEAD = 32


@dataclass(frozen=True)
class Sound:
    """A recording that lies in no file of its own, or goes by another name than its file's."""

    name: str
    """For sentences about it."""
    source: "str | bytes | np.ndarray | Future[IO[bytes]] | AudioError | None"
    """The file, its bytes, one that is being opened, or samples as `to_mono` takes them; or why there is none."""
    rate: int | None = None
    """Of samples, in Hz; `None`: the checkpoint's."""


Clip = str | Sound
"""The path of a file, or any other recording."""


def name_of(clip: Clip) -> str:
    """What a recording is called."""
    return public_name(clip if isinstance(clip, str) else clip.name)


@dataclass(frozen=True)
class Piece:
    """A window of a clip; behind the last one, the clip's end."""

    clip: int
    """Its place among the clips."""
    start: int = 0
    """In samples."""
    samples: np.ndarray | None = None
    """(samples,) float32; `None` at the clip's end."""
    problem: str | None = None
    """At the end of a clip that cannot be read: why, in a sentence."""
    speech: float | None = None
    """Of a window, or at the end of a clip, in which nobody speaks: how probable it is that somebody does."""


@dataclass(frozen=True)
class Cut:
    """How recordings become windows: as a checkpoint's facts have it, for an answer each, or over time."""

    facts: Facts
    over_time: tuple[int, int] | None = None
    """Samples of the windows over time, and from one's end to the next one's; `None`: one answer a recording."""
    moments: FrameWindows | None = None
    """In their place, the windows by which a recording is scored moment by moment."""
    contents: Sequence[bytes | None] | None = None
    """What recordings hold that lie in no files of their own, by the places of the clips; `None`: a file."""

    @property
    def is_over_time(self) -> bool:
        """Whether windows are judged rather than recordings."""
        return self.over_time is not None or self.moments is not None

    def pieces(self, clip: int, file: Clip) -> Iterator[Piece]:
        """The windows of a recording and its end. What cannot be read, perhaps from its middle on, ends so."""
        try:
            yield from self._windows(clip, file)
        except AudioError as error:
            yield Piece(clip, problem=str(error))
        except OSError as error:  # in the middle of a file
            yield Piece(clip, problem=f"{name_of(file)} cannot be read ({error.strerror or error}): copy it again.")

    def _blocks(self, file: Clip) -> Iterator[np.ndarray]:
        """The recording at the checkpoint's rate, (samples,) each."""
        rate = self.facts.sampling_rate
        if isinstance(file, str):
            yield from stream_audio(file, rate)
        elif file.source is None:
            raise AudioError(f"{name_of(file)} holds no recording: fill it or leave it out.")
        elif isinstance(file.source, AudioError):
            raise file.source
        elif isinstance(file.source, np.ndarray):
            yield to_mono(file.source, file.rate or rate, rate, name_of(file))
        else:
            yield from stream_audio(file.source, rate, name=name_of(file))

    def _windows(self, clip: int, file: Clip) -> Iterator[Piece]:
        content = None if self.contents is None else self.contents[clip]
        source = file if content is None else Sound(name_of(file), content)
        blocks: Iterable[np.ndarray] = self._blocks(source)
        if self.moments is not None:
            for start, samples in FrameCutter(self.moments).cut(blocks):
                yield Piece(clip, start, samples)
            yield Piece(clip)
            return
        if self.over_time is not None:
            for start, samples in cut_running(blocks, *self.over_time):
                yield Piece(clip, start, samples, speech=self.facts.keep_speech(samples)[1])
            yield Piece(clip)
            return
        speech = None
        if self.facts.speech_only:
            whole = np.concatenate(
                list(self._limit(blocks, name_of(file), "too long to find the speech in it: cut it"))
            )
            spoken, speech = self.facts.keep_speech(whole)
            blocks = [spoken]
        elif self.facts.window is None:
            remedy = "and this checkpoint judges recordings as a whole: judge it in windows, with --windows"
            blocks = self._limit(blocks, name_of(file), remedy)
        if speech is None:
            for start, samples in self.facts.cut_blocks(blocks):
                yield Piece(clip, start, samples)
        yield Piece(clip, speech=speech)

    def _limit(self, blocks: Iterable[np.ndarray], file: str, remedy: str) -> Iterator[np.ndarray]:
        """The blocks of a file that has to fit into memory as a whole."""
        n_samples = 0
        for block in blocks:
            n_samples += len(block)
            if n_samples > LONGEST_WHOLE_SECONDS * self.facts.sampling_rate:
                raise AudioError(f"{file} lasts more than {LONGEST_WHOLE_SECONDS // 60} minutes, {remedy}.")
            yield block


def decode(files: Sequence[tuple[int, Clip]], cut: Cut) -> Iterator[list[Piece]]:
    """Places of recordings, and these -> parcels of their windows, one file after the other."""
    parcel: list[Piece] = []
    n_samples = 0
    for clip, file in _fetched(files):
        for piece in cut.pieces(clip, file):
            parcel.append(piece)
            if piece.samples is None:
                continue
            n_samples += len(piece.samples)
            if len(parcel) >= PARCEL_WINDOWS or n_samples >= PARCEL_SAMPLES:
                yield parcel
                parcel, n_samples = [], 0
    yield parcel


def _fetched(files: Iterable[tuple[int, Clip]]) -> Iterator[tuple[int, Clip]]:
    """The same recordings; those that are remote are opened by threads, a number of them ahead."""
    waiting: deque[tuple[int, Clip]] = deque()
    for place, clip in files:
        source = clip if isinstance(clip, str) else clip.source
        if isinstance(source, str) and is_remote(source):
            clip = Sound(name_of(clip), fetch(source))
        waiting.append((place, clip))
        if len(waiting) > FETCHED_AHEAD:
            yield waiting.popleft()
    yield from waiting


class _DecodedFiles(IterableDataset):
    """`decode`, of every so many-th file in each loader worker."""

    def __init__(self, files: Sequence[tuple[int, Clip]], cut: Cut):
        self.files = files
        self.cut = cut

    def __iter__(self) -> Iterator[list[Piece]]:
        worker = get_worker_info()
        assert worker is not None
        yield from decode(self.files[worker.id :: worker.num_workers], self.cut)


def decode_ahead(files: Sequence[tuple[int, Clip]], cut: Cut, num_workers: int) -> Iterator[list[Piece]]:
    """`decode` in so many processes, which take turns and are at most two parcels ahead; 0: in this one.

    Raises:
        DecodingError: a process died.
    """
    if num_workers == 0:
        yield from decode(files, cut)
        return
    parcels: Any = DataLoader(
        _DecodedFiles(files, cut), batch_size=None, num_workers=num_workers, collate_fn=_as_it_is, prefetch_factor=2
    )
    parcels = iter(parcels)
    while True:
        try:
            parcel = next(parcels)
        except StopIteration:
            return
        except RuntimeError as error:
            raise DecodingError(
                f"A process that decodes has died ({str(error).splitlines()[0]}): lower --num_workers if memory is "
                "short, and go on with --resume."
            ) from error
        yield parcel


def _as_it_is(parcel: list[Piece]) -> list[Piece]:
    # The loader would make tensors of the arrays.
    return parcel
