"""The picture of a run's test clips by its network's embeddings, against those of the finished checkpoint."""

import numpy as np
import pytest
from datasets import Dataset
from helpers.checkpoints import save_checkpoint
from helpers.recordings import RATE, tone
from transformers import AutoFeatureExtractor, AutoModelForAudioClassification

from hf_audio.audio.packing import pack_samples
from hf_audio.inference.embedder import load_embedder
from hf_audio.runs.predictions.classes import Predictions
from hf_audio.runs.predictions.kinds import join_clips
from hf_audio.runs.predictions.numbers import NumberPredictions
from hf_audio.training.judgement import clip_map
from hf_audio.training.judgement.clip_map import PICTURE_NAME, map_test_clips

NAMES = ("low", "high")


@pytest.fixture
def tested() -> tuple[Dataset, Predictions]:
    """Low and high tones of one window or two, of which the third is called by the wrong name."""
    sounds = [tone(hertz + number, 0.5 + number % 2, seed=number) for hertz in (250, 3000) for number in range(12)]
    labels = np.repeat([0, 1], 12)
    labels[2] = 1
    paths = [f"folder/{number}.wav" for number in range(24)]
    probabilities = np.eye(2)[labels]
    return Dataset.from_dict({"audio": list(map(pack_samples, sounds))}), Predictions.from_probabilities(
        paths, NAMES, labels, probabilities
    )


def loaded(folder) -> list:
    """A checkpoint's model and extractor."""
    return [auto.from_pretrained(folder) for auto in (AutoModelForAudioClassification, AutoFeatureExtractor)]


def test_test_clips_lie_where_the_checkpoints_embeddings_do(tested, tmp_path, monkeypatch):
    clips, predictions = tested
    folder = save_checkpoint(tmp_path / "checkpoint")
    model, extractor = (
        auto.from_pretrained(folder) for auto in (AutoModelForAudioClassification, AutoFeatureExtractor)
    )
    seen = []
    mapped = clip_map.map_collection
    monkeypatch.setattr(
        clip_map, "map_collection", lambda vectors, *others: seen.append(vectors) or mapped(vectors, *others)
    )
    found = map_test_clips(model, extractor, clips, predictions)
    embedder = load_embedder(folder)
    sound = tone(251, 1.5, seed=1)
    np.testing.assert_allclose(seen[0][1], embedder.embed_recording(sound), rtol=0.02, atol=0.02)  # of 16 bits
    map_test_clips(model, extractor, clips, predictions, is_kept=True)
    np.testing.assert_allclose(seen[1], seen[0], rtol=1e-4, atol=1e-4)
    assert [found.names[doubt.clip] for doubt in found.found.doubts] == ["2.wav"]
    assert found.tables()[0].rows == [["2.wav", "high", "low"]]
    assert found.write(tmp_path) == PICTURE_NAME and (tmp_path / PICTURE_NAME).stat().st_size > 5000


def test_there_is_no_picture_that_would_say_nothing(tested, tmp_path):
    clips, predictions = tested
    folder = save_checkpoint(tmp_path)
    parts = loaded(folder)
    few = join_clips([predictions])
    assert map_test_clips(*parts, clips.select(range(10)), few) is None
    predictions.references = np.arange(24) % 2
    assert map_test_clips(*parts, clips, predictions) is None
    assert map_test_clips(*parts, clips, NumberPredictions.__new__(NumberPredictions)) is None
    assert parts[1].sampling_rate == RATE
