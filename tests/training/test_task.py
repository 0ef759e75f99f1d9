"""Rows of a task in the forms that users have them in."""

import numpy as np
import pytest
from datasets import Audio, ClassLabel, Dataset, DatasetDict, Features, Value
from helpers.checkpoints import results, tiny_config
from helpers.recordings import encoded, tone
from helpers.tones import FACTS

from hf_audio.arguments import RecipeArguments
from hf_audio.errors import DataError
from hf_audio.training.fine_tune import fine_tune
from hf_audio.training.task import Task, as_mask


def rows(n: int = 6) -> Dataset:
    return Dataset.from_dict({"path": [f"{k}.wav" for k in range(n)], "label": ["low", "high"] * (n // 2)})


def task(**changes) -> Task:
    return Task(**{"config": tiny_config(), "dataset": rows(), "held_out": [0, 3], "facts": FACTS, **changes})


@pytest.mark.parametrize(
    "given",
    [
        [1, 4],
        np.array([4, 1]),
        {1, 4},
        range(1, 5, 3),
        np.array([1, 4], dtype=np.uint8),
        [False, True, False, False, True, False],
    ],
)
def test_rows_are_bools_or_indices(given):
    assert as_mask(given, 6, "held_out").tolist() == [False, True, False, False, True, False]
    made = task(held_out=given, validation_rows=given, further_tests={"far": given}, folds={"a": given})
    for mask in (made.held_out, made.validation_rows, made.further_tests["far"], made.folds["a"]):
        assert mask.dtype == bool and np.flatnonzero(mask).tolist() == [1, 4]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([True, False], "2 bools, and the data set has 6 rows"),
        ([6], "the index 6"),
        ([-1], "the index -1"),
        ([0, 1, 1, 0, 0, 0], "must be bools"),
        ([0.5], "type float64"),
        (["a"], "type <U1"),
        ([[0], [1]], "shape"),
    ],
)
def test_other_rows_are_refused_by_their_name(given, says):
    with pytest.raises(DataError, match=says) as refusal:
        task(further_tests={"far": given})
    assert str(refusal.value).startswith("further_tests['far'] holds")


@pytest.mark.parametrize("name", ["test", "validation", "corpus", "harmonic", "tta", "far away", ""])
def test_a_test_set_cannot_be_called_as_what_is_told_of_another(name):
    with pytest.raises(DataError, match="further_tests"):
        task(further_tests={name: [1]})


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([7, 30, 7, 30, 100, 100], ["7", "30", "100"]),
        (["low", "high"] * 3, ["high", "low"]),
        ([True, False] * 3, ["False", "True"]),
    ],
)
def test_plain_labels_become_classes(labels, names):
    dataset = task(dataset=Dataset.from_dict({"path": list("abcdef"), "label": labels})).dataset
    assert dataset.features["label"].names == names
    assert [names[number] for number in dataset["label"]] == [str(label) for label in labels]


@pytest.mark.parametrize(
    ("dataset", "says"),
    [
        (Dataset.from_dict({"path": ["a", "b"], "label": [0.5, 1.5]}), "holds float64"),
        (Dataset.from_dict({"path": ["a", "b"], "label": [1, 1]}), "one label '1'|one label 1"),
        (Dataset.from_dict({"path": ["a", "b"], "label": ["x", None]}), "1 rows of the data set have no label"),
        (Dataset.from_dict({"path": ["a", "b"]}), "no column 'label', its columns are path"),
        (Dataset.from_dict({"file": ["a", "b"], "label": [0, 1]}), "no column 'path' and 0 of datasets.Audio"),
        (Dataset.from_dict({"path": ["a", "b"], "label": [0, 1], "index": [0, 1]}), "column 'index'"),
        (DatasetDict(train=rows()), "is a DatasetDict"),
    ],
)
def test_what_cannot_be_trained_on_is_one_sentence(dataset, says):
    with pytest.raises(DataError, match=says):
        task(dataset=dataset, held_out=[0])


def test_a_data_set_with_a_column_of_audio_and_numbers_for_labels_is_trained_on(tmp_path):
    pitches, clips = (300, 900), []
    for number in range(16):
        wav = encoded(tone(pitches[number % 2], 0.5))
        # As Common Voice: `path` names a file that is not there.
        clips.append({"audio": {"bytes": wav, "path": f"{number}.wav"}, "path": "gone.mp3"})
    labels = [number % 2 for number in range(16)]
    features = Features({"audio": {"bytes": Value("binary"), "path": Value("string")}, "path": Value("string")})
    dataset = Dataset.from_list(clips, features=features).add_column("label", labels).cast_column("audio", Audio())
    assert not isinstance(dataset.features["label"], ClassLabel)
    args = RecipeArguments(
        output_dir=str(tmp_path / "out"), max_steps=2, use_cpu=True, bf16=False, report_to="none", disable_tqdm=True
    )
    fine_tune(args, task(dataset=dataset, held_out=[0, 1, 2, 3]))
    told = results(tmp_path / "out")
    assert told["labels"] == ["0", "1"] and (told["eval_samples"], told["train_samples"]) == (4, 12)
    assert told["skipped_samples"] == 0
