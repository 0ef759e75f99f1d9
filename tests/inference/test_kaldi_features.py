"""The batched filter bank against the extractor in whose place it stands."""

import numpy as np
import pytest
import torch
from helpers.tiny_encoders import RATE, save_encoder, tiny_encoder
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import ASTFeatureExtractor, AutoFeatureExtractor, AutoModelForAudioClassification, pipeline

from hf_audio.errors import CheckpointError
from hf_audio.inference.kaldi_features import KaldiFeatures, kaldi_features
from hf_audio.inference.torch_classifier import TorchAudioClassifier


def stock_features(extractor: ASTFeatureExtractor, clips) -> np.ndarray:
    return np.stack(extractor(list(clips), sampling_rate=RATE)["input_values"])


@settings(max_examples=25, deadline=None)
@given(
    lengths=st.lists(st.integers(400, 9000), min_size=1, max_size=4),
    n_mels=st.sampled_from([24, 64, 128]),
    max_length=st.integers(1, 80),
    normalized=st.booleans(),
    loudness=st.floats(-5, 0),
    offset=st.floats(-0.5, 0.5),
    seed=st.integers(0, 99),
)
def test_it_equals_the_stock_extractor(lengths, n_mels, max_length, normalized, loudness, offset, seed):
    extractor = ASTFeatureExtractor(
        num_mel_bins=n_mels, max_length=max_length, do_normalize=normalized, mean=-3.0, std=2.5
    )
    generator = np.random.default_rng(seed)
    clips = [(10**loudness * generator.standard_normal(n) + offset).astype(np.float32) for n in lengths]
    padded, mask = np.full((len(clips), max(lengths)), 0.3, dtype=np.float32), np.zeros((len(clips), max(lengths)))
    for row, real, clip in zip(padded, mask, clips, strict=True):
        row[: len(clip)], real[: len(clip)] = clip, 1
    own = KaldiFeatures(extractor)(torch.from_numpy(padded), torch.from_numpy(mask))
    assert own.dtype == torch.float32
    np.testing.assert_allclose(own.numpy(), stock_features(extractor, clips), atol=1e-5)


def test_it_equals_the_stock_extractor_beside_a_loud_tone():
    t = np.arange(RATE) / RATE
    tones = [0.99 * np.sin(2 * np.pi * 5000 * t), np.sign(np.sin(2 * np.pi * 200 * t)), np.zeros(RATE)]
    clips = np.round(np.stack(tones) * 32767).astype(np.float32) / 32768  # the noise of 16 bits, 98 dB below
    extractor = ASTFeatureExtractor()
    own = KaldiFeatures(extractor)
    np.testing.assert_allclose(own(torch.from_numpy(clips)), stock_features(extractor, clips), atol=1e-5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        np.testing.assert_allclose(own(torch.from_numpy(clips)), stock_features(extractor, clips), atol=1e-5)


def test_a_clip_of_less_than_a_frame_is_filled_with_zeros():
    clip = torch.randn(1, 150, generator=torch.Generator().manual_seed(0))
    own = KaldiFeatures(ASTFeatureExtractor(max_length=8))
    torch.testing.assert_close(own(clip), own(torch.nn.functional.pad(clip, (0, 250))))


def test_other_extractors_stay():
    assert kaldi_features(tiny_encoder("wav2vec2")[1]) is None
    assert kaldi_features(ASTFeatureExtractor(sampling_rate=8000)) is None, "not equal with and without torchaudio"


def test_classifier_and_pipeline_answer_as_stock_code_does(tmp_path):
    save_encoder(tmp_path, "ast")
    generator = np.random.default_rng(0)
    clips = [generator.standard_normal(n).astype(np.float32) / 10 for n in (9000, 16000, 9000)]
    extractor = AutoFeatureExtractor.from_pretrained(tmp_path)
    model = AutoModelForAudioClassification.from_pretrained(tmp_path).eval()
    with torch.no_grad():
        expected = model(torch.from_numpy(stock_features(extractor, clips))).logits.softmax(-1).numpy()
    np.testing.assert_allclose(TorchAudioClassifier(tmp_path, device="cpu").judge(clips), expected, atol=1e-5)
    classify = pipeline("audio-classification", model=str(tmp_path), top_k=None, device="cpu")
    for clip, scores in zip(clips, expected, strict=True):
        answer = {entry["label"]: entry["score"] for entry in classify(clip)}
        np.testing.assert_allclose([answer[model.config.id2label[i]] for i in range(5)], scores, atol=1e-5)


def test_a_checkpoint_that_contradicts_itself_is_refused_in_a_sentence(tmp_path):
    save_encoder(tmp_path, "ast")
    ASTFeatureExtractor(num_mel_bins=24, max_length=100).save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match=r"makes 100 frames of 24 mel bands .* reads 128 of 24"):
        TorchAudioClassifier(tmp_path)
