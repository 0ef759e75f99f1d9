"""What is said of classes before a training."""

import logging

import pytest
from datasets import Dataset
from helpers.checkpoints import tiny_config
from helpers.recordings import write_tones
from helpers.tones import FACTS, TonesArguments

from hf_audio.data.rows import load_class_folders
from hf_audio.training.class_balance import describe_counts, report_classes
from hf_audio.training.parts import Parts, divide
from hf_audio.training.task import TEST, Task


def test_equal_classes_are_one_sentence():
    assert describe_counts({"a": 40, "b": 40}, "none") == ["2 classes, 40 training clips each."]
    assert describe_counts({"a": 40, "b": 20}, "none") == ["2 classes, from 20 training clips of 'b' to 40 of 'a'."]


def test_unequal_classes_get_a_remedy_with_its_price():
    """Sampled, an epoch has as many of both as the larger one has: 160 clips instead of 100."""
    told = describe_counts({"hungry": 80, "cold": 20}, "none")[1]
    assert "'hungry' has 4.0 times the clips of 'cold'" in told
    assert "--balance loss, which costs no time (--balance sampler makes an epoch 1.6 times as long)" in told
    (_, told) = describe_counts({"hungry": 80, "cold": 20}, "sampler")
    assert "an epoch takes 1.6 times as long" in told
    assert len(describe_counts({"hungry": 80, "cold": 20}, "loss")) == 1
    assert describe_counts({"a": 80, "b": 20}, "none", tags=True) == [
        "2 tags, from 20 training clips of 'b' to 80 of 'a'."
    ]


@pytest.mark.parametrize("purpose", ["result", "fold"])
def test_classes_that_are_not_tested_are_named(purpose, tmp_path, caplog):
    dataset = load_class_folders(write_tones(tmp_path / "tones"))
    names = dataset.features["label"].names
    held_out = [row for row, label in enumerate(dataset["label"]) if names[label] == "low" and row % 4 == 3]
    task = Task(config=tiny_config(), dataset=dataset, held_out=held_out, facts=FACTS, purpose=purpose)
    args = TonesArguments(output_dir=str(tmp_path / "out"), report_to="none", use_cpu=True)
    with caplog.at_level(logging.INFO):
        parts = divide(args, task.config, task)
        caplog.clear()
        report_classes(args, task, parts)
    assert parts.class_counts() == {"high": 12, "low": 9, "mid": 12}
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    expected = ["No test clip is of 'high', 'mid': the figures will not cover them."]
    assert warned == (expected if purpose == "result" else [])


def test_numbers_have_no_classes_to_tell_of(caplog):
    digits = Dataset.from_dict({"path": ["a.wav"], "label": [[1, 2]]})
    parts = Parts(digits, None, {TEST: digits}, None)
    assert parts.class_counts() == {}
    report_classes(None, None, parts)
    assert caplog.messages == []
