"""Sections of long recordings, found by seeking: as if the whole had been decoded, in the memory of the section."""

import math
import os
from contextlib import ExitStack
from functools import lru_cache

import numpy as np

from ..errors import AudioError
from .levels import ChosenChannels, choose_channels, rescale
from .loading import open_audio
from .recording import Recording, block_frames
from .resampling import resample_blocks

# Seconds before and after a section that a resampler hears too, so that the section begins and ends as in the whole.
MARGIN = 0.1
RECORDINGS_KNOWN = 64  # whose levels and channels are kept in mind


def load_section(path: str | os.PathLike, sampling_rate: int, start: float, end: float) -> np.ndarray:
    """What `load_audio` gives from second `start` to `end` of a file, (samples,) float32, read by seeking.

    The file stays open for the next section of it: some of hours are searched from end to end when they are opened.

    Raises:
        AudioError: as `load_audio`; or the section lies beyond the end of the recording.
    """
    recording = _opened.open(path)
    rate = recording.rate
    full_scale, channels = _levels(os.path.abspath(path), *_version(path))
    margin = 0 if rate == sampling_rate else round(MARGIN * rate)
    # A frame that falls on a sample of the result, or that would lie between those of the whole.
    step = rate // math.gcd(rate, sampling_rate)
    first = max((round(start * rate) - margin) // step * step, 0)
    if recording.frames is not None and round(start * rate) >= recording.frames:
        raise AudioError(f"{path} ends before {start:g} s: check the times of its annotations.")
    block = recording.section(first, round(end * rate) + margin)
    if channels is not None and len(channels) < block.shape[1]:
        block = block[:, channels]
    # Of a block of one rate and as many frames, a whole one and an end.
    samples = np.concatenate(list(resample_blocks(_as_blocks(block), rate, sampling_rate, str(path), full_scale)))
    begin = round(start * sampling_rate) - first * sampling_rate // rate
    return samples[begin : begin + round((end - start) * sampling_rate)]


class _Opened:
    """The recording that a section was read of last, open."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._key: tuple = ()
        self._recording: Recording | None = None

    def open(self, path: str | os.PathLike) -> Recording:
        # A forked process has the place in the file in common with its parent.
        try:
            key: tuple = os.getpid(), os.path.abspath(path), *_version(path)
        except OSError:
            key = ()  # it is gone, which is told when it is opened
        if self._recording is None or key != self._key or not self._recording.is_sought:
            self.close()
            self._recording, self._key = self._stack.enter_context(open_audio(path)), key
        return self._recording

    def close(self) -> None:
        """Let go of the file."""
        self._recording = None
        self._stack.close()


_opened = _Opened()


def _as_blocks(block: np.ndarray) -> list[np.ndarray]:
    size = block_frames(block.shape[1])
    return [block[start : start + size] for start in range(0, len(block) + 1, size)]


def _version(path: str | os.PathLike) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns


@lru_cache(RECORDINGS_KNOWN)
def _levels(path: str, size: int, changed: int) -> tuple[float, list[int] | None]:
    """What the samples of a recording are divided by, and which channels are heard; `None`: all.

    size, changed: of the file, so that another one of its name is another one.
    """
    with open_audio(path) as recording:
        full_scale = recording.full_scale()  # which reads files of floats as a whole
        if recording.channels == 1:
            return full_scale, None
        for block in recording.blocks():
            chosen: ChosenChannels = choose_channels(rescale(block, full_scale))
            if not chosen.is_silent:
                return full_scale, chosen.heard
        return full_scale, None
