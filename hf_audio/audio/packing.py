"""Waveforms as training keeps them: 16 bits a sample, faint ones made louder before they are rounded."""

from typing import NamedTuple

import numpy as np

# -60 dB of full scale, where rounding to 16 bits is heard.
FAINT = 1e-3


def to_int16(waveform: np.ndarray) -> np.ndarray:
    """(samples,) in [-1, 1], what lies outside clipped -> 16-bit integers."""
    return np.rint(np.clip(waveform, -1, 1) * 32767).astype("<i2")


def from_int16(samples: np.ndarray) -> np.ndarray:
    """The inverse of `to_int16`, but for the rounding: (samples,) float32."""
    return np.multiply(samples, np.float32(1 / 32767), dtype=np.float32)


def pack_samples(waveform: np.ndarray) -> bytes:
    """(samples,) in [-1, 1] as training keeps it: 16 bits a sample, also where 16 bits of full scale would be too few.

    Behind the samples of a waveform whose peak is below `FAINT`, one byte tells by which power of two it was made
    louder before it was rounded.
    """
    peak = float(np.abs(waveform).max(initial=0.0))
    if peak == 0 or peak >= FAINT:
        return to_int16(waveform).tobytes()
    exponent = -int(np.frexp(peak)[1])
    return to_int16(np.ldexp(waveform, exponent)).tobytes() + bytes([exponent])


class Packed(NamedTuple):
    """What `pack_samples` gives, where it lies."""

    samples: np.ndarray
    """(samples,) of 16 bits, not to be written to."""
    exponent: int
    """Of two: by which power they were made louder."""

    def unpack(self) -> np.ndarray:
        """The inverse of `pack_samples`, but for the rounding: (samples,) float32."""
        samples = from_int16(self.samples)
        return np.ldexp(samples, -self.exponent) if self.exponent else samples


def open_packed(content: bytes | memoryview) -> Packed:
    """What `pack_samples` gives, without a copy."""
    samples = np.frombuffer(content, dtype="<i2", count=len(content) // 2)
    return Packed(samples, content[-1] if len(content) % 2 else 0)


def unpack_samples(content: bytes | memoryview) -> np.ndarray:
    """The inverse of `pack_samples`, but for the rounding: (samples,) float32."""
    return open_packed(content).unpack()
