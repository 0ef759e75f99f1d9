"""What the tests of the whole model do not see of its backbones."""

import numpy as np
import pytest
import torch
from helpers.checkpoints import tiny_config
from helpers.recordings import RATE, tone
from huggingface_hub.errors import StrictDataclassError

from hf_audio import AudioCNNConfig, AudioCNNForAudioClassification
from hf_audio.models.backbones import ShuffleNet


def test_shufflenet_has_the_layers_of_torchvision():
    backbone = ShuffleNet(AudioCNNConfig(backbone="shufflenet", hidden_sizes=[24, 48, 96, 192, 1024]))
    # Its x0.5 has 1,366,792 parameters by its documentation, of them 1000 x 1025 in the head for ImageNet; its stem
    # reads three channels, this one.
    assert sum(value.numel() for value in backbone.parameters()) == 1_366_792 - 1_025_000 - 2 * 24 * 9
    shapes = {name: tuple(value.shape) for name, value in backbone.state_dict().items()}
    for name, shape in (
        ("conv1.0.weight", (24, 1, 3, 3)),
        ("conv1.1.running_mean", (24,)),
        ("stage2.0.branch1.0.weight", (24, 1, 3, 3)),
        ("stage2.0.branch1.2.weight", (24, 24, 1, 1)),
        ("stage2.0.branch2.0.weight", (24, 24, 1, 1)),
        ("stage2.0.branch2.3.weight", (24, 1, 3, 3)),
        ("stage2.0.branch2.5.weight", (24, 24, 1, 1)),
        ("stage3.7.branch2.6.running_var", (48,)),
        ("stage4.3.branch2.5.weight", (96, 96, 1, 1)),
        ("conv5.0.weight", (1024, 192, 1, 1)),
        ("conv5.1.bias", (1024,)),
    ):
        assert shapes[name] == shape, name
    assert not any(name.startswith("stage2.1.branch1") for name in shapes)


@pytest.mark.parametrize(("n_mels", "stem_stride"), [(20, 1), (20, 2), (22, 1), (23, 2)])
def test_a_bias_a_band_tells_places_apart_and_travels(tmp_path, n_mels, stem_stride):
    config = tiny_config(n_mels=n_mels, stem_stride=stem_stride, hidden_sizes=[8, 12, 12], knows_bands=True)
    model = AudioCNNForAudioClassification(config)
    biases = {name: value for name, value in model.named_parameters() if name.endswith("band_bias")}
    assert len(biases) == 3 and not any(value.any() for value in biases.values())
    model(torch.randn(2, RATE), labels=torch.tensor([0, 1])).loss.backward()
    for value in biases.values():
        assert (value.grad.abs().sum((0, 1, 3)) > 0).all(), "every band's bias is learnt"
        torch.nn.init.normal_(value)
    model.eval().save_pretrained(tmp_path)
    loaded = AudioCNNForAudioClassification.from_pretrained(tmp_path).eval()
    waveform = torch.randn(1, RATE)
    torch.testing.assert_close(loaded(waveform).logits, model(waveform).logits)


def test_only_a_network_of_bands_knows_them():
    with pytest.raises(StrictDataclassError, match="knows_bands=True is of backbone='resnet', not of 'conv1d'"):
        tiny_config(backbone="conv1d", knows_bands=True)


def test_statistics_of_the_features_are_of_a_clips_own_frames():
    changes = {"backbone": "none", "hidden_sizes": [20], "pooling": "mean_std_rise"}
    model = AudioCNNForAudioClassification(tiny_config(**changes)).eval()
    clip = torch.from_numpy(tone(700, 0.5))
    padded = torch.nn.functional.pad(clip, (0, 3000))[None]
    mask = (torch.arange(padded.shape[1]) < len(clip))[None].long()
    with torch.no_grad():
        features, n_frames = model.featurize(padded, mask)
        own = features[0, :, : int(n_frames)].numpy()
        found = model.embed(padded, mask)[0].numpy()
    means = own[:, : own.shape[1] // 4 * 4].reshape(20, -1, 4).mean(2)
    rises = np.maximum(np.diff(means), 0)
    expected = np.concatenate([own.mean(1), own.std(1), np.sqrt((rises**2).mean(1))])
    np.testing.assert_allclose(found, expected, atol=2e-2)  # of a floor below the roots
    with pytest.raises(StrictDataclassError, match="needs backbone='none', and 8 frames"):
        tiny_config(**changes, min_seconds=0.06)
    with pytest.raises(StrictDataclassError, match="must be \\[20\\] for backbone='none'"):
        tiny_config(**{**changes, "hidden_sizes": [8]})
