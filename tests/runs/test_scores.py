"""Scores that are kept to compute with later."""

import numpy as np
import pytest

from hf_audio.runs.scores import Scores, read_scores, relative_paths, write_scores


def test_what_is_written_is_read_again(tmp_path):
    generator = np.random.default_rng(0)
    parts = {
        "validation": Scores(["a/1.wav", "a/猫.wav"], np.array([1, 0]), generator.random((2, 3))),
        "test": Scores(["b.wav"], np.array([[1, 0, 1]]), generator.random((1, 3))),
    }
    write_scores(tmp_path, parts)
    again = read_scores(tmp_path)
    assert list(again) == list(parts)
    for name, scores in parts.items():
        assert again[name].paths == scores.paths
        np.testing.assert_array_equal(again[name].references, scores.references)
        np.testing.assert_array_equal(again[name].probabilities, scores.probabilities)


def test_clips_are_selected_in_the_order_that_is_asked_for():
    scores = Scores(["a", "b", "c"], np.array([0, 1, 2]), np.eye(3))
    selected = scores.select(["c", "a"])
    assert selected.paths == ["c", "a"] and selected.references.tolist() == [2, 0]
    np.testing.assert_array_equal(selected.probabilities, [[0, 0, 1], [1, 0, 0]])


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["/d/x/1.wav", "/d/y/1.wav"], ["x/1.wav", "y/1.wav"]),
        (["/d/x/1.wav", "/d/x/2.wav"], ["1.wav", "2.wav"]),
        (["/d/x/1.wav"], ["1.wav"]),
    ],
)
def test_paths_are_told_below_the_folder_that_holds_them_all(paths, names):
    assert relative_paths(paths) == names
