"""Transforms of audiomentations that do the same in less time: what a recipe lists is replaced by these as it trains.

A quick one draws its parameters as the original does, and its result is the original's but for rounding; noise is
another noise of the same kind.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import audiomentations
import numpy as np
from audiomentations.augmentations.base_butterword_filter import BaseButterworthFilter
from audiomentations.core.composition import BaseCompose
from audiomentations.core.transforms_interface import BaseWaveformTransform
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import sosfilt

from .transforms import AddFastGaussianSNR, OfDuration, normal_numbers

Transform = Callable[..., np.ndarray]
WHITE, HIGHEST = 0.0, 0.9999  # a decay of no decibels; of half the rate, as far as a band's edge reaches


class QuickColorNoise(audiomentations.AddColorNoise):
    """Noise that is coloured in the frequency domain, in which normal numbers stay normal numbers."""

    def apply(self, samples: np.ndarray, sample_rate: int) -> np.ndarray:
        """(samples,) -> (samples,) float32."""
        decay, weighted = self.parameters["f_decay"], self.parameters["apply_a_weighting"]
        if samples.ndim > 1 or weighted or len(samples) < self.n_fft:
            return super().apply(samples, sample_rate)
        size = next_fast_len(len(samples), real=True)
        if decay == WHITE:
            noise = normal_numbers(len(samples))
        else:
            # audiomentations' filter: what the spectrum decays by at a few frequencies, at random phases.
            frequencies = np.fft.rfftfreq(self.n_fft, 1 / sample_rate)
            frequencies[0] = 1
            phases = np.random.uniform(0, 2 * np.pi, len(frequencies))
            response = irfft(frequencies ** (decay / (20 * np.log10(2))) * np.exp(1j * phases))
            spectrum = rfft(response.astype(np.float32), size)
            spectrum *= normal_numbers(2 * len(spectrum)).view(np.complex64)
            noise = irfft(spectrum, size)[: len(samples)]
        gain = self.parameters["desired_noise_rms"] / np.sqrt(max(np.dot(noise, noise) / len(noise), 1e-30))
        return samples + noise * np.float32(gain)


class _QuickFilter(BaseButterworthFilter):
    """A filter designed by formulas, of which scipy's design takes longer than the filtering."""

    def apply(self, samples: np.ndarray, sample_rate: int | None = None) -> np.ndarray:
        """(samples,) -> (samples,) float32."""
        assert sample_rate is not None
        if samples.ndim > 1 or self.zero_phase:
            return super().apply(samples, sample_rate)
        half = sample_rate // 2
        if "cutoff_freq" in self.parameters:
            edges = [self.parameters["cutoff_freq"]]
        else:
            center, width = self.parameters["center_freq"], self.parameters["bandwidth"]
            edges = [center - width / 2, center + width / 2]
        if edges[-1] > half:
            edges[-1] = half * HIGHEST
        if not 0 < edges[0] <= edges[-1] < sample_rate / 2:
            return super().apply(samples, sample_rate)  # which says what is wrong
        sections = butterworth(self.parameters["rolloff"] // 6, edges, self.filter_type, sample_rate)
        filtered, _ = sosfilt(sections, samples, zi=_settled(sections, float(samples[0])))
        return filtered.astype(np.float32)


class QuickLowPassFilter(_QuickFilter, audiomentations.LowPassFilter):
    """See `_QuickFilter`."""


class QuickHighPassFilter(_QuickFilter, audiomentations.HighPassFilter):
    """See `_QuickFilter`."""


class QuickBandPassFilter(_QuickFilter, audiomentations.BandPassFilter):
    """See `_QuickFilter`."""


class QuickBandStopFilter(_QuickFilter, audiomentations.BandStopFilter):
    """See `_QuickFilter`."""


QUICK: dict[type[BaseWaveformTransform], type[BaseWaveformTransform]] = {
    audiomentations.AddGaussianSNR: AddFastGaussianSNR,
    audiomentations.AddColorNoise: QuickColorNoise,
    audiomentations.LowPassFilter: QuickLowPassFilter,
    audiomentations.HighPassFilter: QuickHighPassFilter,
    audiomentations.BandPassFilter: QuickBandPassFilter,
    audiomentations.BandStopFilter: QuickBandStopFilter,
}


def quicken(transform: Transform) -> Transform:
    """A transform that does the same in less time, by what it is and by what it is composed of."""
    if isinstance(transform, BaseCompose):
        quick: Any = copy.copy(transform)
        quick.transforms = [quicken(part) for part in transform.transforms]
        return quick
    if type(transform) in QUICK:
        quick = copy.copy(transform)
        quick.__class__ = QUICK[type(transform)]
        return quick
    return transform


def split_excerpt(transform: Transform | None) -> tuple[Transform | None, Transform | None]:
    """What a transform does first, where that only takes a piece of a clip, and the rest.

    Such a piece may be taken before the samples become floating-point numbers, of a clip twice as long half of them.
    """
    if isinstance(transform, audiomentations.Compose) and transform.p == 1 and not transform.shuffle:
        first, *others = transform.transforms or [None]
        if isinstance(first, OfDuration):
            rest = copy.copy(transform)
            rest.transforms = others
            return first, rest
    return None, transform


def butterworth(order: int, edges: Sequence[float], kind: str, sampling_rate: float) -> np.ndarray:
    """A Butterworth filter as `scipy.signal.butter(..., output="sos")` designs it: (sections, 6), in another order.

    Args:
        order: of the low-pass filter from which it is made.
        edges: in Hz: one of `lowpass` and `highpass`, two of `bandpass` and `bandstop`.
        kind: one of these.
        sampling_rate: in Hz.
    """
    warped = np.tan(np.pi * np.asarray(edges) / sampling_rate)  # the bilinear transform's: s = (z - 1) / (z + 1)
    poles = -np.exp(1j * np.pi * np.arange(1 - order, order, 2) / (2 * order))
    if kind == "lowpass":
        poles = poles * warped[0]
    elif kind == "highpass":
        poles = warped[0] / poles
    else:
        width, square = warped[1] - warped[0], warped[0] * warped[1]
        half = poles * width / 2 if kind == "bandpass" else width / 2 / poles
        apart = np.sqrt(half**2 - square)
        poles = np.concatenate([half + apart, half - apart])
    poles = (1 + poles) / (1 - poles)
    is_real = np.abs(poles.imag) < 1e-12
    pairs, singles = poles[~is_real & (poles.imag > 0)], np.sort(poles[is_real].real)
    below = [np.stack([np.ones(len(pairs)), -2 * pairs.real, np.abs(pairs) ** 2], axis=1)]
    below += [np.array([[1, -a - b, a * b]]) for a, b in zip(singles[::2], singles[1::2], strict=False)]
    if len(singles) % 2:
        below.append(np.array([[1, -singles[-1], 0]]))
    denominators = np.concatenate(below)
    # Where the filter lets all pass, and what it does not let pass.
    middle = 2 * np.arctan(np.sqrt(np.prod(warped))) if len(warped) > 1 else 0.0
    reference = {"lowpass": 0.0, "highpass": np.pi, "bandpass": middle, "bandstop": 0.0}[kind]
    zeros = {
        "lowpass": [1, 2, 1],
        "highpass": [1, -2, 1],
        "bandpass": [1, 0, -1],
        "bandstop": [1, -2 * np.cos(middle), 1],
    }
    numerators = np.tile(np.asarray(zeros[kind], dtype=float), (len(denominators), 1))
    if len(singles) % 2:
        numerators[-1] = [1, numerators[-1, 1] / 2, 0]
    powers = np.exp(-1j * reference * np.arange(3))
    passed = (numerators @ powers) / (denominators @ powers)
    numerators /= np.abs(passed)[:, None]
    numerators[0] *= np.sign(np.prod(passed).real)
    return np.concatenate([numerators, denominators], axis=1)


def _settled(sections: np.ndarray, level: float) -> np.ndarray:
    """The state of a filter that has heard nothing but a constant level: (sections, 2)."""
    state = np.empty((len(sections), 2))
    for section, (b, a) in zip(state, zip(sections[:, :3], sections[:, 3:], strict=True), strict=True):
        passed = level * b.sum() / a.sum()
        section[1] = b[2] * level - a[2] * passed
        section[0] = b[1] * level - a[1] * passed + section[1]
        level = passed
    return state
