"""Embeddings of every kind of checkpoint, against what transformers' own models compute on their way to the logits."""

import numpy as np
import pytest
import torch
from helpers.checkpoints import save_checkpoint, save_ensemble, tiny_config, trained_looking_model
from helpers.recordings import RATE, tone
from helpers.tiny_encoders import save_encoder, tiny_encoder
from transformers import (
    AutoFeatureExtractor,
    AutoModel,
    AutoModelForAudioClassification,
    ClapAudioConfig,
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    ClapTextConfig,
)

from hf_audio.errors import CheckpointError
from hf_audio.inference.embedder import embedder_of, load_embedder, pooled_embeddings
from hf_audio.inference.torch_classifier import TorchAudioClassifier


@pytest.mark.parametrize("changes", [{}, {"pooling": "attention"}, {"num_digits": 2}, {"long_term_spectrum": True}])
def test_auto_model_hidden_states_and_embedder_give_one_vector(changes, tmp_path):
    checkpoint = save_checkpoint(tmp_path, **changes)
    sound = tone(500, 0.8)
    batch = torch.from_numpy(sound)[None]
    classifier = AutoModelForAudioClassification.from_pretrained(checkpoint).eval()
    with torch.no_grad():
        expected = AutoModel.from_pretrained(checkpoint).eval()(batch).pooler_output
        asked = classifier(batch, output_hidden_states=True)
        assert expected.shape == asked.pooler_output.shape == (1, asked.pooler_output.shape[1])
        assert torch.equal(expected, asked.pooler_output)
        assert torch.equal(expected, pooled_embeddings(classifier, input_values=batch))
        assert classifier(batch).get("pooler_output") is None
    vectors = load_embedder(checkpoint).embed([sound, sound[:4000]])
    assert vectors.dtype == np.float32 and vectors.shape == (2, expected.shape[1])
    np.testing.assert_allclose(vectors[0], expected[0], rtol=1e-4, atol=1e-5)


def test_padding_changes_no_embedding(tmp_path):
    embedder = load_embedder(save_checkpoint(tmp_path))
    long, short = tone(500, 1.0), tone(300, 0.4)
    together = embedder.embed([long, short])
    np.testing.assert_allclose(together[1], embedder.embed([short])[0], rtol=1e-3, atol=1e-4)


def test_a_recordings_vector_is_the_mean_of_its_windows(checkpoint):
    embedder = load_embedder(checkpoint)
    sound = np.concatenate([tone(300, 1.0), tone(2000, 1.0)])
    expected = embedder.embed([sound[:RATE], sound[RATE:]]).mean(0)
    np.testing.assert_allclose(embedder.embed_recording(sound), expected, rtol=1e-5)


