"""What is said when files of a class cannot be read."""

import pytest
from datasets import ClassLabel, Dataset, Features, List, Value

from hf_audio.data.readable import check_readable
from hf_audio.errors import DataError

LABELS = [0] * 4 + [1] * 4 + [2] * 4


def dataset(labels=LABELS, feature=None):
    features = Features(label=feature or ClassLabel(names=["cat", "dog", "rain"]))
    return Dataset.from_dict({"label": labels}, features=features)


def skipped(rows):
    return [{"path": f"{row}.wav", "reason": f"{row}.wav is empty (0 bytes): record it again."} for row in rows]


def test_fewer_than_two_classes_are_refused_with_what_was_seen():
    with pytest.raises(DataError) as refusal:
        check_readable(dataset(), range(4), skipped(range(4, 12)))
    assert str(refusal.value) == (
        "Fewer than two of the 3 classes have files that can be read, of 'dog' 0 of 4, 'rain' 0 of 4 (8 is empty (0 "
        "bytes), 4.wav for one): mend or convert the files, as to WAV."
    )


def test_a_class_with_few_readable_files_is_told_of_and_one_broken_file_is_not():
    assert check_readable(dataset(), [row for row in range(12) if row != 5], skipped([5])) is None
    assert check_readable(dataset(), range(12), []) is None
    told = check_readable(dataset(), range(10), skipped([10, 11]))
    assert told.startswith("Few files can be read of 'rain' 2 of 4 (2 is empty (0 bytes)")


def test_tags_and_numbers():
    tags = dataset([[0, 1], [0], [1]], List(ClassLabel(names=["cat", "dog"])))
    with pytest.raises(DataError, match="Fewer than two of the 2 classes"):
        check_readable(tags, [1], skipped([0, 2]))
    check_readable(tags, [0], skipped([1, 2]))
    check_readable(dataset([[1], [2]], List(Value("int64"))), [0], skipped([1]))
