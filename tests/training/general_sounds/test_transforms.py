"""The augmentation of sounds of any kind."""

import numpy as np
from helpers.recordings import tone

from hf_audio.augmentation.amortized import seeded
from hf_audio.training.general_sounds.transforms import slow_transforms, waveform_transforms


def test_excerpts_have_one_length_and_sources_change():
    waveform = tone(500, 3, 22050)
    with seeded(1):
        for seconds in (0.5, 2.5):
            heard = waveform_transforms(seconds)(samples=waveform, sample_rate=22050)
            assert heard.shape == (round(seconds * 22050),) and np.abs(heard).max() > 0.01
        changed = [slow_transforms()(samples=waveform, sample_rate=22050) for _ in range(8)]
    assert any(len(other) != len(waveform) or not np.array_equal(other, waveform) for other in changed)
    assert any(np.array_equal(other, waveform) for other in changed)
