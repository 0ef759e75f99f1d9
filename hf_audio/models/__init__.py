"""What travels with a checkpoint: configuration, feature extractor, front-ends, backbones and model.

These files import torch, transformers, numpy and each other, and nothing else of the package: `save_pretrained` copies
them into the checkpoint folder, so that `trust_remote_code=True` loads it where `hf_audio` is not installed.
"""

import transformers  # noqa: F401  # first, because its import has the package register the modules below

from .configuration_audio_cnn import AudioCNNConfig
from .configuration_audio_encoder import AudioEncoderConfig
from .configuration_audio_ensemble import AudioEnsembleConfig
from .feature_extraction_audio_cnn import AudioCNNFeatureExtractor
from .modeling_audio_cnn import AudioCNNForAudioClassification, AudioCNNModel, AudioCNNPreTrainedModel
from .modeling_audio_encoder import (
    AudioEncoderForAudioClassification,
    AudioEncoderModel,
    AudioEncoderPreTrainedModel,
)
from .modeling_audio_ensemble import AudioEnsembleForAudioClassification

__all__ = [
    "AudioCNNConfig",
    "AudioCNNFeatureExtractor",
    "AudioCNNForAudioClassification",
    "AudioCNNModel",
    "AudioCNNPreTrainedModel",
    "AudioEncoderConfig",
    "AudioEncoderForAudioClassification",
    "AudioEncoderModel",
    "AudioEncoderPreTrainedModel",
    "AudioEnsembleConfig",
    "AudioEnsembleForAudioClassification",
]
