"""Test clips as they sound by telephone, in a room and in noise: always altered alike, and judged once."""

import math
from collections.abc import Callable

import numpy as np
import soxr
from datasets import Dataset
from scipy.signal import butter, sosfilt

from ..runs.confidence import NOISE, ROOM, TELEPHONE
from .augmentation import AddFastGaussianSNR, SyntheticRoom
from .batches import ClipTransform

# Few clips tell nothing, and many only take longer; of a network of more parameters, the fewest are judged.
LEAST_CLIPS, MOST_CLIPS, MOST_SECONDS, MOST_PARAMETERS = 30, 500, 1250.0, 1_000_000
SNR_DB = 10.0
DECAY_SECONDS, DIRECT_DB = 0.5, 0.0
# Of a telephone: ITU-T G.712's band, and G.711's rate and law.
BAND_HZ, TELEPHONE_RATE, MU = (300.0, 3400.0), 8000, 255.0


def alterations(sampling_rate: int) -> dict[str, Callable[..., np.ndarray]]:
    """Transforms of waveforms, called as audiomentations' are, by their names on the card.

    A network that hears nothing above a telephone's band gets no telephone.
    """
    made: dict[str, Callable[..., np.ndarray]] = {
        NOISE: AddFastGaussianSNR(SNR_DB, SNR_DB, p=1),
        ROOM: SyntheticRoom(DECAY_SECONDS, DECAY_SECONDS, DIRECT_DB, DIRECT_DB, p=1),
    }
    if sampling_rate >= TELEPHONE_RATE:
        made[TELEPHONE] = telephone
    return made


def telephone(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """A clip as a telephone line carries it, in its own rate: (samples,) -> (samples,) float32."""
    carried = soxr.resample(samples, sample_rate, TELEPHONE_RATE)
    if len(carried) == 0:  # of a sample or two
        return samples
    carried = sosfilt(butter(4, BAND_HZ, "bandpass", fs=TELEPHONE_RATE, output="sos"), carried)
    loudest = max(float(np.abs(carried).max(initial=0)), 1e-9)
    compressed = np.sign(carried) * np.log1p(MU * np.abs(carried) / loudest) / math.log1p(MU)
    steps = np.round(compressed * 127) / 127
    carried = np.sign(steps) * loudest * np.expm1(np.abs(steps) * math.log1p(MU)) / MU
    heard = soxr.resample(carried.astype(np.float32), TELEPHONE_RATE, sample_rate)
    return np.pad(heard[: len(samples)], (0, max(len(samples) - len(heard), 0)))


def altered_copies(test: Dataset, sampling_rate: int, n_tags: int | None, n_parameters: int) -> dict[str, Dataset]:
    """Test clips altered in each way, as inputs of a network; none of fewer than thirty clips, or of long ones.

    At most 500 clips and about twenty minutes of sound, evenly chosen. What is drawn for a clip follows from its
    number alone.

    Args:
        test: decoded clips.
        sampling_rate: of these.
        n_tags: as of `ClipTransform`.
        n_parameters: of the network.
    """
    most = MOST_CLIPS if n_parameters <= MOST_PARAMETERS else LEAST_CLIPS
    n_clips = min(len(test), most, int(MOST_SECONDS / _mean_seconds(test.with_format(None), sampling_rate)))
    if n_clips < LEAST_CLIPS:
        return {}
    chosen = test.select(np.unique(np.linspace(0, len(test) - 1, n_clips).round().astype(int)))
    return {
        name: chosen.with_transform(ClipTransform(sampling_rate, augmentation=transform, n_tags=n_tags))
        for name, transform in alterations(sampling_rate).items()
    }


def _mean_seconds(clips: Dataset, sampling_rate: int) -> float:
    """How long clips are on average, by some of them."""
    if len(clips) == 0:
        return math.inf
    some = np.unique(np.linspace(0, len(clips) - 1, 50).round().astype(int))
    bytes_a_sample = 2
    lengths = [len(audio) / bytes_a_sample for audio in clips.select(some)["audio"]]
    return max(float(np.mean(lengths)) / sampling_rate, 1e-3)
