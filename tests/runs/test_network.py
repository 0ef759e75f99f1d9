"""What a network is, counted by hand."""

from types import SimpleNamespace

import pytest
import torch
from helpers.checkpoints import tiny_config
from safetensors import SafetensorError

from hf_audio import AudioCNNFeatureExtractor, AudioCNNForAudioClassification
from hf_audio.errors import CheckpointError, DataError, DivergedError
from hf_audio.runs import network
from hf_audio.runs.network import check_weights, count_macs, full_disk_ends_in_a_sentence, save_network


def test_multiply_accumulates_by_hand():
    config = tiny_config(backbone="conv1d", hidden_sizes=[8, 12], kernel_size=5)
    model = AudioCNNForAudioClassification(config).eval()
    frames = 1 + 8000 // config.hop_length
    filters = config.n_mels * (config.n_fft // 2 + 1) * frames
    convolutions = config.n_mels * 8 * 5 * frames + 8 * 12 * 5 * (frames // 2)
    assert count_macs(model, AudioCNNFeatureExtractor(sampling_rate=8000)) == filters + convolutions + 12 * 3
    assert model(torch.zeros(1, 8000)).logits.shape == (1, 3)


def test_weights_that_are_no_numbers_are_neither_left_nor_published(tmp_path):
    model = AudioCNNForAudioClassification(tiny_config())
    save_network(model, AudioCNNFeatureExtractor(sampling_rate=8000), tmp_path)
    check_weights(tmp_path)
    model.classifier.bias.data[0] = float("nan")
    with pytest.raises(DivergedError, match=r"model.safetensors holds weights that are not finite, classifier.bias"):
        save_network(model, AudioCNNFeatureExtractor(sampling_rate=8000), tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"cut off")
    with pytest.raises(CheckpointError, match="holds no weights that can be read"):
        check_weights(tmp_path)


@pytest.mark.parametrize("kind", [SafetensorError, RuntimeError])  # of safetensors, and of torch.save
def test_a_full_disk_is_one_sentence_and_another_failure_none(kind, tmp_path, monkeypatch):
    for free, refusal in ((0, DataError), (1 << 30, kind)):
        monkeypatch.setattr(network.shutil, "disk_usage", lambda folder, free=free: SimpleNamespace(free=free))
        with pytest.raises(refusal) as told, full_disk_ends_in_a_sentence(tmp_path):
            raise kind("unexpected pos 576 vs 534")
        assert (f"{tmp_path} cannot be written (No space left on device)" in str(told.value)) == (free == 0)
    with pytest.raises(DataError), full_disk_ends_in_a_sentence(tmp_path):
        raise kind("Error while serializing: I/O error: No space left on device (os error 28)")
