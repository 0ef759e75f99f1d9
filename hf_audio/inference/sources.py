"""Where live sound comes from: a microphone, a file or standard input, in blocks, at its own speed."""

import os
import queue
import time
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np

from ..audio.levels import INT16_FULL_SCALE
from ..audio.loading import load_audio
from ..errors import AudioError, MissingExtraError

BLOCK_SECONDS = 0.02


def play_file(path: str | os.PathLike, sampling_rate: int, sleep: Callable[[float], Any] = time.sleep) -> Iterator:
    """A file's blocks, (samples,) float32 at a rate, each as late as it would be heard.

    sleep: waits for so many seconds.

    Raises:
        AudioError: audio that cannot be read; the sentence names it.
    """
    waveform = load_audio(path, sampling_rate)
    size = round(BLOCK_SECONDS * sampling_rate)
    return _pace((waveform[start : start + size] for start in range(0, len(waveform), size)), sampling_rate, sleep)


def read_samples(file: BinaryIO, sampling_rate: int, sleep: Callable[[float], Any] = time.sleep) -> Iterator:
    """Blocks of a stream of bytes, mono 16-bit samples with the low byte first, no faster than they would be heard.

    Returns (samples,) float32 at `sampling_rate`. sleep: waits for so many seconds.
    """

    def blocks() -> Iterator[np.ndarray]:
        size = 2 * round(BLOCK_SECONDS * sampling_rate)
        while data := file.read(size):
            yield np.frombuffer(data[: len(data) // 2 * 2], dtype="<i2").astype(np.float32) / INT16_FULL_SCALE

    return _pace(blocks(), sampling_rate, sleep)


def hear_microphone(sampling_rate: int) -> Iterator[np.ndarray]:
    """Blocks of the default microphone, (samples,) float32 at a rate, until the caller stops.

    Raises:
        MissingExtraError: `sounddevice`, or the system's PortAudio, is not installed.
        AudioError: there is no microphone, or it does not record at that rate.
    """
    try:
        import sounddevice
    except ImportError as error:
        raise MissingExtraError(
            "The microphone needs sounddevice: pip install 'hf-audio[stream]', or name a file."
        ) from error
    except OSError as error:
        raise MissingExtraError(
            "The microphone needs the system's PortAudio (on Debian: apt install libportaudio2), or name a file."
        ) from error
    blocks: queue.Queue[np.ndarray] = queue.Queue()
    try:
        microphone = sounddevice.InputStream(
            samplerate=sampling_rate,
            blocksize=round(BLOCK_SECONDS * sampling_rate),
            channels=1,
            dtype="float32",
            callback=lambda samples, *_: blocks.put(samples[:, 0].copy()),
        )
    except (sounddevice.PortAudioError, ValueError) as error:
        raise AudioError(f"The microphone cannot be opened ({error}): plug one in, or name a file.") from error
    with microphone:
        while True:
            yield blocks.get()


def _pace(blocks: Iterator[np.ndarray], rate: int, sleep: Callable[[float], Any]) -> Iterator[np.ndarray]:
    begun, n_samples = time.monotonic(), 0
    for block in blocks:
        n_samples += len(block)
        ahead = n_samples / rate - (time.monotonic() - begun)
        if ahead > 0:
            sleep(ahead)
        yield block
