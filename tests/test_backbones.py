"""What the tests of the whole model do not see of its backbones."""

from hf_audio import AudioCNNConfig
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
