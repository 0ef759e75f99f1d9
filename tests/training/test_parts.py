"""What is trained on and tested: a part of the clips for a dry run, and classes that cannot be read."""

import numpy as np
import pytest
import soundfile
from datasets import ClassLabel, Dataset, Features, Value
from helpers.checkpoints import tiny_config
from helpers.recordings import RATE, tone, touch
from helpers.tones import FACTS

from hf_audio.arguments import RecipeArguments
from hf_audio.data.rows import from_rows
from hf_audio.errors import ArgumentError, DataError
from hf_audio.training.parts import choose_samples, divide
from hf_audio.training.task import Task

# Of five classes, the last one with one training clip among 400.
LABELS = np.array([0] * 300 + [1] * 60 + [2] * 30 + [3] * 9 + [4] + [0, 1, 2, 3] * 25)
HELD_OUT = np.arange(500) >= 400


def clips(labels=LABELS, speakers=None) -> Dataset:
    speakers = list(map(str, range(len(labels)))) if speakers is None else speakers
    features = Features(path=Value("string"), label=ClassLabel(names=list("abcde")), speaker=Value("string"))
    rows = {"path": list(map(str, range(len(labels)))), "label": labels, "speaker": speakers}
    return Dataset.from_dict(rows, features=features)


def choose(dataset, masks=None, group=None, **most):
    args = RecipeArguments(output_dir="x", **most)
    return choose_samples(args, dataset, masks or {"test": HELD_OUT}, group)


def test_every_class_is_there_before_any_comes_twice():
    dataset, masks = choose(clips(), max_train_samples=20, max_eval_samples=8)
    labels, tested = np.array(dataset["label"]), masks["test"]
    assert (~tested).sum() == 20 and tested.sum() == 8
    assert set(labels[~tested]) == {0, 1, 2, 3, 4} and set(labels[tested]) == {0, 1, 2, 3}
    assert all((int(path) >= 400) == held for path, held in zip(dataset["path"], tested, strict=True))
    assert (labels[~tested] == 0).sum() >= 8, "the others come as often as they are"
    again, _ = choose(clips(), max_train_samples=20, max_eval_samples=8)
    other, _ = choose(clips(), max_train_samples=20, max_eval_samples=8, seed=7)
    assert again["path"][:] == dataset["path"][:] != other["path"][:]


def test_one_bound_leaves_the_other_part_alone():
    dataset, masks = choose(
        clips(), {"test": HELD_OUT & (LABELS < 2), "ood": HELD_OUT & (LABELS > 1)}, max_eval_samples=5
    )
    assert len(dataset) == 410 and masks["test"].sum() == masks["ood"].sum() == 5
    dataset, masks = choose(clips(), max_train_samples=1000)
    assert len(dataset) == 500 and (masks["test"] == HELD_OUT).all()
    with pytest.raises(
        ArgumentError, match="--max_train_samples 4 leaves some of 5 classes without a clip: give 5 or"
    ):
        choose(clips(), max_train_samples=4)


def test_clips_of_held_out_speakers_are_not_drawn():
    speakers = ["anna"] * 350 + ["bert"] * 50 + ["anna"] * 100
    dataset, masks = choose(clips(speakers=speakers), group="speaker", max_train_samples=10)
    assert np.array(dataset["speaker"])[~masks["test"]].tolist() == ["bert"] * 10


def test_numbers_are_drawn_at_random():
    numbers = Dataset.from_dict({"path": list("abcdef"), "label": [[1, 2]] * 6})
    dataset, masks = choose(numbers, {"test": np.arange(6) > 3}, max_train_samples=2, max_eval_samples=1)
    assert len(dataset) == 3 and masks["test"].sum() == 1


def test_a_class_of_which_no_file_can_be_read_is_refused_where_one_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    touch(tmp_path, *(f"broken{number}.wav" for number in range(4)))
    for number in range(4):
        soundfile.write(tmp_path / f"{number}.wav", tone(500 + number, 0.5), RATE)
    paths = [str(tmp_path / f"{name}{number}.wav") for name in ("", "broken") for number in range(4)]
    dataset = from_rows(paths, ["dog"] * 4 + ["cat"] * 4)
    task = Task(config=tiny_config(), dataset=dataset, held_out=np.arange(8) % 4 == 0, facts=FACTS)
    args = RecipeArguments(output_dir=str(tmp_path / "out"), use_cpu=True)
    with pytest.raises(DataError, match=r"Fewer than two of the 2 classes .*, of 'cat' 0 of 4 \(4 is empty"):
        divide(args, tiny_config(), task)
