"""Classes that are too few, too small, misspelt, untaught, or told by their device."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.measures import SOUND

from hf_audio.inspection.label_findings import find_device_leaks, find_in_labels
from hf_audio.inspection.listing import Entry


def entries(**classes):
    return [Entry(f"{name}{number}", (name,)) for name, count in classes.items() for number in range(count)]


def kinds(found):
    return {finding.kind: [case.detail for case in finding.cases] for finding in found}


def test_even_classes_have_no_findings():
    assert find_in_labels(entries(dog=5, cat=9), ["label"]) == []
    assert find_in_labels([Entry("a"), Entry("b")], []) == []


def test_sizes_of_classes():
    assert kinds(find_in_labels(entries(dog=5), ["label"])) == {"one-class": []}
    found = find_in_labels(entries(dog=20, cat=1, hen=3), ["label"])
    assert kinds(found) == {"single-clip": ["cat"], "imbalance": []}
    assert "20 clips of 'dog', 1 of 'cat'" in found[1].message


@pytest.mark.parametrize("name", ["Dog bark", "dog_bark", "dog bark ", "dog-bark"])
def test_names_that_are_one(name):
    told = kinds(find_in_labels(entries(**{"dog bark": 3, name: 2, "cat": 4}), ["label"]))
    assert list(told) == ["similar-names"]
    (detail,) = told["similar-names"]
    assert repr("dog bark") + " (3)" in detail and f"{name!r} (2)" in detail


def test_letters_composed_and_decomposed_are_one_name():
    composed, without = {"caf\u00e9": 3, "cafe\u0301": 3}, {"caf\u00e9": 3, "cafe": 3}
    assert list(kinds(find_in_labels(entries(**composed), ["label"]))) == ["similar-names"]
    assert find_in_labels(entries(**without), ["label"]) == []


def test_each_label_column_is_judged():
    rows = [Entry(str(number), ("x", "mf"[number % 2])) for number in range(6)]
    (finding,) = find_in_labels(rows, ["word", "gender"])
    assert finding.kind == "one-class" and "'word'" in finding.message


def test_classes_that_are_tested_and_never_taught():
    rows = [Entry("a", ("dog",), "Train"), Entry("b", ("dog",), "train"), Entry("c", ("dog",), "test")]
    rows += [Entry("d", ("cat",), "test"), Entry("e", ("cat",), "test")]
    assert kinds(find_in_labels(rows, ["label"])) == {"untaught-class": ["cat"]}
    folds = [Entry(row.path, row.labels, "1" if row.split == "test" else "2") for row in rows]
    assert find_in_labels(folds, ["label"]) == []


def measures(count, seed, **changes):
    random = np.random.default_rng(seed)
    level = changes.pop("level", -20.0)
    return [replace(SOUND, level=level + random.normal(), **changes) for _ in range(count)]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"rate": 8000}, "dog: its sampling rate is 8000 Hz in 100% of its clips and in 0% of the others"),
        ({"channels": 2}, "dog: its number of channels is 2"),
        ({"format": "MP3 MPEG_LAYER_III"}, "dog: its format is MP3"),
        ({"bandwidth": 3600.0, "ends_sharply": True}, "dog: its band is up to about 4 kHz"),
        ({"level": -40.0}, "dog: it is 20 dB quieter than the others"),
    ],
)
def test_a_class_of_another_device(changes, says):
    clips = [*measures(10, 0, **changes), *measures(10, 1), *measures(10, 2)]
    (finding,) = find_device_leaks(entries(dog=10, cat=10, hen=10), clips)
    assert finding.kind == "told-by-device"
    (case,) = [case for case in finding.cases if case.detail.startswith("dog")]
    assert case.detail.startswith(says) and case.files[0] == "dog0"


def test_devices_that_all_classes_share_tell_nothing():
    clips = [*measures(10, 0), *measures(10, 1, rate=8000), *measures(10, 2), *measures(10, 3, rate=8000)]
    assert find_device_leaks(entries(dog=20, cat=20), clips) == []
    assert find_device_leaks(entries(dog=3, cat=20), [*measures(3, 0, rate=8000), *measures(20, 1)]) == []