def test_an_ensembles_vector_is_its_members_one_after_the_other(tmp_path):
    members = [tiny_config(), tiny_config(hidden_sizes=[8, 10], sampling_rate=RATE // 2, clip_seconds=0.5)]
    checkpoint = save_ensemble(tmp_path, members)
    sound = tone(500, 1.0)
    embedder = load_embedder(checkpoint)
    vector = embedder.embed([sound])[0]
    first = trained_looking_model(members[0], seed=0)
    with torch.no_grad():
        own = first.embed(torch.from_numpy(sound)[None])[0]
        ensemble = AutoModelForAudioClassification.from_pretrained(checkpoint).eval()
        told = ensemble(torch.from_numpy(sound)[None], output_hidden_states=True).pooler_output[0]
    np.testing.assert_allclose(vector[: len(own)], own, rtol=1e-4, atol=1e-5)
    assert len(vector) > len(own)
    np.testing.assert_allclose(vector, told, rtol=1e-4, atol=1e-5)
    # The second member hears two windows of half a second, at half the rate.
    with torch.no_grad():
        halves = ensemble.resamplers[1](torch.from_numpy(sound)[None]).reshape(2, -1)
        mean = ensemble.members[1].embed(halves).mean(0)
    np.testing.assert_allclose(vector[len(own) :], mean, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", ["wav2vec2", "wavlm", "whisper", "ast"])
def test_of_a_classifier_of_transformers_it_is_what_its_last_layer_reads(family, tmp_path):
    checkpoint = save_encoder(tmp_path, family)
    sound = tone(500, 0.5, 16000)
    vector = load_embedder(checkpoint).embed([sound])
    model = AutoModelForAudioClassification.from_pretrained(checkpoint).eval()
    head = model.classifier.dense if family == "ast" else model.classifier
    logits = torch.nn.functional.linear(torch.from_numpy(vector), head.weight, head.bias).detach().numpy()
    expected = TorchAudioClassifier(checkpoint).logits([sound])
    np.testing.assert_allclose(logits, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("family", ["wavlm", "whisper", "ast"])
def test_without_a_head_it_is_pooled_over_what_is_no_padding(family, tmp_path):
    model, extractor = tiny_encoder(family)
    model.save_pretrained(tmp_path / "classifier")
    base = AutoModel.from_pretrained(tmp_path / "classifier")
    base.eval().save_pretrained(tmp_path)
    extractor.save_pretrained(tmp_path)
    sound = tone(500, 0.5, 16000)
    embedder = load_embedder(tmp_path)
    vector = embedder.embed([sound])[0]
    inputs = AutoFeatureExtractor.from_pretrained(tmp_path)(sound, sampling_rate=16000, return_tensors="pt")
    with torch.no_grad():
        if family == "whisper":
            states = base.encoder(inputs["input_features"]).last_hidden_state[:, :25]  # half a second of one
        else:
            states = base(inputs["input_values"]).last_hidden_state
    expected = states[:, :2].mean(1) if family == "ast" else states.mean(1)
    if family == "ast":
        expected = base(inputs["input_values"]).pooler_output.detach()
    np.testing.assert_allclose(vector, expected[0], rtol=1e-3, atol=1e-4)
    if family == "wavlm":
        both = extractor([sound, sound[:4000]], sampling_rate=16000, return_tensors="pt", padding=True)
        with torch.no_grad():
            padded = pooled_embeddings(base, **both)
        np.testing.assert_allclose(padded[0], expected[0], rtol=1e-3, atol=1e-4)
    else:  # it lets its model hear so much, and what is longer is cut
        assert embedder.facts.clip_seconds == pytest.approx({"whisper": 1.0, "ast": 1.295}[family])


def test_a_clap_embeds_by_its_audio_tower(tmp_path):
    audio = ClapAudioConfig(
        window_size=4,
        num_mel_bins=16,
        spec_size=64,
        hidden_size=16,
        patch_embeds_hidden_size=8,
        depths=[1, 1],
        num_attention_heads=[2, 2],
        projection_dim=24,
        num_hidden_layers=2,
        enable_fusion=False,
        patch_embed_input_channels=1,
    )
    text = ClapTextConfig(
        vocab_size=10, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8
    )
    model = ClapModel(ClapConfig(text_config=text.to_dict(), audio_config=audio.to_dict(), projection_dim=24)).eval()
    extractor = ClapFeatureExtractor(feature_size=16, max_length_s=1, truncation="rand_trunc", sampling_rate=16000)
    model.save_pretrained(tmp_path)
    extractor.save_pretrained(tmp_path)
    sound = tone(500, 0.4, 16000)
    inputs = extractor(sound, sampling_rate=16000, return_tensors="pt")
    with torch.no_grad():
        expected = model.get_audio_features(**inputs).pooler_output[0]
    embedder = load_embedder(tmp_path)
    assert embedder.facts.clip_seconds == 1.0
    np.testing.assert_allclose(embedder.embed([sound])[0], expected, rtol=1e-3, atol=1e-5)


def test_a_loaded_classifier_embeds_by_the_network_that_it_has(checkpoint):
    classifier = TorchAudioClassifier(checkpoint)
    embedder = embedder_of(classifier)
    assert embedder.network.model is classifier.model
    np.testing.assert_array_equal(embedder.embed([tone(500, 1.0)]), load_embedder(checkpoint).embed([tone(500, 1.0)]))


def test_what_does_not_embed_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(CheckpointError, match=r"holds no config\.json"):
        load_embedder(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert", "architectures": ["BertModel"]}')
    with pytest.raises(CheckpointError, match="is no audio network that can be loaded"):
        load_embedder(tmp_path)
