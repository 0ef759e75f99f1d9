"""Samples at one rate to mono at another."""

import numpy as np
import pytest
from helpers.recordings import RATE, tone

from hf_audio.audio.resampling import to_mono
from hf_audio.errors import AudioError


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32, np.float64])
def test_arrays_of_any_type_mean_the_same_sound(dtype):
    waveform = tone(300)
    scale = {np.int16: 2**15, np.int32: 2**31}.get(dtype, 1)
    array = (waveform.astype(np.float64) * scale).astype(dtype)
    for shaped in (array, np.stack([array, array]), np.stack([array, array], 1)):
        np.testing.assert_allclose(to_mono(shaped, RATE, RATE), waveform, atol=1e-4)


def test_bad_arrays_are_refused():
    with pytest.raises(AudioError, match="shape"):
        to_mono(np.zeros((2, 2, 2)), RATE, RATE)
    with pytest.raises(AudioError, match="sampling rate"):
        to_mono(np.zeros(10), 0, RATE)
    with pytest.raises(AudioError, match="no samples"):
        to_mono(np.zeros(0), RATE, RATE)
