"""The network and the augmentation for sounds of any kind."""

import numpy as np
import pytest
import torch
from helpers.recordings import tone

from hf_audio.augmentation.amortized import seeded
from hf_audio.models import AudioCNNConfig, AudioCNNForAudioClassification
from hf_audio.training.general_sounds import (
    PRESETS,
    SHORTEST_HEARD,
    TINY,
    GeneralSoundsArguments,
    fit_signal,
    hear_frames,
    slow_transforms,
    waveform_transforms,
)


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


def test_the_tiny_network_fits_a_microcontroller():
    config = AudioCNNConfig(**fit_signal(TINY, 16000, 1.0, 1.0), num_labels=100)
    assert config == AudioCNNConfig(**TINY, num_labels=100) and config.clip_samples == 16000
    network = AudioCNNForAudioClassification(config)
    assert sum(each.numel() for each in network.parameters()) <= 50_000
    kinds = {type(layer).__name__ for layer in network.backbone.modules() if not list(layer.children())}
    assert kinds == {"Conv2d", "BatchNorm2d", "AvgPool2d", "Identity"}


def test_excerpts_have_one_length_and_sources_change():
    waveform = tone(500, 3, 22050)
    with seeded(1):
        for seconds in (0.5, 2.5):
            heard = waveform_transforms(seconds)(samples=waveform, sample_rate=22050)
            assert heard.shape == (round(seconds * 22050),) and np.abs(heard).max() > 0.01
        changed = [slow_transforms()(samples=waveform, sample_rate=22050) for _ in range(8)]
    assert any(len(other) != len(waveform) or not np.array_equal(other, waveform) for other in changed)
    assert any(np.array_equal(other, waveform) for other in changed)


def test_the_best_epoch_is_looked_for_among_epochs(tmp_path):
    flags = {"output_dir": str(tmp_path), "validation_fraction": 0.1}
    assert GeneralSoundsArguments(**flags).save_strategy == "steps"
    arguments = GeneralSoundsArguments(**flags, early_stopping_patience=2)
    assert arguments.save_strategy == arguments.eval_strategy == "epoch" and arguments.load_best_model_at_end


@pytest.mark.parametrize("rate", [400, 1000, 8000, 22050, 44100, 96000, 192000])
def test_frames_last_a_tenth_of_a_second_at_most_and_not_much_less(rate):
    config = AudioCNNConfig(**hear_frames(fit_signal(PRESETS["default"], rate, 5, 2.5)), num_labels=3)
    assert 0.05 < config.frame_seconds <= 0.1
