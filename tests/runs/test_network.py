"""What a network is, counted by hand."""

import torch
from helpers.checkpoints import tiny_config

from hf_audio import AudioCNNFeatureExtractor, AudioCNNForAudioClassification
from hf_audio.runs.network import count_macs


def test_multiply_accumulates_by_hand():
    config = tiny_config(backbone="conv1d", hidden_sizes=[8, 12], kernel_size=5)
    model = AudioCNNForAudioClassification(config).eval()
    frames = 1 + 8000 // config.hop_length
    filters = config.n_mels * (config.n_fft // 2 + 1) * frames
    convolutions = config.n_mels * 8 * 5 * frames + 8 * 12 * 5 * (frames // 2)
    assert count_macs(model, AudioCNNFeatureExtractor(sampling_rate=8000)) == filters + convolutions + 12 * 3
    assert model(torch.zeros(1, 8000)).logits.shape == (1, 3)
