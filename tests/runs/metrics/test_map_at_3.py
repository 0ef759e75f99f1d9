"""Mean average precision at 3 against its definition spelt out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_audio.runs.metrics import MeanAveragePrecisionAt3
from hf_audio.runs.metrics.map_at_3 import rank_labels

NAMES = ["bark", "chime", "gong", "meow", ""]


ranked_clips = st.lists(
    st.tuples(st.lists(st.integers(0, 3), max_size=5), st.integers(-1, 3)), min_size=1, max_size=20
).filter(lambda clips: any(label >= 0 for _, label in clips))


def map_at_3_by_definition(clips) -> float:
    """The mean over labelled clips of the precision at the place, of three, where the label first stands."""
    values = []
    for ranked, label in clips:
        if label == -1:
            continue
        hits, value = 0, 0.0
        for place, guess in enumerate(ranked[:3], start=1):
            if guess == label and hits == 0:
                hits += 1
                value += hits / place
        values.append(value)
    return sum(values) / len(values)


@settings(deadline=None, max_examples=60)
@given(ranked_clips)
def test_map_at_3_follows_its_definition_for_indices_and_names(clips):
    expected = {"map_at_3": pytest.approx(map_at_3_by_definition(clips))}
    predictions, references = zip(*clips, strict=True)
    metric = MeanAveragePrecisionAt3(keep_in_memory=True)
    assert metric.compute(predictions=predictions, references=references) == expected
    named = {
        "predictions": [[NAMES[label] for label in ranked] for ranked in predictions],
        "references": [NAMES[label] for label in references],
    }
    assert MeanAveragePrecisionAt3(keep_in_memory=True).compute(**named) == expected
    for prediction, reference in clips:
        metric.add_batch(predictions=[prediction], references=[reference])
    assert metric.compute() == expected


def test_map_at_3_takes_names_that_look_like_numbers():
    told = MeanAveragePrecisionAt3(keep_in_memory=True).compute(predictions=[["7"], ["cat"]], references=["7", "cat"])
    assert told == {"map_at_3": 1.0}


@pytest.mark.parametrize("missing", [-1, ""])
def test_map_at_3_without_a_label_is_refused(missing):
    with pytest.raises(ValueError, match="No clip has a label"):
        MeanAveragePrecisionAt3(keep_in_memory=True).compute(predictions=[[missing]], references=[missing])


@given(st.lists(st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.7]), min_size=6, max_size=6), min_size=1, max_size=8))
def test_of_equal_scores_the_first_class_is_ranked_first(scores):
    for width in (2, 6):
        rows = [row[:width] for row in scores]
        by_hand = [sorted(range(width), key=lambda label: (-row[label], label))[:3] for row in rows]
        np.testing.assert_array_equal(rank_labels(np.array(rows)), by_hand)
