"""The networks for sounds of any kind, and their training."""

from hf_audio.models import AudioCNNConfig, AudioCNNForAudioClassification
from hf_audio.training.general_sounds.presets import TINY, GeneralSoundsArguments
from hf_audio.training.general_sounds.signal import fit_signal


def test_the_tiny_network_fits_a_microcontroller():
    config = AudioCNNConfig(**fit_signal(TINY, 16000, 1.0, 1.0), num_labels=100)
    assert config == AudioCNNConfig(**TINY, num_labels=100) and config.clip_samples == 16000
    network = AudioCNNForAudioClassification(config)
    assert sum(each.numel() for each in network.parameters()) <= 50_000
    kinds = {type(layer).__name__ for layer in network.backbone.modules() if not list(layer.children())}
    assert kinds == {"Conv2d", "BatchNorm2d", "AvgPool2d", "Identity"}


def test_the_best_epoch_is_looked_for_among_epochs(tmp_path):
    flags = {"output_dir": str(tmp_path), "validation_fraction": 0.1}
    assert GeneralSoundsArguments(**flags).save_strategy == "steps"
    arguments = GeneralSoundsArguments(**flags, early_stopping_patience=2)
    assert arguments.save_strategy == arguments.eval_strategy == "epoch" and arguments.load_best_model_at_end
