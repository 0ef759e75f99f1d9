"""What travels with a checkpoint: configuration, feature extractor, front-ends, backbones and model.

These files import torch, transformers, numpy and each other, and nothing else of the package: `save_pretrained` copies
them into the checkpoint folder, so that `trust_remote_code=True` loads it where `hf_audio` is not installed.
"""

from .configuration_audio_cnn import AudioCNNConfig
from .feature_extraction_audio_cnn import AudioCNNFeatureExtractor
from .modeling_audio_cnn import AudioCNNForAudioClassification, AudioCNNPreTrainedModel

__all__ = [
    "AudioCNNConfig",
    "AudioCNNFeatureExtractor",
    "AudioCNNForAudioClassification",
    "AudioCNNPreTrainedModel",
]
