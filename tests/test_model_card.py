"""The numbers of a card; its text is tested on the folder of a real run, in test_training.py."""

import numpy as np
import pytest
import torch
from conftest import tiny_config
from scipy.stats import binom

from hf_audio import AudioCNNForAudioClassification
from hf_audio.model_card import count_macs
from hf_audio.reports import bootstrap_interval


def test_bootstrap_interval_of_an_accuracy_is_the_binomial_one():
    right = np.arange(300) < 270
    low, high = bootstrap_interval(lambda clips: right[clips].mean(), 300)
    assert low == pytest.approx(binom.ppf(0.025, 300, 0.9) / 300, abs=0.01)
    assert high == pytest.approx(binom.ppf(0.975, 300, 0.9) / 300, abs=0.01)
    assert bootstrap_interval(lambda clips: right[clips].mean(), 300) == (low, high)


def test_multiply_accumulates_by_hand():
    config = tiny_config(backbone="conv1d", hidden_sizes=[8, 12], kernel_size=5)
    model = AudioCNNForAudioClassification(config).eval()
    frames = 1 + 8000 // config.hop_length
    filters = config.n_mels * (config.n_fft // 2 + 1) * frames
    convolutions = config.n_mels * 8 * 5 * frames + 8 * 12 * 5 * (frames // 2)
    assert count_macs(model, 8000) == filters + convolutions + 12 * 3
    assert model(torch.zeros(1, 8000)).logits.shape == (1, 3)
