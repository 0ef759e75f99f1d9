"""What becomes of arrays before the model hears them."""

import numpy as np
import pytest
import torch
from helpers.recordings import RATE

from hf_audio import AudioCNNFeatureExtractor


def test_extractor_pads_and_masks():
    batch = AudioCNNFeatureExtractor(sampling_rate=RATE)(
        [np.ones(5, np.float32), np.ones(3)], sampling_rate=RATE, return_tensors="pt"
    )
    assert batch["input_values"].tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]
    assert batch["input_values"].dtype == torch.float32


@pytest.mark.parametrize(
    ("clip", "rate", "says"),
    [
        (np.zeros(100), 16000, "trained at 8000 Hz"),
        (np.zeros((2, 100)), RATE, "1-D array"),
        ([np.zeros(100), np.zeros((100, 2))], RATE, "Clip 1"),
        (np.zeros(0), RATE, "no samples"),
        ([], RATE, "no samples"),
        (np.array([0.0, np.nan]), RATE, "NaN"),
    ],
)
def test_extractor_refuses_in_a_sentence(clip, rate, says):
    with pytest.raises(ValueError, match=says):
        AudioCNNFeatureExtractor(sampling_rate=RATE)(clip, sampling_rate=rate)


def test_padding_on_the_left_is_refused_wherever_it_comes_from():
    clips = [np.ones(9, np.float32), np.ones(5, np.float32)]
    extractor = AudioCNNFeatureExtractor(sampling_rate=RATE, padding_side="left")
    with pytest.raises(ValueError, match="padded on the right alone"):
        extractor(clips, sampling_rate=RATE)
    extractor.padding_side = "right"
    padded = extractor(clips, sampling_rate=RATE, return_tensors="pt")
    assert padded["attention_mask"].sum(1).tolist() == [9, 5]
    extractor.padding_side = "left"
    with pytest.raises(ValueError, match="padded on the right alone"):
        extractor.pad({"input_values": clips})


def test_integers_are_divided_by_their_full_scale_and_floats_far_beyond_it_refused():
    words = np.array([0, 16384, -32768], np.int16)
    for clip in (
        words,
        words.astype(np.int64),
        words.astype(np.float32),
        words.tolist(),
        words.astype(np.int32) << 16,
    ):
        heard = AudioCNNFeatureExtractor(sampling_rate=RATE)(clip, sampling_rate=RATE)["input_values"][0]
        assert heard.dtype == np.float32 and heard.tolist() == [0, 0.5, -1]
    loud = np.array([0.5, 3.5], np.float32)  # as an augmentation may leave it
    np.testing.assert_array_equal(AudioCNNFeatureExtractor()(loud, sampling_rate=16000)["input_values"][0], loud)
    with pytest.raises(ValueError, match=r"Clip 0 holds samples as large as 2e\+04"):
        AudioCNNFeatureExtractor()(np.array([0.5, 20000.5]), sampling_rate=16000)
