"""Sections of recordings, against the whole."""

import numpy as np
import pytest
import soundfile

from hf_audio.audio.loading import load_audio
from hf_audio.audio.sections import load_section
from hf_audio.errors import AudioError


@pytest.mark.parametrize(
    ("name", "subtype", "channels", "scale"),
    [
        ("a.wav", "PCM_16", 1, 1),
        ("a.flac", "PCM_16", 2, 1),
        ("a.ogg", "VORBIS", 1, 1),
        ("a.mp3", "MPEG_LAYER_III", 1, 1),
        ("a.wav", "FLOAT", 2, 7.5),
    ],
)
@pytest.mark.parametrize("rate", [16000, 11025])
def test_a_section_is_that_part_of_the_whole(tmp_path, name, subtype, channels, scale, rate):
    samples = 0.2 * np.random.default_rng(0).standard_normal((16000 * 4, channels))
    soundfile.write(tmp_path / name, (scale * samples).astype(np.float32), 16000, subtype)
    whole = load_audio(tmp_path / name, rate)

    for start, end in [(0, 0.5), (1.25, 2.75), (3.5, 4), (0.25, 0.5)]:
        section = load_section(tmp_path / name, rate, start, end)
        expected = whole[round(start * rate) : round(end * rate)]
        assert abs(len(section) - len(expected)) <= 1
        n = min(len(section), len(expected))
        assert np.abs(section[:n] - expected[:n]).max() < 0.02 * np.abs(expected).max()


def test_a_channel_that_is_not_heard_in_the_whole_is_not_heard_in_a_section(tmp_path):
    left = 0.2 * np.random.default_rng(0).standard_normal(32000).astype(np.float32)
    left[16000:] *= 0.1
    soundfile.write(tmp_path / "a.wav", np.stack([left, -left], axis=1), 16000)

    np.testing.assert_allclose(load_section(tmp_path / "a.wav", 16000, 1.5, 2), left[24000:], atol=1e-4)


def test_a_section_beyond_the_end_is_refused(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.ones(1600), 16000)
    with pytest.raises(AudioError, match="ends before 3 s"):
        load_section(tmp_path / "a.wav", 16000, 3, 4)
