"""Makes transformers' Auto classes and `pipeline("audio-classification")` know the package's models."""

from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, AutoModelForAudioClassification, AutoProcessor

from .inference import pipeline  # noqa: F401  # takes the stock pipeline's place
from .models.configuration_audio_cnn import AudioCNNConfig
from .models.configuration_audio_encoder import AudioEncoderConfig
from .models.configuration_audio_ensemble import AudioEnsembleConfig
from .models.feature_extraction_audio_cnn import AudioCNNFeatureExtractor
from .models.modeling_audio_cnn import AudioCNNForAudioClassification, AudioCNNModel
from .models.modeling_audio_encoder import AudioEncoderForAudioClassification, AudioEncoderModel
from .models.modeling_audio_ensemble import AudioEnsembleForAudioClassification

AutoConfig.register(AudioCNNConfig.model_type, AudioCNNConfig)
AutoFeatureExtractor.register(AudioCNNConfig, AudioCNNFeatureExtractor)
AutoProcessor.register(AudioCNNConfig, AudioCNNFeatureExtractor)  # else it asks whether to run the checkpoint's code
AutoModel.register(AudioCNNConfig, AudioCNNModel)
AutoModelForAudioClassification.register(AudioCNNConfig, AudioCNNForAudioClassification)
AutoConfig.register(AudioEnsembleConfig.model_type, AudioEnsembleConfig)
AutoFeatureExtractor.register(AudioEnsembleConfig, AudioCNNFeatureExtractor)
AutoProcessor.register(AudioEnsembleConfig, AudioCNNFeatureExtractor)
AutoModelForAudioClassification.register(AudioEnsembleConfig, AudioEnsembleForAudioClassification)
AutoConfig.register(AudioEncoderConfig.model_type, AudioEncoderConfig)
AutoFeatureExtractor.register(AudioEncoderConfig, AudioCNNFeatureExtractor)
AutoProcessor.register(AudioEncoderConfig, AudioCNNFeatureExtractor)
AutoModel.register(AudioEncoderConfig, AudioEncoderModel)
AutoModelForAudioClassification.register(AudioEncoderConfig, AudioEncoderForAudioClassification)

# `save_pretrained` then copies the files of `hf_audio/models` into the checkpoint and names them in its auto_map.
AudioCNNConfig.register_for_auto_class()
AudioCNNFeatureExtractor.register_for_auto_class("AutoFeatureExtractor")
AudioCNNModel.register_for_auto_class("AutoModel")
AudioCNNForAudioClassification.register_for_auto_class("AutoModelForAudioClassification")
AudioEnsembleConfig.register_for_auto_class()
AudioEnsembleForAudioClassification.register_for_auto_class("AutoModelForAudioClassification")
AudioEncoderConfig.register_for_auto_class()
AudioEncoderModel.register_for_auto_class("AutoModel")
AudioEncoderForAudioClassification.register_for_auto_class("AutoModelForAudioClassification")
