"""Which unverified labels an audit replaces: on made-up probabilities, and with networks trained for a moment."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import Dataset
from helpers.recordings import RATE
from helpers.tiny_encoders import save_encoder

from hf_audio.arguments import RecipeArguments
from hf_audio.data.rows import BELIEVED_COLUMN, UNVERIFIED_COLUMN, from_rows, from_tagged_rows, load_class_folders
from hf_audio.errors import ArgumentError, DataError
from hf_audio.training.series import label_audit
from hf_audio.training.series.label_audit import (
    Audit,
    audit_labels,
    doubt_labels,
    estimate_quality,
    listener_arguments,
    suggest,
    weigh_evidence,
    with_beliefs,
)

N_CLASSES = 10


def judged(seed: int, skill: float, share_wrong: float, n: int = 3000) -> tuple[np.ndarray, ...]:
    """Labels, of which a third are verified and some of the others wrong, and what a network says.

    Returns true and given labels and which are unverified, (clips,), and probabilities (clips, classes); `skill` is
    how far the logit of the true class stands out of noise of deviation 1.
    """
    generator = np.random.default_rng(seed)
    truth = generator.integers(N_CLASSES, size=n)
    unverified = generator.random(n) < 2 / 3
    wrong = unverified & (generator.random(n) < share_wrong)
    given = np.where(wrong, (truth + generator.integers(1, N_CLASSES, n)) % N_CLASSES, truth)
    logits = generator.standard_normal((n, N_CLASSES))
    logits[np.arange(n), truth] += skill
    heard = np.exp(logits)
    return truth, given, unverified, heard / heard.sum(1, keepdims=True)


def test_planted_wrong_labels_are_found_and_put_right():
    truth, given, unverified, heard = judged(0, skill=12, share_wrong=0.4)
    believed, share_right = weigh_evidence(given, heard, unverified)
    suggested, confidence = suggest(given, believed)
    np.testing.assert_array_equal(suggested, truth)
    assert (confidence > 0.9).all() and (confidence <= 1).all()
    assert share_right == pytest.approx((given == truth)[unverified].mean(), abs=0.02)


@pytest.mark.parametrize(("skill", "share_wrong"), [(2, 0.4), (3, 0.4), (3, 0.1), (4, 0.2)])
def test_as_many_judgements_hold_as_the_confidence_says(skill, share_wrong):
    n_right = n_judged = n_wrong = 0
    told, shares = [], []
    for seed in range(30):
        truth, given, unverified, heard = judged(seed, skill, share_wrong)
        believed, share_right = weigh_evidence(given, heard, unverified)
        np.testing.assert_allclose(believed.sum(1), 1)
        np.testing.assert_array_equal(believed[~unverified].argmax(1), given[~unverified])
        suggested, confidence = suggest(given, believed)
        changed = suggested != given
        assert not changed[~unverified].any()
        assert confidence.min() >= 0.5
        n_right, n_judged = n_right + (given != truth)[changed].sum(), n_judged + changed.sum()
        n_wrong += (given != truth).sum()
        told.append(confidence[changed])
        shares.append(share_right)
    assert n_right / n_judged == pytest.approx(np.concatenate(told).mean(), abs=0.03)
    assert n_right / n_judged > 0.75 and n_right / n_wrong > 0.55
    assert np.mean(shares) == pytest.approx(1 - share_wrong, abs=0.05)


def test_beliefs_are_the_posterior_of_two_witnesses():
    """By hand: two classes, verified clips that leave what was heard as it is, and labels right nine times in ten."""
    told = np.repeat([0.2, 0.8, 0.2, 0.8], [200, 800, 260, 740])  # of class 0
    verified = np.arange(2000) < 1000
    given = np.where(told > 0.5, 0, 1)
    given[:200], given[:160] = 0, 1
    given[200:1000] = 0
    given[200:360] = 1
    given[1000:1100] = 0  # unverified, contradicted
    heard = np.stack([told, 1 - told], axis=1)
    believed, share_right = weigh_evidence(given, heard, ~verified)
    odds = share_right / (1 - share_right)
    np.testing.assert_allclose(believed[1000], np.array([0.2 * odds, 0.8]) / (0.2 * odds + 0.8), atol=0.01)
    np.testing.assert_allclose(believed[1999], np.array([0.8 * odds, 0.2]) / (0.8 * odds + 0.2), atol=0.01)


def test_a_network_that_knows_nothing_suggests_nothing():
    _, given, unverified, heard = judged(0, skill=0, share_wrong=0.4)
    flat = np.full_like(heard, 1 / N_CLASSES)
    np.testing.assert_array_equal(suggest(given, weigh_evidence(given, flat, unverified)[0])[0], given)
    n_changed = []
    for seed in range(30):
        _, given, unverified, heard = judged(seed, skill=0, share_wrong=0.4)
        n_changed.append((suggest(given, weigh_evidence(given, heard, unverified)[0])[0] != given).sum())
    assert np.mean(np.array(n_changed) > 0) < 0.1, n_changed


def test_without_a_wrong_label_hardly_any_is_changed():
    for skill in (2, 12):
        truth, given, unverified, heard = judged(0, skill, share_wrong=0)
        assert (suggest(given, weigh_evidence(given, heard, unverified)[0])[0] != truth).mean() < 0.01


def test_rows_name_unverified_clips_the_most_suspicious_first():
    audit = Audit(
        paths=["x/a.wav", "x/b.wav", "x/c.wav", "x/d.wav"],
        labels=np.array([0, 1, 1, 0]),
        suggested=np.array([1, 1, 0, 0]),
        confidence=np.array([0.6, 0.99, 0.8, 0.9]),
        believed=np.eye(2)[[1, 1, 0, 0]],
        unverified=np.array([True, True, True, False]),
        names=["bark", "gong"],
        seconds=1.0,
    )
    assert audit.rows() == [
        {"fname": "c.wav", "label": "gong", "suggested_label": "bark", "confidence": "0.8000"},
        {"fname": "a.wav", "label": "bark", "suggested_label": "gong", "confidence": "0.6000"},
        {"fname": "b.wav", "label": "gong", "suggested_label": "gong", "confidence": "0.9900"},
    ]


def test_beliefs_leave_labels_and_other_columns():
    dataset = from_rows(["a", "b"], ["x", "y"]).add_column(UNVERIFIED_COLUMN, [True, False])
    changed = with_beliefs(dataset, np.array([[0.25, 0.75], [0, 1]]))
    assert changed[BELIEVED_COLUMN][:] == [[0.25, 0.75], [0, 1]]
    assert changed.remove_columns(BELIEVED_COLUMN)[:] == dataset[:]
    assert changed.features["label"] == dataset.features["label"]


def unverified_tones(folder) -> Dataset:
    """The tones, of which every third is verified."""
    dataset = load_class_folders(folder)
    return dataset.add_column(UNVERIFIED_COLUMN, [row % 3 > 0 for row in range(len(dataset))])


def test_only_labels_of_training_clips_are_doubted(tone_folder, tmp_path, monkeypatch):
    dataset = unverified_tones(tone_folder)
    held_out = np.arange(len(dataset)) % 4 == 3
    heard = []

    def audit(args, part, rounds, encoder):
        heard.append((args.output_dir, len(part), rounds, encoder, args.seed))
        labels, unverified = np.array(part["label"]), np.array(part[UNVERIFIED_COLUMN])
        suggested = np.where(unverified, (labels + 1) % 3, labels)
        return Audit(part["path"][:], labels, suggested, labels, np.eye(3)[suggested], unverified, list("abc"), 9.0)

    monkeypatch.setattr(label_audit, "audit_labels", audit)
    args = RecipeArguments(output_dir=str(tmp_path / "out"), seed=5, report_to="none")
    doubted, seconds = doubt_labels(args, dataset, held_out, rounds=2, encoder="sfx")
    assert heard == [(f"{tmp_path / 'out'}-audit", 27, 2, "sfx", 5)]
    assert seconds == 9
    assert doubted.remove_columns(BELIEVED_COLUMN)[:] == dataset[:]
    changed = np.array(doubted[BELIEVED_COLUMN]).argmax(1) != np.array(dataset["label"])
    np.testing.assert_array_equal(changed, ~held_out & np.array(dataset[UNVERIFIED_COLUMN]))


def test_an_audit_goes_on_where_it_was_killed_and_judges_every_clip(tone_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(label_audit, "N_FOLDS", 2)
    monkeypatch.setitem(label_audit.LISTENER, "sampling_rate", RATE)
    monkeypatch.setitem(label_audit.LISTENER, "hop_length", 128)
    monkeypatch.setitem(label_audit.TRAINING, "num_train_epochs", 1)
    dataset = unverified_tones(tone_folder).select([*range(0, 24, 2), 25])  # of the third class one clip
    Path(dataset["path"][0]).write_bytes(b"")
    train, trained = label_audit._train, []

    def train_until(n_folds):
        def run(args, **keywords):
            if len(trained) == n_folds:
                raise KeyboardInterrupt
            trained.append(Path(args.output_dir).name)
            train(args, **keywords)

        monkeypatch.setattr(label_audit, "_train", run)

    def audit(**others):
        options = {"use_cpu": True, "bf16": False, "dataloader_num_workers": 0, "disable_tqdm": True}
        return audit_labels(listener_arguments(str(tmp_path / "audit"), **options, **others), dataset)

    train_until(1)
    with pytest.raises(KeyboardInterrupt):
        audit()
    with pytest.raises(ArgumentError, match="trained with --seed 42, not 7"):
        audit(seed=7)
    train_until(2)
    told = audit()
    assert trained == ["fold_1_round_1", "fold_2_round_1"]
    runs = [json.loads((tmp_path / "audit" / name / "all_results.json").read_text()) for name in trained]
    assert told.seconds == sum(run["train_runtime"] for run in runs) > 0, "the killed call's training counts too"
    assert told.paths == dataset["path"][1:] and told.names == ["high", "low", "mid"]
    assert told.labels.tolist() == dataset["label"][1:] and told.unverified.tolist() == dataset[UNVERIFIED_COLUMN][1:]
    np.testing.assert_array_equal(told.suggested[~told.unverified], told.labels[~told.unverified])
    assert ((told.confidence >= 0.5) & (told.confidence <= 1)).all()
    assert told.suggested[-1] == told.labels[-1] and told.confidence[-1] == 1, "too few of its class to be judged"


@pytest.mark.parametrize(("marks", "kind"), [([False] * 4, "unverified"), ([True] * 4, "verified")])
def test_labels_are_doubted_where_there_are_clips_of_both_kinds(marks, kind, tmp_path):
    dataset = from_rows(list("abcd"), ["x", "x", "y", "y"]).add_column(UNVERIFIED_COLUMN, marks)
    if kind == "unverified":
        with pytest.raises(DataError, match="No training clip is unverified "):
            audit_labels(listener_arguments(str(tmp_path / "audit")), dataset)
    args = RecipeArguments(output_dir=str(tmp_path / "out"), report_to="none")
    assert doubt_labels(args, dataset, np.zeros(4, dtype=bool), rounds=1) == (dataset, 0)
    assert not list(tmp_path.iterdir())


def test_an_audit_of_tags_is_refused(tmp_path):
    dataset = from_tagged_rows(["a", "b"], [["x"], ["y"]]).add_column(UNVERIFIED_COLUMN, [True, False])
    with pytest.raises(DataError, match="Labels can be audited where every clip has one"):
        audit_labels(listener_arguments(str(tmp_path / "audit")), dataset)


@pytest.mark.parametrize(("skill", "share_wrong"), [(4, 0.3), (5, 0.1)])
def test_the_estimate_of_an_audit_comes_true(skill, share_wrong):
    told, truths = [], []
    for seed in range(20):
        truth, given, unverified, heard = judged(seed, skill, share_wrong, n=1000)
        believed, share_right = weigh_evidence(given, heard, unverified)
        looks_wrong, wrong = suggest(given, believed)[0] != given, given != truth
        quality = estimate_quality(given, heard, unverified, share_right)
        told.append((quality.precision, quality.recall))
        truths.append(((looks_wrong & wrong).sum() / looks_wrong.sum(), (looks_wrong & wrong).sum() / wrong.sum()))
        assert quality.recall_of_similar == pytest.approx(quality.recall, abs=0.15), "no two classes are alike here"
    np.testing.assert_allclose(np.mean(told, 0), np.mean(truths, 0), atol=0.05)


def test_an_encoder_audits_in_seconds(tone_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(label_audit, "N_FOLDS", 2)
    dataset = unverified_tones(tone_folder)
    torch.manual_seed(0)
    save_encoder(tmp_path / "encoder", "ast")
    args = listener_arguments(str(tmp_path / "audit"), use_cpu=True)
    audit = audit_labels(args, dataset, rounds=2, encoder=str(tmp_path / "encoder"))
    assert 0 <= audit.quality.precision <= 1 and audit.seconds > 0
    np.testing.assert_array_equal(audit.suggested[~audit.unverified], audit.labels[~audit.unverified])
    assert not list((tmp_path / "audit").glob("fold_*")), "no network is trained"


def test_labels_of_which_none_is_verified_are_audited_by_one_another():
    truth, given, _, heard = judged(0, skill=5, share_wrong=0.15, n=1000)
    believed, share_right = weigh_evidence(given, heard, np.ones(1000, dtype=bool))
    assert share_right == pytest.approx((given == truth).mean(), abs=0.05)
    suggested, _ = suggest(given, believed)
    wrong, looks_wrong = given != truth, suggested != given
    assert (looks_wrong & wrong).sum() > 0.75 * wrong.sum() and (looks_wrong & wrong).sum() > 0.8 * looks_wrong.sum()
