"""A recording as its file has it."""

import numpy as np
import soundfile
from helpers.recordings import RATE, tone

from hf_audio.audio import recording
from hf_audio.audio.loading import open_audio


def test_a_recording_is_opened_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(recording, "BLOCK_FRAMES", 1000)
    samples = np.stack([tone(300, 0.5), -tone(900, 0.5)], axis=1)
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    with open_audio(tmp_path / "a.wav") as opened:
        assert (opened.rate, opened.channels, opened.kind) == (RATE, 2, "WAV FLOAT")
        assert opened.frames == len(samples) and opened.full_scale() == 1
        read = list(opened.blocks())
    assert [len(block) for block in read] == [1000] * 4 + [0]
    np.testing.assert_array_equal(np.concatenate(read), samples)
