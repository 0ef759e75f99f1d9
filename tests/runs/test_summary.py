"""The lines that tell what a run is worth, first on the card and last on the screen."""

import logging

import numpy as np
import pytest

from hf_audio.runs.markdown import code
from hf_audio.runs.predictions.classes import Predictions
from hf_audio.runs.summary import describe_intervals, describe_verdict, name_labels, summary_of_card, tell_summary

RESULTS = {
    "eval_accuracy": 0.838,
    "eval_accuracy_interval": [0.689, 0.923],
    "eval_balanced_accuracy": 0.2,
    "eval_f1_macro": 0.182,
    "eval_map_at_3": 0.9,
    "eval_samples": 37,
    "majority_label": "hungry",
    "eval_majority_accuracy": 0.838,
    "learnt": False,
    "eval_rival_accuracy": 0.811,
    "rival": "alike",
}
LEARNT = RESULTS | {"eval_accuracy": 0.95, "learnt": True, "rival": "worse"}


def test_a_card_begins_with_figures_beside_what_needs_no_hearing():
    assert summary_of_card(RESULTS | {"untested_labels": ["cold"]}) == [
        "Accuracy 0.838 (95 % interval 0.689 to 0.923) on 37 held-out clips.",
        "Balanced accuracy 0.200.",
        "Macro F1 0.182.",
        "For comparison: always answering `hungry` has an accuracy of 0.838 (no class has more training clips).",
        "Logistic regression on simple statistics of the clips has an accuracy of 0.811.",
        "**No better than always answering `hungry`. Nothing shows that it has learnt: check the labels, or give more "
        "clips, of small classes first.**",
        "Not tested, because no test clip is of them: `cold`.",
    ]


def test_a_run_that_has_learnt_is_told_without_a_warning(caplog, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with caplog.at_level(logging.INFO):
        tell_summary(tmp_path, LEARNT)
    assert {record.levelname for record in caplog.records} == {"INFO"}
    *_, card, following = caplog.messages
    assert card == f"The card, with all figures and pictures: {tmp_path / 'README.md'}"
    assert following == f"Next: hf-audio predict {tmp_path} FILE"
    assert not any("{" in message for message in caplog.messages), "the JSON is in all_results.json"


def test_of_a_cross_validation_the_first_fold_predicts_and_of_a_baseline_nothing(caplog, tmp_path):
    with caplog.at_level(logging.INFO):
        tell_summary(tmp_path, LEARNT | {"folds": ["1", "2"]})
    assert "the mean over 2 folds" in caplog.messages[0] and "Next" not in caplog.text
    (tmp_path / "fold_1").mkdir()
    (tmp_path / "fold_1" / "config.json").write_text("{}")
    with caplog.at_level(logging.INFO):
        tell_summary(tmp_path, LEARNT)
    assert f"Next: hf-audio predict {tmp_path / 'fold_1'} FILE" in caplog.text


def test_a_run_among_others_is_told_in_one_line(caplog, tmp_path):
    with caplog.at_level(logging.INFO):
        tell_summary(tmp_path, RESULTS, brief=True)
    assert caplog.messages == [
        f"Finished: {tmp_path}. Accuracy 0.838 (95 % interval 0.689 to 0.923) on 37 held-out clips."
    ]


def test_what_little_more_there_is_may_be_chance():
    (told,) = describe_verdict(RESULTS | {"eval_accuracy": 0.85}, repr)
    assert told.startswith("No better than always answering 'hungry'; what it has more may be chance.")


def test_where_there_is_something_to_learn_the_remedy_is_another_one():
    (told,) = describe_verdict(RESULTS | {"rival": "better"}, repr)
    assert told.endswith("The logistic regression is, so there is something to learn: train longer.")
    (told,) = describe_verdict(RESULTS | {"eval_roc_auc_interval": [0.8, 0.9]}, repr)
    assert "try --balance loss" in told


def test_a_better_rival_is_said_aloud():
    (told,) = describe_verdict(LEARNT | {"rival": "better"}, repr)
    assert told.startswith("The logistic regression is better than the network, by more than chance")
    assert describe_verdict(LEARNT | {"rival": "alike"}, repr) == []
    assert any(line.endswith("may be chance.") for line in summary_of_card(LEARNT | {"rival": "alike"}))
    assert any("on 4000 of these clips" in line for line in summary_of_card(LEARNT | {"rival_samples": 4000}))


def test_tags_and_numbers_are_told_by_their_own_figures():
    tags = {"eval_lwlrap": 0.5, "eval_samples": 9, "eval_prior_lwlrap": 0.5, "learnt": False}
    assert any("always giving the most frequent tags has 0.500" in line for line in summary_of_card(tags))
    assert describe_verdict(tags, code)[0].startswith("No better than always giving the most frequent tags.")
    numbers = {"eval_cer": 0.1, "eval_cer_corpus": 0.1, "eval_exact_match": 0.5, "eval_samples": 9}
    assert len(summary_of_card(numbers)) == 3 and describe_verdict(numbers, code) == []


def test_many_names_are_counted():
    assert name_labels(["a", "b"], repr) == "'a', 'b'"
    assert name_labels([str(number) for number in range(41)], code).endswith("`9` and 31 more")


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        (None, "intervals."),
        ([0, 0, 1], "one `speaker` count together, and there are 2"),
        ([0, 0, 0], "all test clips are of one, and how far others differ"),
    ],
)
def test_a_card_says_what_its_intervals_are_over(groups, words):
    told = Predictions(["a", "b", "c"], ["x", "y"], np.zeros(3, int), np.zeros((3, 2), int), np.ones(3))
    told.groups = None if groups is None else np.array(groups)
    assert words in describe_intervals("speaker", told)
