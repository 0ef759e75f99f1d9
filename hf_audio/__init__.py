"""hf_audio: train, judge and ship small sound classifiers in the Hugging Face ecosystem.

Importing the package registers its models with transformers' Auto classes and lets `pipeline("audio-classification")`
read any audio file at any rate.
"""

from transformers import AutoConfig, AutoFeatureExtractor, AutoModelForAudioClassification
from transformers.pipelines import PIPELINE_REGISTRY

from .models import (
    AudioCNNConfig,
    AudioCNNFeatureExtractor,
    AudioCNNForAudioClassification,
    AudioEnsembleConfig,
    AudioEnsembleForAudioClassification,
)
from .pipelines import AudioClassificationPipeline

__version__ = "0.1.0"

AutoConfig.register(AudioCNNConfig.model_type, AudioCNNConfig)
AutoFeatureExtractor.register(AudioCNNConfig, AudioCNNFeatureExtractor)
AutoModelForAudioClassification.register(AudioCNNConfig, AudioCNNForAudioClassification)
AutoConfig.register(AudioEnsembleConfig.model_type, AudioEnsembleConfig)
AutoFeatureExtractor.register(AudioEnsembleConfig, AudioCNNFeatureExtractor)
AutoModelForAudioClassification.register(AudioEnsembleConfig, AudioEnsembleForAudioClassification)

# `save_pretrained` then copies the files of `hf_audio/models` into the checkpoint and names them in its auto_map.
AudioCNNConfig.register_for_auto_class()
AudioCNNFeatureExtractor.register_for_auto_class("AutoFeatureExtractor")
AudioCNNForAudioClassification.register_for_auto_class("AutoModelForAudioClassification")
AudioEnsembleConfig.register_for_auto_class()
AudioEnsembleForAudioClassification.register_for_auto_class("AutoModelForAudioClassification")

# Set in place: `register_pipeline` would warn about the stock pipeline that it replaces, and would make every
# checkpoint saved through the pipeline ask for its code.
PIPELINE_REGISTRY.supported_tasks["audio-classification"]["impl"] = AudioClassificationPipeline

__all__ = [
    "AudioCNNConfig",
    "AudioCNNFeatureExtractor",
    "AudioCNNForAudioClassification",
    "AudioClassificationPipeline",
    "AudioEnsembleConfig",
    "AudioEnsembleForAudioClassification",
    "__version__",
]
