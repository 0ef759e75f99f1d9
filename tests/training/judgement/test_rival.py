"""Logistic regression on statistics of the clips, against librosa's spectra and against what noise can tell."""

import librosa
import numpy as np
import pytest
import torch
from datasets import Dataset
from helpers.recordings import RATE, tone

from hf_audio.audio.packing import pack_samples
from hf_audio.models.configuration_audio_cnn import NONE_OF_THESE
from hf_audio.runs.predictions.classes import Predictions
from hf_audio.training.judgement import rival
from hf_audio.training.judgement.rival import judge_rival, spectrum_statistics
from hf_audio.training.parts import Parts
from hf_audio.training.task import TEST


def clips(hertz, labels=None, seconds=0.4) -> Dataset:
    generator = np.random.default_rng(len(hertz))
    waveforms = [
        tone(pitch, seconds) * 0.3 + 0.01 * generator.standard_normal(round(seconds * RATE)) for pitch in hertz
    ]
    audio = [pack_samples(waveform.astype(np.float32)) for waveform in waveforms]
    return Dataset.from_dict(
        {"audio": audio, "label": list(labels if labels is not None else np.zeros(len(hertz), int))}
    )


def judged(n_train=12, n_test=9, names=("low", "mid", "high")):
    pitches = np.array([300, 900, 2000])
    train, test = np.arange(n_train) % 3, np.arange(n_test) % 3
    parts = Parts(clips(pitches[train], train), None, {TEST: clips(pitches[test], test)}, list(names))
    paths = [f"{number}.wav" for number in range(n_test)]
    return parts, Predictions.from_probabilities(paths, list(names), test, np.full((n_test, len(names)), 0.3))


def test_statistics_are_those_of_librosas_mel_bands():
    (found,) = spectrum_statistics(clips([500]), RATE)
    waveform = (np.frombuffer(clips([500])[0]["audio"], "<i2") / 32768).astype(np.float32)
    padded = np.pad(waveform, 256)
    frames = np.stack([padded[start : start + 512] for start in range(0, len(waveform) + 1, 256)])
    power = np.abs(np.fft.rfft(frames * np.hanning(513)[:-1])).T ** 2  # (bins, frames)
    decibels = 10 * np.log10(librosa.filters.mel(sr=RATE, n_fft=512, n_mels=64) @ power)
    np.testing.assert_allclose(found[:64], decibels.mean(1), atol=0.1)
    np.testing.assert_allclose(found[64:128], decibels.std(1), atol=0.1)
    np.testing.assert_allclose(found[128:], np.abs(np.diff(decibels)).mean(1), atol=0.1)


def test_tones_are_told_apart_and_no_random_number_is_drawn():
    parts, predictions = judged()
    torch.manual_seed(1)
    np.random.seed(1)
    answers, places = judge_rival(parts, predictions, RATE)
    drawn = torch.rand(1), np.random.rand()
    torch.manual_seed(1)
    np.random.seed(1)
    assert (torch.rand(1), np.random.rand()) == drawn, "the network's training would be another one"
    assert answers.metrics()["accuracy"] == 1 and places.tolist() == list(range(9))
    assert answers.paths == predictions.paths
    again, _ = judge_rival(parts, predictions, RATE)
    np.testing.assert_array_equal(again.scores, answers.scores)


def test_of_many_clips_a_part_is_heard(monkeypatch):
    monkeypatch.setattr(rival, "MOST_CLIPS", 6)
    parts, predictions = judged(30, 12)
    answers, places = judge_rival(parts, predictions, RATE)
    assert len(places) == len(answers.paths) == 6 and (np.diff(places) > 0).all()
    np.testing.assert_array_equal(answers.references, predictions.references[places])


def test_long_recordings_are_heard_in_parts():
    (whole,), (long,) = (
        spectrum_statistics(clips([500], seconds=9), RATE),
        spectrum_statistics(clips([500], seconds=60), RATE),
    )
    np.testing.assert_allclose(long[:64], whole[:64], atol=1)


@pytest.mark.parametrize("seconds", [1 / RATE, 0.05])
def test_the_shortest_clips_have_statistics_too(seconds):
    assert np.isfinite(spectrum_statistics(clips([500], seconds=seconds), RATE)).all()


def test_a_background_counts_no_more_than_all_classes():
    names = ["low", "mid", NONE_OF_THESE]
    labels = np.array([0, 1, *[2] * 50])
    rows = rival._without_surplus(labels, names)
    assert np.bincount(labels[rows]).tolist() == [1, 1, 2]


def test_without_two_classes_or_with_a_stream_there_is_none():
    parts, predictions = judged()
    parts.train = clips([300, 300], [0, 0])
    assert judge_rival(parts, predictions, RATE) is None
    parts.train = None
    assert judge_rival(parts, predictions, RATE) is None
