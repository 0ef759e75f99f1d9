"""Augmentations that cost more than a step may: kept over epochs, or applied to some clips."""

import os
import random
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ..audio.packing import Packed, open_packed, pack_samples

# Tells its draws from those of the same clip and epoch that are not amortised.
AMORTIZED_DRAWS = 1
HEAD_BYTES = 8  # of a file, which tell the turn
# Of `random` and numpy's global generator, which all threads share: held while draws must follow from a seed alone.
GENERATORS = threading.RLock()
_MASK = (1 << 64) - 1


class Amortized:
    """A costly transform (pitch shift, time stretch, room) whose result for a clip serves for several epochs.

    In every epoch one clip in `epochs` is drawn anew, in turn, so that the cost of an epoch is even and falls by that
    factor, and no clip is ever frozen. Until its first turn a clip comes as it was recorded. Results wait as files of
    16-bit samples, one a clip, which any loader worker can read: memory does not grow with the number of clips. A
    result follows from the seed, the clip and the turn alone, so a lost file is made again the same.

    It is called within `seeded`, because it seeds the generators for good.

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

    def __call__(self, recorded: Packed, index: int, sampling_rate: int, seed: int, epoch: int) -> Packed:
        """The clip number `index` as it is in this epoch; recorded: as it was recorded."""
        turn = (epoch - index % self.epochs) // self.epochs
        if turn < 0:
            return recorded
        if self.epochs == 1:
            return open_packed(self._draw(recorded, sampling_rate, seed, turn, index))
        file, head = os.path.join(self.folder, str(index)), turn.to_bytes(HEAD_BYTES, "little")
        content = b""
        try:
            with open(file, "rb") as kept:
                content = kept.read()
        except FileNotFoundError:
            self.folder.mkdir(parents=True, exist_ok=True)
        if not content.startswith(head):  # but with an earlier turn, or a later one, from before a run was resumed
            content = head + self._draw(recorded, sampling_rate, seed, turn, index)
            # Not by `written_whole`: what is lost is made again, and to flush every file to the disk takes longer.
            # Processes of two machines may have one number, and draw the same clip.
            temporary = os.path.join(self.folder, f".{index}.{uuid.uuid4().hex}")
            with open(temporary, "wb") as drawn:
                drawn.write(content)
            os.replace(temporary, file)
        return open_packed(memoryview(content)[HEAD_BYTES:])

    def _draw(self, recorded: Packed, sampling_rate: int, *entropy: int) -> bytes:
        seed_transforms(AMORTIZED_DRAWS, *entropy)
        return pack_samples(self.transform(samples=recorded.unpack(), sample_rate=sampling_rate))


class Occasional:
    """A costly transform of clips that are not kept: in every epoch one in `epochs` gets it, in turn, drawn anew.

    It costs as much as `Amortized` and takes no room on the disk, but the other clips come as they were recorded. It
    is called within `seeded`, too.

    Args:
        transform: an audiomentations transform, called as `transform(samples=..., sample_rate=...)`.
        epochs: between a clip's turns; 1 is every epoch.
    """

    def __init__(self, transform: Callable[..., np.ndarray], epochs: int):
        self.transform = transform
        self.epochs = epochs

    def __call__(self, recorded: Packed, index: int, sampling_rate: int, seed: int, epoch: int) -> Packed | np.ndarray:
        """The clip number `index` as it is in this epoch, changed (samples,) float32; called as `Amortized` is."""
        if (epoch - index) % self.epochs:
            return recorded
        seed_transforms(AMORTIZED_DRAWS, seed, epoch, index)
        return self.transform(samples=recorded.unpack(), sample_rate=sampling_rate)


@contextmanager
def seeded(*entropy: int) -> Iterator[None]:
    """Within it, `random` and numpy's global generator, from which audiomentations draws, follow from `entropy`.

    Other threads wait that draw within such a block too.
    """
    with GENERATORS:
        states = random.getstate(), np.random.get_state()
        seed_transforms(*entropy)
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])


def seed_transforms(*entropy: int) -> None:
    """As `seeded`, for good: to keep the states and put them back takes longer than the seeding."""
    word = 0
    for value in entropy:
        word = _scramble(word ^ (value & _MASK))
    random.seed(word)
    np.random.seed(_scramble(word) >> 32)


def _scramble(word: int) -> int:
    """Neighbouring numbers of 64 bits to others that have nothing in common: splitmix64 (Steele et al. 2014).

    numpy's `SeedSequence` takes longer than all draws of a clip.
    """
    word = (word + 0x9E3779B97F4A7C15) & _MASK
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & _MASK
    return word ^ (word >> 31)
