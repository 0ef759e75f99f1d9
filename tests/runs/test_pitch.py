"""Pitch of sounds whose pitch is known, and the picture of pitch and score."""

import numpy as np
import pytest
import soundfile
from helpers.recordings import vowel

from hf_audio.runs.pitch import median_pitch, plot_pitch
from hf_audio.runs.predictions.two_classes import TwoClassPredictions


@pytest.mark.parametrize("pitch", [85, 130, 220, 340])
def test_the_pitch_of_a_vowel(pitch):
    assert median_pitch(vowel(pitch, rate=8000, formants=(600, 1200)), 8000) == pytest.approx(pitch, rel=0.02)


def test_where_nothing_is_voiced_there_is_none():
    assert np.isnan(median_pitch(np.zeros(8000, np.float32), 8000))


def test_the_picture_is_of_clips_that_can_still_be_read(tmp_path):
    soundfile.write(tmp_path / "a.wav", vowel(120), 16000)
    paths = [str(tmp_path / "a.wav"), str(tmp_path / "gone.wav")]
    told = TwoClassPredictions.from_probabilities(
        paths, ["female", "male"], [1, 0], np.array([[0.1, 0.9], [0.7, 0.3]])
    )
    assert plot_pitch(told, tmp_path) == ["pitch_scores.png"]
    assert (tmp_path / "pitch_scores.png").read_bytes().startswith(b"\x89PNG")
