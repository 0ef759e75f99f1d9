"""Augmentations that cost more than a step may: kept over epochs, or applied to some clips."""

import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ..audio.loading import pack_samples, unpack_samples

# Tells its draws from those of the same clip and epoch that are not amortised.
AMORTIZED_DRAWS = 1


class Amortized:
    """A costly transform (pitch shift, time stretch, room) whose result for a clip serves for several epochs.

    In every epoch one clip in `epochs` is drawn anew, in turn, so that the cost of an epoch is even and falls by that
    factor, and no clip is ever frozen. Until its first turn a clip comes as it was recorded. Results wait as files of
    16-bit samples, which any loader worker can read: memory does not grow with the number of clips. A result follows
    from the seed, the clip and the turn alone, so a lost file is made again the same.

    Args:
        transform: an audiomentations transform, called as `transform(samples=..., sample_rate=...)`.
        epochs: for which a result serves; 1 draws in every epoch.
        folder: of the results; made when the first is written.
    """

    def __init__(self, transform: Callable[..., np.ndarray], epochs: int, folder: Path):
        if epochs < 1:
            raise ValueError(f"epochs={epochs} must be at least 1.")
        self.transform = transform
        self.epochs = epochs
        self.folder = folder

    def __call__(
        self, recorded: Callable[[], np.ndarray], index: int, sampling_rate: int, seed: int, epoch: int
    ) -> np.ndarray:
        """The clip number `index` as it is in this epoch, (samples,) float32.

        recorded: gives the clip as it was recorded, (samples,); it is not called where a result lies ready.
        """
        turn = (epoch - index % self.epochs) // self.epochs
        if turn < 0:
            return recorded()
        if self.epochs == 1:
            return unpack_samples(self._draw(recorded(), sampling_rate, seed, turn, index))
        file = self.folder / f"{index}-{turn}"
        try:
            return unpack_samples(file.read_bytes())
        except FileNotFoundError:
            samples = self._draw(recorded(), sampling_rate, seed, turn, index)
        self.folder.mkdir(parents=True, exist_ok=True)
        # Not by `written_whole`: what is lost is made again, and to flush every file to the disk takes longer.
        temporary = file.with_name(f".{file.name}.{os.getpid()}")
        temporary.write_bytes(samples)
        os.replace(temporary, file)
        (self.folder / f"{index}-{turn - 1}").unlink(missing_ok=True)
        return unpack_samples(samples)

    def _draw(self, waveform: np.ndarray, sampling_rate: int, *entropy: int) -> bytes:
        with seeded(AMORTIZED_DRAWS, *entropy):
            return pack_samples(self.transform(samples=waveform, sample_rate=sampling_rate))

    def clear(self) -> None:
        """Delete the results."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Occasional:
    """A costly transform of clips that are not kept: in every epoch one in `epochs` gets it, in turn, drawn anew.

    It costs as much as `Amortized` and takes no room on the disk, but the other clips come as they were recorded.

    Args:
        transform: an audiomentations transform, called as `transform(samples=..., sample_rate=...)`.
        epochs: between a clip's turns; 1 is every epoch.
    """

    def __init__(self, transform: Callable[..., np.ndarray], epochs: int):
        self.transform = transform
        self.epochs = epochs

    def __call__(
        self, recorded: Callable[[], np.ndarray], index: int, sampling_rate: int, seed: int, epoch: int
    ) -> np.ndarray:
        """The clip number `index` as it is in this epoch, (samples,) float32; called as `Amortized` is."""
        waveform = recorded()
        if (epoch - index) % self.epochs:
            return waveform
        with seeded(AMORTIZED_DRAWS, seed, epoch, index):
            return self.transform(samples=waveform, sample_rate=sampling_rate)


@contextmanager
def seeded(*entropy: int) -> Iterator[None]:
    """Within it, `random` and numpy's global generator, from which audiomentations draws, follow from `entropy`."""
    states = random.getstate(), np.random.get_state()
    seed_transforms(*entropy)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])


def seed_transforms(*entropy: int) -> None:
    """As `seeded`, for good: to keep the states and put them back takes longer than the seeding."""
    words = np.random.SeedSequence(entropy).generate_state(2)
    random.seed(int(words[0]))
    np.random.seed(words[1])
