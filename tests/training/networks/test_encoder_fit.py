"""What is told of an encoder that hears the clips otherwise than it has learnt to hear sounds."""

import pytest
from helpers.trainers import noise_clips
from helpers.wheels import random_encoder

from hf_audio import AudioCNNFeatureExtractor
from hf_audio.training.networks.encoder_fit import report_fit


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    folder = tmp_path_factory.mktemp("speech")
    random_encoder("speech").save_pretrained(folder)
    AudioCNNFeatureExtractor(sampling_rate=16000).save_pretrained(folder)
    return str(folder)


def test_short_clips_and_empty_bands_are_told_in_a_sentence_each(speech, caplog):
    report_fit(speech, 8000, noise_clips(8, samples=8000))
    report_fit(None, 8000, noise_clips(8, samples=800))
    assert not caplog.records
    report_fit(speech, 8000, noise_clips(8, samples=3200))
    assert "hears 0.78 s at once, and half of the clips last less than 0.20 s" in caplog.text
    caplog.clear()
    report_fit(speech, 6000, noise_clips(8, samples=8000))
    assert "sounds up to 8000 Hz, and recordings for 6000 Hz hold nothing above 3000 Hz" in caplog.text
    assert "at once" not in caplog.text
