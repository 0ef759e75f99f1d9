"""Files to the windows that a network hears, in processes of their own, ahead of it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from ..audio.loading import stream_audio
from ..audio.speech import keep_speech
from ..audio.windows import cut_running, cut_windows
from ..errors import AudioError, DecodingError, NoSpeechError
from ..inference.classifier import AudioClassifier

# Windows that are handed over together, and how many samples they may have: a worker holds three such parcels.
PARCEL_WINDOWS = 16
PARCEL_SAMPLES = 1 << 21
# What is judged as a whole must fit into memory as a whole.
LONGEST_WHOLE_SECONDS = 600


@dataclass(frozen=True)
class Cut:
    """How recordings are cut into windows."""

    sampling_rate: int
    """In Hz."""
    window: int | None
    """Samples of a window; `None`: every recording is judged as a whole."""
    hop: int | None
    """Samples from one window's end to the next one's; `None`: windows lie as `split_windows` cuts."""
    speech_only: bool = False
    """Whether what nobody speaks in is cut away first or, over time, told of windows."""
    overlap: float = 0.0
    """Share of a window that the next one hears again, where there is no hop."""

    @classmethod
    def of_clips(cls, classifier: AudioClassifier) -> "Cut":
        """As `AudioClassifier.split`: the mean of these windows' scores is a clip's answer."""
        seconds = None if classifier.num_digits else classifier.clip_seconds
        window = None if seconds is None else round(seconds * classifier.sampling_rate)
        return cls(classifier.sampling_rate, window, None, classifier.speech_only, classifier.overlap)

    def windows(self, file: str) -> Iterator[tuple[int, np.ndarray]]:
        """Start, in samples, and samples of each window of a file.

        Raises:
            NoSpeechError: nobody speaks, where that is asked.
            AudioError: see `stream_audio`; or the file is too long to be judged as a whole.
        """
        blocks: Iterable[np.ndarray] = stream_audio(file, self.sampling_rate)
        if self.speech_only and self.hop is None:
            remedy = "too long to find the speech in it: cut it"
            whole = _join(blocks, LONGEST_WHOLE_SECONDS * self.sampling_rate, file, remedy)
            blocks = [keep_speech(whole, self.sampling_rate, file)]
        if self.window is None:
            remedy = "and this checkpoint judges recordings as a whole: judge it in windows, with --windows"
            yield 0, _join(blocks, LONGEST_WHOLE_SECONDS * self.sampling_rate, file, remedy)
        elif self.hop is None:
            yield from cut_windows(blocks, self.window, self.overlap)
        else:
            yield from cut_running(blocks, self.window, self.hop)

    def find_silence(self, window: np.ndarray) -> float | None:
        """Of a window, (samples,), in which nobody speaks, where that is asked over time, how probable speech is."""
        if self.speech_only and self.hop is not None:
            try:
                keep_speech(window, self.sampling_rate)
            except NoSpeechError as error:
                return error.probability
        return None


def _join(blocks: Iterable[np.ndarray], limit: int, file: str, remedy: str) -> np.ndarray:
    joined: list[np.ndarray] = []
    n_samples = 0
    for block in blocks:
        joined.append(block)
        n_samples += len(block)
        if n_samples > limit:
            raise AudioError(f"{file} lasts more than {LONGEST_WHOLE_SECONDS // 60} minutes, {remedy}.")
    return joined[0] if len(joined) == 1 else np.concatenate(joined)


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


def decode(files: Sequence[tuple[int, str]], cut: Cut) -> Iterator[list[Piece]]:
    """Places and names of files -> parcels of their windows, one file after the other."""
    parcel: list[Piece] = []
    n_samples = 0
    for clip, file in files:
        problem = speech = None
        try:
            for start, samples in cut.windows(file):
                parcel.append(Piece(clip, start, samples, speech=cut.find_silence(samples)))
                n_samples += len(samples)
                if len(parcel) >= PARCEL_WINDOWS or n_samples >= PARCEL_SAMPLES:
                    yield parcel
                    parcel, n_samples = [], 0
        except NoSpeechError as error:
            speech = error.probability
        except AudioError as error:
            problem = str(error)
        except OSError as error:  # in the middle of a file
            problem = f"{file} cannot be read ({error.strerror}): copy it again."
        parcel.append(Piece(clip, problem=problem, speech=speech))
    yield parcel


class _DecodedFiles(IterableDataset):
    """`decode`, of every so many-th file in each loader worker."""

    def __init__(self, files: Sequence[tuple[int, str]], cut: Cut):
        self.files = files
        self.cut = cut

    def __iter__(self) -> Iterator[list[Piece]]:
        worker = get_worker_info()
        assert worker is not None
        yield from decode(self.files[worker.id :: worker.num_workers], self.cut)


def decode_ahead(files: Sequence[tuple[int, str]], cut: Cut, num_workers: int) -> Iterator[list[Piece]]:
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
