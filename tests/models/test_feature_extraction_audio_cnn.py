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
