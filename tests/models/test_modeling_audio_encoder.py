"""Encoders with a head and without, as transformers has them."""

import pytest
import torch
from helpers.wheels import random_encoder
from torch.nn import functional as F
from transformers import AutoModel, AutoModelForAudioClassification

from hf_audio import AudioEncoderConfig, AudioEncoderForAudioClassification, AudioEncoderModel
from hf_audio.inference.embedder import pooled_embeddings
from hf_audio.models.configuration_audio_cnn import NONE_OF_THESE


@pytest.fixture(scope="module")
def classifier() -> AudioEncoderForAudioClassification:
    torch.manual_seed(0)
    config = AudioEncoderConfig(encoder="speech", id2label={0: "yes", 1: "no", 2: NONE_OF_THESE}, temperature=2.0)
    config.rejection_margin = 0.7
    return AudioEncoderForAudioClassification(config).eval()


WAVEFORMS = 0.1 * torch.randn(2, 16000, generator=torch.Generator().manual_seed(0))


def test_a_head_judges_by_the_embeddings_of_automodel(classifier, tmp_path):
    classifier.save_pretrained(tmp_path)
    alone = AutoModel.from_pretrained(tmp_path).eval()
    assert isinstance(alone, AudioEncoderModel)
    with torch.no_grad():
        embeddings = alone(WAVEFORMS).pooler_output
        output = classifier(WAVEFORMS, labels=torch.tensor([0, 2]), output_hidden_states=True)
        torch.testing.assert_close(output.pooler_output, embeddings)
        for model in (alone, classifier):
            torch.testing.assert_close(pooled_embeddings(model, input_values=WAVEFORMS), embeddings)
        logits = classifier.classifier(embeddings) / 2.0
        logits[:, 2] += 0.7
        torch.testing.assert_close(output.logits, logits)
        torch.testing.assert_close(output.loss, F.cross_entropy(logits, torch.tensor([0, 2])))
    assert len(output.hidden_states) == 5 and output.hidden_states[0].shape[:2] == (2, 24)
    assert classifier(WAVEFORMS).hidden_states is None


def test_a_head_on_an_encoder_that_was_saved_alone(tmp_path):
    encoder = random_encoder("speech")
    encoder.save_pretrained(tmp_path)
    model = AutoModelForAudioClassification.from_pretrained(tmp_path, num_labels=5)
    assert model.classifier.out_features == 5
    for key, value in encoder.state_dict().items():
        torch.testing.assert_close(model.audio_encoder.state_dict()[key], value)


def test_another_head_forgets_what_was_fitted_to_the_first(classifier, tmp_path):
    classifier.save_pretrained(tmp_path)
    other = AutoModelForAudioClassification.from_pretrained(tmp_path, num_labels=4, ignore_mismatched_sizes=True)
    assert (other.config.temperature, other.config.rejection_margin) == (1.0, 0.0)
    same = AutoModelForAudioClassification.from_pretrained(tmp_path)
    assert (same.config.temperature, same.config.rejection_margin) == (2.0, 0.7)
