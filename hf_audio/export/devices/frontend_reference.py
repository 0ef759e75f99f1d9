"""The front-end of a network that was exported without it: a window of samples in, what the network reads out.

Needs numpy alone, and no other file than the constants beside it. It is written to be read: what a device has to
compute is each line of it, in another language. `FrameStream` computes the frames that two windows share once.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np


class FrontEnd:
    """Windows of samples to standardised features, as the network was trained on them.

    Args:
        constants: the .npz beside the exported network.
    """

    def __init__(self, constants: str | Path):
        with np.load(constants) as values:
            self.window = values["window"]  # (n_fft,), zeros around it where it is shorter than a frame
            self.mel_filters = values["mel_filters"]  # (mels, n_fft / 2 + 1)
            self.dct = values["dct"]  # (coefficients, mels); no rows where the network reads decibels
            self.mean, self.deviation = values["mean"], values["deviation"]  # (features,)
            self.samples = int(values["samples"])  # of a window
            self.hop = int(values["hop"])  # from one frame to the next one
            self.power = float(values["power"])  # of the magnitudes
            self.amin = float(values["amin"])  # the least energy
            self.top_db = float(values["top_db"])  # below the loudest moment of a window; infinite where none is
            self.center_features = bool(values["center_features"])
            self.remove_level = bool(values["remove_level"])
        self.n_fft = len(self.window)
        self.n_frames = self.samples // self.hop + 1

    def decibels(self, frames: np.ndarray) -> np.ndarray:
        """Frames of samples, (frames, n_fft), to the energies of the mel bands, (frames, mels) in dB."""
        spectrum = np.fft.rfft(frames * self.window)
        energy = spectrum.real**2 + spectrum.imag**2
        if self.power != 2:
            energy = energy ** (self.power / 2)
        return 10 * np.log10(np.maximum(energy @ self.mel_filters.T, self.amin))

    def frames(self, window: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Some frames of a window, (samples,): that of number k has sample k * hop in its middle. (frames, n_fft)."""
        padded = np.pad(window, (self.n_fft // 2, self.n_fft))  # zeros around a window
        return padded[numbers[:, None] * self.hop + np.arange(self.n_fft)]

    def standardise(self, decibels: np.ndarray) -> np.ndarray:
        """The frames of a window, (frames, mels) in dB, to what the network reads, (1, features, frames) float32."""
        features = np.maximum(decibels, decibels.max() - self.top_db)
        if len(self.dct):
            features = features @ self.dct.T
        if self.center_features:
            features = features - features.mean(0)
        if self.remove_level:
            features = features - features.mean()
        return (((features - self.mean) / self.deviation).T[None]).astype(np.float32)

    def features(self, window: np.ndarray) -> np.ndarray:
        """A window, (samples,) with full scale 1, to what the network reads, (1, features, frames) float32."""
        return self.standardise(self.decibels(self.frames(window, np.arange(self.n_frames))))


class FrameStream:
    """Features of the windows of an endless recording, in which frames that two windows share are computed once.

    The frames at a window's two ends see zeros beyond it, as in training: these alone are computed anew.

    Args:
        frontend: of the network.
        hop: samples from one window to the next one, rounded to whole frames.
    """

    def __init__(self, frontend: FrontEnd, hop: int):
        self.frontend = frontend
        self.hop = max(round(hop / frontend.hop), 1) * frontend.hop
        margin = -(-(frontend.n_fft // 2) // frontend.hop)  # frames that reach beyond a window
        last = (frontend.samples - (frontend.n_fft - frontend.n_fft // 2)) // frontend.hop
        numbers = np.arange(frontend.n_frames)
        self.inner = (numbers >= margin) & (numbers <= last)
        self.n_computed = 0
        """Frames computed so far."""
        self._waiting = np.zeros(0, dtype=np.float32)
        self._known: dict[int, np.ndarray] = {}  # by their numbers in the recording
        self._start = 0  # of the next window, in samples of the recording

    def push(self, samples: np.ndarray) -> Iterator[np.ndarray]:
        """The next samples, (any number,), to the features of each window that they end, (1, features, frames)."""
        frontend = self.frontend
        self._waiting = np.concatenate([self._waiting, samples])
        while len(self._waiting) >= max(frontend.samples, self.hop):
            window, first = self._waiting[: frontend.samples], self._start // frontend.hop
            numbers = np.arange(frontend.n_frames)
            missing = numbers[[not (inner and first + n in self._known) for n, inner in enumerate(self.inner)]]
            rows = dict(zip(missing.tolist(), frontend.decibels(frontend.frames(window, missing)), strict=True))
            self.n_computed += len(missing)
            decibels = np.stack([rows[n] if n in rows else self._known[first + n] for n in numbers.tolist()])
            self._start += self.hop
            kept = self._start // frontend.hop
            self._known = {first + n: decibels[n] for n in numbers[self.inner].tolist() if first + n >= kept}
            self._waiting = self._waiting[self.hop :]
            yield frontend.standardise(decibels)
