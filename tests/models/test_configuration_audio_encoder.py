"""Numbers of encoders that do not fit together."""

import pytest
from huggingface_hub.errors import StrictDataclassError

from hf_audio import AudioEncoderConfig


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"encoder": "birds"}, "encoder='birds' is not known: choose one of ge2e, speech, sfx"),
        ({"encoder": "ge2e", "sampling_rate": 8000}, "sampling_rate=8000 is 16000 in encoder='ge2e'"),
        ({"encoder": "sfx", "embedding_size": 96}, "embedding_size=96 is 512"),
        ({"encoder": "sfx", "min_seconds": 1.0}, "min_seconds=1.0 is of encoder='speech' alone"),
        ({"encoder": "speech", "min_seconds": 0.5}, "lies between 0.782 and 1.5"),
        ({"clip_seconds": 0}, "clip_seconds=0 must be positive"),
        ({"overlap": 1.0}, "overlap=1.0"),
        ({"temperature": float("nan")}, "temperature=nan must be a finite number"),
        ({"num_digits": 2, "num_labels": 3}, "num_digits=2 needs num_labels=20"),
        ({"rejection_margin": 1.0}, "needs 'none of these' as the last label"),
        ({"problem_type": "regression"}, "regression"),
    ],
)
def test_what_no_model_can_be_built_from_is_refused(wrong, told):
    with pytest.raises(StrictDataclassError) as caught:
        AudioEncoderConfig(**wrong)
    assert told in str(caught.value)


def test_an_encoder_knows_its_rate_and_its_window():
    for encoder, rate, size, seconds in (
        ("ge2e", 16000, 256, 1.6),
        ("speech", 16000, 96, 0.782),
        ("sfx", 44100, 512, 2.3),
    ):
        config = AudioEncoderConfig(encoder=encoder)
        assert (config.sampling_rate, config.embedding_size) == (rate, size)
        assert config.window_seconds == pytest.approx(seconds, abs=2e-3)
        assert AudioEncoderConfig.from_dict(config.to_dict()).to_dict() == config.to_dict()
