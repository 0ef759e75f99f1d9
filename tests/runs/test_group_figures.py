"""Figures by group: which is named as the worst, and which is not because that may be chance."""

import numpy as np
import pytest

from hf_audio.runs.answers import answer_tables, measure_answers
from hf_audio.runs.group_figures import describe_worst, few_valued, group_tables, measure_groups
from hf_audio.runs.predictions.classes import Predictions


def predictions(right: dict[str, tuple[int, int]], **columns) -> Predictions:
    """Of groups with so many right answers of so many."""
    hits = np.concatenate([np.arange(n) < n_right for n_right, n in right.values()])
    groups = np.repeat(list(right), [n for _, n in right.values()])
    answered = np.where(hits[:, None], [[0.9, 0.1]], [[0.2, 0.8]])
    found = Predictions.from_probabilities([str(row) for row in range(len(hits))], ["x", "y"], 0 * hits, answered)
    found.groups, found.columns = groups, columns
    return found


def test_the_worst_group_is_the_one_that_is_worst_for_sure():
    told = measure_groups(predictions({"a": (48, 50), "b": (35, 50), "c": (47, 50), "d": (1, 2)}), "speaker")[
        "speaker"
    ]
    assert (told["worst"], told["beyond_chance"], told["n_groups"]) == ("b", True, 4)
    assert told["figures"][0]["group"] == "b" and told["others"] == pytest.approx(96 / 102)
    assert told["figures"][0]["interval"] == pytest.approx([0.562, 0.809], abs=0.001)  # Wilson's
    (sentence,) = describe_worst({"speaker": told}, repr)
    assert sentence.startswith("Worst by 'speaker': 'b', 0.700 right of 50 clips (95 % interval 0.562 to 0.809);")


def test_a_group_of_a_few_clips_is_not_blamed_for_chance():
    told = measure_groups(predictions({"a": (48, 50), "b": (46, 50), "c": (1, 2)}), "speaker")["speaker"]
    assert not told["beyond_chance"] and told["worst"] == "b"
    assert "none of 3 groups is worse than the others beyond chance" in describe_worst({"speaker": told}, repr)[0]
    # Of many groups alike, the lowest is lower by chance: how often one is blamed.
    generator = np.random.default_rng(0)
    blamed = 0
    for _ in range(40):
        hits = generator.binomial(8, 0.85, 60)
        groups = {f"{number:02}": (int(right), 8) for number, right in enumerate(hits)}
        blamed += measure_groups(predictions(groups), "speaker")["speaker"].get("beyond_chance", False)
    assert blamed <= 3
    alike = measure_groups(predictions({"a": (5, 5), "b": (4, 4)}), "speaker")
    assert describe_worst(alike, repr) == ["By 'speaker': all 2 groups have 1.000 right."]


def test_many_groups_are_summed_up_and_clips_by_themselves_are_none():
    many = {f"s{number:02}": (8 - number % 3, 8) for number in range(40)} | {"bad": (2, 30)}
    groups = measure_groups(predictions(many), "speaker")
    (table,) = group_tables(groups, "Accuracy")
    assert len(table.rows) == 10 and table.rows[0][:3] == ["bad", 30, "0.067"]
    assert "10 of 41 groups are shown" in table.intro and "half of all lie between 0.750 and 1.000" in table.intro
    assert measure_groups(predictions({"/home/me/a.wav": (1, 1), "b": (0, 1)}), "speaker") == {}
    assert measure_groups(predictions({"one": (3, 4)}), "speaker") == {}


def test_clips_of_one_speaker_count_together_where_sexes_are_compared():
    """Else one bad speaker of three would make a bad sex."""
    speakers = {"a": (20, 20), "b": (20, 20), "c": (2, 20), "d": (19, 20), "e": (20, 20), "f": (20, 20)}
    sex = np.repeat(["m", "f"], 60)
    told = measure_groups(predictions(speakers, sex=sex), "speaker")
    assert told["sex"]["worst"] == "m" and not told["sex"]["beyond_chance"] and told["speaker"]["worst"] == "c"
    assert measure_groups(predictions(speakers, sex=sex), None)["sex"]["beyond_chance"] is False
    alone = predictions(speakers, sex=sex)
    alone.groups = None
    assert measure_groups(alone, None)["sex"]["beyond_chance"]
    tables = answer_tables(measure_answers(alone, None), alone)
    assert "Worst by `sex`: `m`" in tables[1].intro and tables[1].header[2] == "Accuracy"


def test_columns_of_a_few_values_are_told_apart_unless_the_label_says_the_same():
    labels = np.arange(40) % 4
    columns = {
        "microphone": ["near", "far"] * 10 + ["far", "near"] * 10,
        "kind": [("pet" if label < 2 else "bird") for label in labels],
        "id": [str(row) for row in range(40)],
        "same": ["x"] * 40,
        "take": [str(label) for label in labels],
    }
    assert few_valued(columns, labels) == ["microphone"] and "kind" in few_valued(columns, None)
