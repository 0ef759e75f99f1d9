"""The signal of other rates and lengths."""

import pytest
import torch
from helpers.recordings import tone

from hf_audio.models import AudioCNNConfig, AudioCNNForAudioClassification
from hf_audio.training.general_sounds.presets import PRESETS
from hf_audio.training.general_sounds.signal import SHORTEST_HEARD, fit_signal, hear_frames


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100])
@pytest.mark.parametrize("preset", list(PRESETS))
def test_at_every_rate_a_second_has_as_many_frames_and_the_shortest_clip_is_heard(rate, preset):
    config = AudioCNNConfig(**fit_signal(PRESETS[preset], rate, 1.0, SHORTEST_HEARD), num_labels=3)
    assert config.win_length / rate == pytest.approx(512 / 22050, rel=0.01)
    assert config.hop_length / rate == pytest.approx(128 / 22050, rel=0.02)
    assert config.n_fft & (config.n_fft - 1) == 0 and config.win_length <= config.n_fft < 2 * config.win_length
    model = AudioCNNForAudioClassification(config).eval()
    with torch.no_grad():
        logits = model(torch.from_numpy(tone(500, 0.01, rate))[None]).logits
    assert torch.isfinite(logits).all()


def test_words_have_more_frames_a_second_than_long_sounds():
    signals = [fit_signal(PRESETS["default"], 16000, 5, seconds) for seconds in (0.6, 1.5, 2.5)]
    assert [signal["hop_length"] / 16000 for signal in signals] == pytest.approx([0.0058, 0.0070, 0.0116], abs=1e-4)
    model = AudioCNNForAudioClassification(AudioCNNConfig(**signals[0], num_labels=3)).eval()
    with torch.no_grad():
        embeddings, _ = model.encode(*model.featurize(torch.zeros(1, 9600)))
    assert embeddings.shape[2] == 6, "of a word of 0.6 s; three with frames as of long sounds"


@pytest.mark.parametrize("rate", [400, 1000, 8000, 22050, 44100, 96000, 192000])
def test_frames_last_a_tenth_of_a_second_at_most_and_not_much_less(rate):
    config = AudioCNNConfig(**hear_frames(fit_signal(PRESETS["default"], rate, 5, 2.5)), num_labels=3)
    assert 0.05 < config.frame_seconds <= 0.1
