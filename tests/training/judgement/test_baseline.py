"""Clip statistics against numbers known otherwise, their cache, and the classifier on them."""

import math
import warnings

import datasets
import librosa
import numpy as np
import pytest
from helpers.recordings import RATE, tone
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.exceptions import ConvergenceWarning

from hf_audio.data.cache import cache_audio, cached_waveform
from hf_audio.data.rows import load_class_folders
from hf_audio.errors import AudioError, DataError
from hf_audio.training.judgement import baseline
from hf_audio.training.judgement.baseline import cache_statistics, clip_statistics, fit_baseline, statistic_names


def named(waveform: np.ndarray, rate: int = RATE) -> dict[str, float]:
    return dict(zip(statistic_names(rate), clip_statistics(waveform, rate).tolist(), strict=True))


def sine(hertz: float, seconds: float, rate: int, amplitude: float = 0.5) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


# --- statistics ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rate", "n_fft", "n_bands"), [(8000, 1024, 5), (16000, 2048, 6), (22050, 2048, 6)])
def test_every_statistic_equals_librosa_on_the_waveform(rate, n_fft, n_bands):
    """Each function on its own, with its own STFT, instead of the shared one."""
    waveform = tone(440, 2.0, rate) * np.linspace(0.2, 1, 2 * rate, dtype=np.float32)
    frames = {"n_fft": n_fft, "hop_length": n_fft // 4}
    hop = {"hop_length": n_fft // 4}
    feature = librosa.feature
    mfcc = feature.mfcc(y=waveform, sr=rate, n_mfcc=20, **frames)
    expected = {
        "zero_crossing_rate": feature.zero_crossing_rate(waveform, frame_length=n_fft, **hop),
        "rms": feature.rms(y=waveform, frame_length=n_fft, **hop),
        "spectral_centroid": feature.spectral_centroid(y=waveform, sr=rate, **frames),
        "spectral_bandwidth": feature.spectral_bandwidth(y=waveform, sr=rate, **frames),
        "spectral_rolloff": feature.spectral_rolloff(y=waveform, sr=rate, **frames),
        "spectral_flatness": feature.spectral_flatness(y=waveform, **frames),
    }
    contrast = feature.spectral_contrast(y=waveform, sr=rate, n_bands=n_bands, **frames)
    expected |= {f"spectral_contrast_{band}": row for band, row in enumerate(contrast)}
    chroma = feature.chroma_stft(y=waveform, sr=rate, tuning=0, **frames)
    expected |= {
        f"chroma_{librosa.midi_to_note(60 + i, octave=False)}".replace("♯", "#"): chroma[i] for i in range(12)
    }
    expected |= {f"mfcc_{number}": row for number, row in enumerate(mfcc)}
    expected |= {f"mfcc_delta_{i}": row for i, row in enumerate(feature.delta(mfcc, mode="nearest"))}
    statistics = named(waveform, rate)
    assert set(statistics) == {f"{name}_{kind}" for name in expected for kind in ("mean", "std")} | {"tempo"}
    for name, row in expected.items():
        assert statistics[f"{name}_mean"] == pytest.approx(row.mean(dtype=float), rel=1e-3, abs=1e-4), name
        assert statistics[f"{name}_std"] == pytest.approx(row.std(dtype=float), rel=1e-3, abs=1e-4), name
    assert statistics["tempo"] == pytest.approx(feature.tempo(y=waveform, sr=rate, **hop).item(), abs=0.01)


def test_zero_crossings_and_loudness_by_hand():
    waveform = sine(1000, 4.0, RATE, 0.5)
    statistics = named(waveform)
    crossings = np.count_nonzero(np.diff(np.signbit(waveform))) / len(waveform)
    assert crossings == pytest.approx(2 * 1000 / RATE, rel=0.01)
    assert statistics["zero_crossing_rate_mean"] == pytest.approx(crossings, rel=0.02)
    assert statistics["rms_mean"] == pytest.approx(0.5 / math.sqrt(2), rel=0.02)  # the frames at the ends hold less


@pytest.mark.parametrize("hertz", [500, 1500, 3000])
def test_a_sine_has_its_centroid_at_its_frequency_and_no_width(hertz):
    # Faded, because a sine that begins at once is a click as well.
    statistics = named(sine(hertz, 3.0, RATE) * np.hanning(3 * RATE).astype(np.float32))
    assert statistics["spectral_centroid_mean"] == pytest.approx(hertz, rel=0.03)
    assert statistics["spectral_rolloff_mean"] == pytest.approx(hertz, abs=2 * RATE / 1024)
    noise = named(np.random.default_rng(0).uniform(-0.5, 0.5, 3 * RATE))
    assert statistics["spectral_bandwidth_mean"] < 0.2 * noise["spectral_bandwidth_mean"]
    assert statistics["spectral_flatness_mean"] < 0.01 < 0.4 < noise["spectral_flatness_mean"]


@pytest.mark.parametrize(("pitch_class", "hertz"), [("C", 261.63), ("E", 329.63), ("A", 440.0), ("A#", 466.16)])
def test_chroma_peaks_at_the_pitch_class(pitch_class, hertz):
    waveform = sine(hertz, 2.0, 22050) + sine(2 * hertz, 2.0, 22050, 0.2)
    statistics = named(waveform, 22050)
    chroma = {name: value for name, value in statistics.items() if name.startswith("chroma") and "mean" in name}
    assert max(chroma, key=chroma.get) == f"chroma_{pitch_class}_mean"


@pytest.mark.parametrize("bpm", [80, 100, 150])
def test_tempo_of_a_click_track_within_an_octave(bpm):
    rate = 22050
    clicks = librosa.clicks(times=np.arange(0, 8, 60 / bpm), sr=rate, length=8 * rate).astype(np.float32)
    octaves = math.log2(named(clicks, rate)["tempo"] / bpm)
    assert round(octaves) in (-1, 0, 1) and abs(octaves - round(octaves)) < 0.06


@settings(deadline=None, max_examples=40)
@given(
    arrays(np.float32, st.integers(1, 3000), elements=st.floats(-1, 1, width=32)),
    st.sampled_from([2000, 8000, 16000, 22050, 44100]),
)
@example(np.zeros(1, np.float32), 22050)
@example(np.ones(1, np.float32), 8000)
@example(np.zeros(30000, np.float32), 8000)
@example(np.full(30000, -1, np.float32), 16000)
@example(np.full(30000, 1e-45, np.float32), 16000)
@example(np.sign(sine(300, 2.0, 8000)), 8000)
@example(np.eye(1, 30000, 15000, dtype=np.float32)[0], 8000)
@example(np.r_[np.zeros(20000), np.ones(3), np.zeros(20000)].astype(np.float32), 44100)
def test_every_clip_has_finite_statistics_and_no_warning(waveform, rate):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        statistics = clip_statistics(waveform, rate)
    assert statistics.shape == (len(statistic_names(rate)),) and statistics.dtype == np.float32
    assert np.isfinite(statistics).all()


def test_what_is_no_clip_is_refused():
    for waveform in (np.zeros(0), np.zeros((2, 100))):
        with pytest.raises(AudioError, match="has the shape"):
            clip_statistics(waveform, RATE)
    with pytest.raises(AudioError, match="NaN"):
        clip_statistics(np.array([0.1, np.nan]), RATE)
    with pytest.raises(DataError, match="1999 is too low"):
        clip_statistics(np.zeros(100), 1999)


# --- cache -----------------------------------------------------------------------------------------------------------


def test_statistics_are_computed_once_a_clip_whatever_the_fold(tone_folder, monkeypatch):
    table = load_class_folders(tone_folder)
    whole, _ = cache_audio(table, RATE)
    train = whole.select(range(30))
    first = cache_statistics(train, RATE)
    assert first.dtype == np.float32
    for row in (0, 29):
        waveform = cached_waveform(train[row]["audio"])
        np.testing.assert_array_equal(first[row], clip_statistics(waveform, RATE))

    computed = []

    def counting(waveform, sampling_rate):
        computed.append(len(waveform))
        return clip_statistics(waveform, sampling_rate)

    monkeypatch.setattr(baseline, "clip_statistics", counting)
    everything = cache_statistics(whole, RATE)
    assert len(computed) == 6  # what was new
    np.testing.assert_array_equal(everything[:30], first)
    monkeypatch.setattr(baseline, "clip_statistics", lambda *_: pytest.fail("computed again"))
    np.testing.assert_array_equal(cache_statistics(whole.select([33, 2, 2]), RATE), everything[[33, 2, 2]])
    another_fold, _ = cache_audio(table.select(range(5, 20)), RATE)  # another table, decoded anew
    np.testing.assert_array_equal(
        cache_statistics(another_fold.with_transform(lambda batch: {}), RATE), everything[5:20]
    )
    assert cache_statistics(whole.select([]), RATE).shape == (0, everything.shape[1])


def test_another_rate_or_version_is_computed_anew(tone_folder, monkeypatch):
    cached, _ = cache_audio(load_class_folders(tone_folder).select([0, 20]), RATE)
    first = cache_statistics(cached, RATE)
    assert cache_statistics(cached, 2 * RATE).shape[1] > first.shape[1]
    monkeypatch.setattr(baseline, "clip_statistics", lambda *_: np.full(len(statistic_names(RATE)), 7.0))
    np.testing.assert_array_equal(cache_statistics(cached, RATE), first)
    monkeypatch.setattr(baseline, "STATISTICS_VERSION", -1)
    assert (cache_statistics(cached, RATE) == 7).all()


def test_a_damaged_cache_is_computed_again(tone_folder):
    cached, _ = cache_audio(load_class_folders(tone_folder).select([0, 20]), RATE)
    first = cache_statistics(cached, RATE)
    (store,) = (datasets.config.HF_DATASETS_CACHE / "hf_audio").glob("statistics-*.npz")
    whole = store.read_bytes()
    for damaged in (b"", b"noise", whole[: len(whole) // 2]):
        store.write_bytes(damaged)
        np.testing.assert_array_equal(cache_statistics(cached, RATE), first)
        assert store.stat().st_size == len(whole)


# --- classifier ------------------------------------------------------------------------------------------------------


def blobs(n: int, classes: list[int], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Clips of each class around a corner of its own, in units that differ by the thousands as those of statistics."""
    random = np.random.default_rng(seed)
    labels = np.repeat(classes, n)
    statistics = np.eye(5)[labels] * 4 + random.standard_normal((len(labels), 5))
    return statistics * [1e-4, 1, 10, 1000, 1] + [0, 0, 0, 5000, 0], labels


def test_easy_classes_are_separated_alike_with_the_same_seed():
    statistics, labels = blobs(40, [0, 1, 2], 0)
    test_statistics, test_labels = blobs(20, [0, 1, 2], 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        probabilities = fit_baseline(statistics, labels, test_statistics, 3, seed=0)
    assert probabilities.shape == (60, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert (probabilities.argmax(axis=1) == test_labels).mean() > 0.9
    np.testing.assert_array_equal(probabilities, fit_baseline(statistics, labels, test_statistics, 3, seed=0))
    assert not np.allclose(probabilities, fit_baseline(statistics, labels, test_statistics, 3, seed=1))


@pytest.mark.parametrize("classes", [[0, 2, 3], [1, 4]])
def test_classes_without_a_training_clip_have_a_column_of_zeros(classes):
    statistics, labels = blobs(30, classes, 0)
    probabilities = fit_baseline(statistics, labels.tolist(), statistics, 5, seed=0)
    assert probabilities.shape == (len(labels), 5)
    assert (probabilities[:, [label for label in range(5) if label not in classes]] == 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert (probabilities.argmax(axis=1) == labels).mean() > 0.9


def test_one_class_is_nothing_to_learn():
    with pytest.raises(DataError, match="fewer than two classes"):
        fit_baseline(np.zeros((4, 2)), [1, 1, 1, 1], np.zeros((1, 2)), 3, seed=0)


def test_tones_are_told_apart_from_their_statistics(tone_folder):
    cached, _ = cache_audio(load_class_folders(tone_folder), RATE)
    statistics, labels = cache_statistics(cached, RATE), np.array(cached["label"])
    even = np.arange(len(labels)) % 2 == 0
    probabilities = fit_baseline(statistics[even], labels[even], statistics[~even], 3, seed=0)
    assert (probabilities.argmax(axis=1) == labels[~even]).all()
