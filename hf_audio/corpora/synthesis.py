"""What sounds out of formulas are made of, at any sampling rate."""

from collections.abc import Sequence

import numpy as np


def decibels(level: float) -> float:
    """A level in dB -> the factor of an amplitude."""
    return 10 ** (level / 20)


def draw_log(random: np.random.Generator, low: float, high: float) -> float:
    """Draw a number such that each octave from `low` to `high` is as likely as any other."""
    return low * (high / low) ** random.random()


def shape_spectrum(samples: np.ndarray, gains: np.ndarray, n_fft: int | None = None) -> np.ndarray:
    """Multiply a spectrum by gains, (n_fft // 2 + 1,): (samples,) -> (samples,).

    n_fft: length of the Fourier transform, by default that of the samples; a longer one keeps what rings on from the
    beginning.
    """
    n_fft = n_fft or len(samples)
    return np.fft.irfft(np.fft.rfft(samples, n_fft) * gains, n_fft)[: len(samples)]


def ring(
    frequencies: Sequence[float] | np.ndarray,
    decays: Sequence[float] | np.ndarray,
    gains: Sequence[float] | np.ndarray,
    n_samples: int,
    rate: int,
    *,
    highest: float,
) -> np.ndarray:
    """Add up sines that start at once and fade away: (n_samples,).

    Args:
        frequencies: in Hz; those from `highest` on are left out.
        decays: in seconds, to 1/e.
        gains: amplitudes.
        n_samples: how long.
        rate: in Hz.
        highest: in Hz.
    """
    frequencies = np.asarray(frequencies)
    audible = frequencies < highest
    exponents = (2j * np.pi * frequencies - 1 / np.asarray(decays))[audible, None] / rate
    # exp(a + b) = exp(a) exp(b): exponentials of the blocks' starts and of one block, not of every sample.
    block = int(np.ceil(np.sqrt(n_samples)))
    steps = np.arange(block)
    starts = np.asarray(gains)[audible, None] * np.exp(exponents * steps * block)
    return np.einsum("ms,mb->sb", starts, np.exp(exponents * steps)).imag.ravel()[:n_samples]
