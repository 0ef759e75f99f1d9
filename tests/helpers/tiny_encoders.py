"""Random checkpoints of transformers' audio encoders, tiny, with their real classes and in the real format."""

from transformers import (
    ASTConfig,
    ASTFeatureExtractor,
    ASTForAudioClassification,
    Data2VecAudioConfig,
    Data2VecAudioForSequenceClassification,
    HubertConfig,
    HubertForSequenceClassification,
    SEWConfig,
    SEWForSequenceClassification,
    UniSpeechConfig,
    UniSpeechForSequenceClassification,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForSequenceClassification,
    WavLMConfig,
    WavLMForSequenceClassification,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForAudioClassification,
)

RATE = 16000
TRANSFORMER = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
CONVOLUTIONS = {
    "conv_dim": (8, 8),
    "conv_stride": (20, 8),
    "conv_kernel": (40, 16),
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
    "classifier_proj_size": 16,
}
# Nothing that is drawn: what two ways of training have in common can then be compared.
STILL = {
    **dict.fromkeys(("hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout"), 0.0),
    **dict.fromkeys(("final_dropout", "layerdrop", "mask_time_prob"), 0.0),
}
WAVEFORM_MODELS = {
    "wav2vec2": (Wav2Vec2Config, Wav2Vec2ForSequenceClassification),
    "hubert": (HubertConfig, HubertForSequenceClassification),
    "wavlm": (WavLMConfig, WavLMForSequenceClassification),
    "data2vec": (Data2VecAudioConfig, Data2VecAudioForSequenceClassification),
    "sew": (SEWConfig, SEWForSequenceClassification),
    "unispeech": (UniSpeechConfig, UniSpeechForSequenceClassification),
}
FAMILIES = (*WAVEFORM_MODELS, "whisper", "ast")


def tiny_encoder(family: str, rate: int = RATE, **changes):
    """A model, and the extractor that belongs to it."""
    labels = {} if "id2label" in changes else {"num_labels": 5}
    settings = {**TRANSFORMER, **labels, **changes}
    if family in WAVEFORM_MODELS:
        config_class, model_class = WAVEFORM_MODELS[family]
        if family == "data2vec":
            settings["conv_pos_kernel_size"] = 3
        if family == "sew":
            settings["squeeze_factor"] = 1
        config = config_class(**{**CONVOLUTIONS, **settings})
        return model_class(config), Wav2Vec2FeatureExtractor(sampling_rate=rate, return_attention_mask=True)
    if family == "whisper":
        config = WhisperConfig(
            d_model=16,
            encoder_layers=2,
            decoder_layers=1,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=32,
            decoder_ffn_dim=32,
            num_mel_bins=20,
            max_source_positions=50,
            classifier_proj_size=16,
            num_labels=changes.get("num_labels", 5),
        )
        extractor = WhisperFeatureExtractor(
            feature_size=20, sampling_rate=rate, hop_length=rate // 100, chunk_length=1, n_fft=rate // 40
        )
        return WhisperForAudioClassification(config), extractor
    shape = {"num_mel_bins": 24, "max_length": settings.pop("max_length", 128)}
    config = ASTConfig(**{"patch_size": 8, **shape, **settings})
    return ASTForAudioClassification(config), ASTFeatureExtractor(sampling_rate=rate, **shape)


def save_encoder(folder, family: str, rate: int = RATE, **changes):
    """The folder of a checkpoint."""
    for part in tiny_encoder(family, rate, **changes):
        part.save_pretrained(folder)
    return folder
