"""The numbers of a card; its text is tested on the folder of a real run, in test_training.py."""

import pytest
import torch
from helpers.checkpoints import tiny_config

from hf_audio import AudioCNNFeatureExtractor, AudioCNNForAudioClassification
from hf_audio.runs.card import shown_command
from hf_audio.runs.network import count_macs


def test_multiply_accumulates_by_hand():
    config = tiny_config(backbone="conv1d", hidden_sizes=[8, 12], kernel_size=5)
    model = AudioCNNForAudioClassification(config).eval()
    frames = 1 + 8000 // config.hop_length
    filters = config.n_mels * (config.n_fft // 2 + 1) * frames
    convolutions = config.n_mels * 8 * 5 * frames + 8 * 12 * 5 * (frames // 2)
    assert count_macs(model, AudioCNNFeatureExtractor(sampling_rate=8000)) == filters + convolutions + 12 * 3
    assert model(torch.zeros(1, 8000)).logits.shape == (1, 3)


@pytest.mark.parametrize(
    "flags", [["--hub_token", "hf_abc"], ["--hub-token=hf_a=bc"], ["--push_to_hub_token", "hf_a=bc"]]
)
def test_the_command_tells_no_secret_and_no_folder(flags):
    command = shown_command(["/home/me/recipes/tones.py", *flags, "--data_dir=/home/me/tones", "--seed", "1"])
    assert "hf_a" not in command and "/home" not in command
    assert command.startswith("python tones.py") and command.endswith("--data_dir=tones --seed 1")
