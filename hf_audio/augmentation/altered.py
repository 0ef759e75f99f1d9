"""Clips as they sound by telephone, in a room and in noise: test clips always alike, training clips at random."""

import functools
import math
from collections.abc import Callable, Iterator

import numpy as np
import soxr
from datasets import Dataset
from scipy.signal import butter, sosfilt

from ..audio.packing import pack_samples
from ..data.cache import cached_waveform
from ..runs.confidence import NOISE, ROOM, TELEPHONE
from .amortized import seed_transforms, seeded
from .transforms import AddFastGaussianSNR, SyntheticRoom

# Few clips tell nothing, and many only take longer; of a network of more parameters, the fewest are judged.
LEAST_CLIPS, MOST_CLIPS, MOST_SECONDS, MOST_PARAMETERS = 30, 500, 1000.0, 1_000_000
SNR_DB = 10.0
DECAY_SECONDS, DIRECT_DB = 0.5, 0.0
# Of training clips: these vary, and an excerpt of so many seconds is altered.
SNRS_DB, DECAYS_SECONDS, DIRECTS_DB, EXCERPT_SECONDS = (0.0, 25.0), (0.2, 0.8), (-5.0, 10.0), 2.5
N_PLACES = 2  # of which the louder one is heard
VARIED_DRAWS = 2  # tells their draws from others of the same clip
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


def vary(clips: Dataset, sampling_rate: int, seed: int, whole: bool = False) -> Iterator[np.ndarray]:
    """An altered copy of each decoded clip: in noise, in a room and by telephone in turn, each time another one.

    A long clip is heard in an excerpt, the louder of two that are drawn: what it costs to hear copies is bounded, and
    no copy is of a pause.

    Args:
        clips: rows of `audio`.
        sampling_rate: of these.
        seed: of the draws; with it, the copy of a clip follows from the clip's place.
        whole: whether no excerpt is taken, because the label tells the order or number of what is heard.
    """
    kinds: list[Callable[..., np.ndarray]] = [
        AddFastGaussianSNR(*SNRS_DB, p=1),
        SyntheticRoom(*DECAYS_SECONDS, *DIRECTS_DB, p=1),
    ]
    if sampling_rate >= TELEPHONE_RATE:
        kinds.append(telephone)
    length = round(EXCERPT_SECONDS * sampling_rate)
    for number, row in enumerate(clips.with_format(None).select_columns("audio")):
        samples = cached_waveform(row["audio"])
        with seeded(VARIED_DRAWS, seed, number):
            if len(samples) > length and not whole:
                starts = np.random.randint(0, len(samples) - length + 1, N_PLACES)
                excerpts = [samples[start : start + length] for start in starts]
                samples = max(excerpts, key=lambda excerpt: float(np.square(excerpt).sum()))
            copy = kinds[number % len(kinds)](samples=samples, sample_rate=sampling_rate)
        yield np.clip(copy, -1, 1).astype(np.float32)


def telephone(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """A clip as a telephone line carries it, in its own rate: (samples,) -> (samples,) float32."""
    carried = soxr.resample(samples, sample_rate, TELEPHONE_RATE)
    if len(carried) == 0:  # of a sample or two
        return samples
    carried = sosfilt(_telephone_band(), carried)
    loudest = max(float(np.abs(carried).max(initial=0)), 1e-9)
    compressed = np.sign(carried) * np.log1p(MU * np.abs(carried) / loudest) / math.log1p(MU)
    steps = np.round(compressed * 127) / 127
    carried = np.sign(steps) * loudest * np.expm1(np.abs(steps) * math.log1p(MU)) / MU
    received = soxr.resample(carried.astype(np.float32), TELEPHONE_RATE, sample_rate)
    return np.pad(received[: len(samples)], (0, max(len(samples) - len(received), 0)))


@functools.cache
def _telephone_band() -> np.ndarray:
    return butter(4, BAND_HZ, "bandpass", fs=TELEPHONE_RATE, output="sos")


def choose_clips(clips: Dataset, sampling_rate: int, n_parameters: int, n_most: int = MOST_CLIPS) -> Dataset | None:
    """Decoded clips that are worth altering, evenly chosen; `None` of fewer than thirty, or where clips are too long.

    At most `n_most` clips, and about a quarter of an hour of sound.

    Args:
        clips: decoded at the rate.
        sampling_rate: of these.
        n_parameters: of the network that will hear them.
        n_most: how many are chosen at most.
    """
    plain = clips.with_format(None)
    most = n_most if n_parameters <= MOST_PARAMETERS else LEAST_CLIPS
    n_clips = min(len(plain), most, int(MOST_SECONDS / _mean_seconds(plain, sampling_rate)))
    if n_clips < LEAST_CLIPS:
        return None
    return plain.select(np.unique(np.linspace(0, len(plain) - 1, n_clips).round().astype(int)))


def alter(clips: Dataset, sampling_rate: int, alteration: str) -> Dataset:
    """Decoded clips as they sound altered, as decoded clips; what is drawn for one follows from its number alone.

    Args:
        clips: rows of `path`, `audio`, `index` and `label`.
        sampling_rate: of these.
        alteration: one of `alterations`.
    """
    transform = alterations(sampling_rate)[alteration]
    altered = []
    with seeded(0):
        for audio, index in zip(clips["audio"], clips["index"], strict=True):
            seed_transforms(0, index)
            altered.append(pack_samples(transform(samples=cached_waveform(audio), sample_rate=sampling_rate)))
    return clips.select_columns(["path", "index", "label"]).add_column("audio", altered)


def _mean_seconds(clips: Dataset, sampling_rate: int) -> float:
    """How long clips are on average, by some of them."""
    if len(clips) == 0:
        return math.inf
    some = np.unique(np.linspace(0, len(clips) - 1, 50).round().astype(int))
    bytes_a_sample = 2
    lengths = [len(audio) / bytes_a_sample for audio in clips.select(some)["audio"]]
    return max(float(np.mean(lengths)) / sampling_rate, 1e-3)
