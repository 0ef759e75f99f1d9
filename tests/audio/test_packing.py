"""Waveforms in 16 bits, and back."""

import numpy as np
import pytest
from helpers.recordings import tone

from hf_audio.audio.packing import from_int16, pack_samples, to_int16, unpack_samples


def test_sixteen_bit_samples_and_back():
    wave = np.array([-2, -1, -0.5, 0, 1e-6, 0.5, 1, 3], dtype=np.float32)
    np.testing.assert_allclose(from_int16(to_int16(wave)), np.clip(wave, -1, 1), atol=0.5 / 32767)


@pytest.mark.parametrize("level", [1.0, 0.01, 4e-5, 1e-10, 1e-37])
def test_the_cache_keeps_faint_floats(level):
    wave = (tone(300) * np.float32(level)).astype(np.float32)
    packed = pack_samples(wave)
    assert len(packed) // 2 == len(wave)
    worst = 0.5 / 32767 if level >= 0.01 else 1e-4 * np.abs(wave).max()
    np.testing.assert_allclose(unpack_samples(packed), wave, atol=worst)
    assert unpack_samples(packed).dtype == np.float32
    if level >= 0.01:  # those of ordinary recordings are what they were
        np.testing.assert_array_equal(unpack_samples(packed), from_int16(to_int16(wave)))
    assert not unpack_samples(pack_samples(np.zeros(5, dtype=np.float32))).any()
