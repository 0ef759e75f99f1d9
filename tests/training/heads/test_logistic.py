"""Logistic regression with its penalty chosen inside, against scikit-learn's own and against what is known."""

import numpy as np
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from hf_audio.training.heads.logistic import ABSENT, PENALTIES, Targets, choose_penalty, find_folds, fit_head

N_CLASSES = 3


def blobs(seed: int = 0, n: int = 150, size: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Features of three classes that overlap a little, and the classes."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(N_CLASSES, size=n)
    centres = 3 * np.eye(N_CLASSES, size)
    return (3 + 5 * (centres[labels] + generator.standard_normal((n, size)))).astype(np.float32), labels


def test_the_layer_is_scikit_learns_on_standardised_features():
    features, labels = blobs()
    head = fit_head(features, Targets.of_classes(labels, N_CLASSES), np.ones(len(labels)))
    scaler = StandardScaler().fit(features)
    reference = LogisticRegression(C=head.penalty, tol=1e-6).fit(scaler.transform(features), labels)
    told = reference.predict_proba(scaler.transform(features))
    np.testing.assert_allclose(softmax(head(features), axis=1), told, atol=2e-3)
    losses = head.crossed.losses
    assert list(losses) == list(PENALTIES[: len(losses)]) and losses[head.penalty] < min(losses.values()) + 0.1
    assert head.penalty <= min(losses, key=losses.get)


def test_two_classes_tags_and_digits_are_fitted_each_by_a_distribution_of_its_own():
    features, labels = blobs()
    two = labels < 1
    pair = fit_head(features, Targets.of_classes(two.astype(int), 2), np.ones(len(two)))
    tags = np.stack([two, labels == 1, np.zeros(len(two))], axis=1)
    head = fit_head(features, Targets.of_tags(tags), np.ones(len(two)))
    told = expit(head(features))
    assert head.weight.shape == (3, 6) and ((told[:, :2] > 0.5) == tags[:, :2]).mean() > 0.9
    assert told[:, 2].max() < 1e-6, "nothing has that tag"
    # A sigmoid is a softmax over its absence and its presence, whatever the penalty that suits all tags.
    same = (pair(features).argmax(1) == 1) == (told[:, 0] > 0.5)
    assert pair.weight.shape == (2, 6) and same.mean() > 0.97
    digits = fit_head(features, Targets.of_digits(np.stack([labels, 9 - labels], axis=1)), np.ones(len(two)))
    best = digits(features).reshape(-1, 2, 10).argmax(-1)
    assert digits.weight.shape == (20, 6) and (best.sum(1) == 9).all() and (best[:, 0] == labels).mean() > 0.9


def test_a_believed_label_counts_as_much_as_it_is_believed_and_a_weight_as_often():
    features, labels = blobs()
    certain = Targets.of_classes(labels, N_CLASSES)
    plain = fit_head(features, certain, np.ones(len(labels)))
    same = fit_head(features, Targets.of_beliefs(np.eye(N_CLASSES)[labels]), np.ones(len(labels)))
    np.testing.assert_array_equal(plain.weight, same.weight)
    # Clips of weight 0, or that are believed to be of the other class, as if they were not there, or were that.
    wrong = np.where(np.arange(len(labels)) < 40, (labels + 1) % N_CLASSES, labels)
    doubted = fit_head(features, Targets.of_classes(wrong, N_CLASSES), (np.arange(len(labels)) >= 40).astype(float))
    believed = fit_head(features, Targets.of_beliefs(np.eye(N_CLASSES)[labels]), np.ones(len(labels)))
    misled = fit_head(features, Targets.of_classes(wrong, N_CLASSES), np.ones(len(labels)))
    right = [(head(features).argmax(1) == labels).mean() for head in (doubted, believed, misled)]
    assert min(right[:2]) > right[2]


def test_a_class_without_clips_is_never_the_answer():
    features, labels = blobs()
    head = fit_head(features, Targets.of_classes(labels, N_CLASSES + 1), np.ones(len(labels)))
    assert head.bias[N_CLASSES] < ABSENT / 2 and head(features).argmax(1).max() < N_CLASSES


def test_the_penalty_is_chosen_by_groups_that_were_not_fitted_to():
    """Features that tell the speaker, of whom each says one class: across speakers they tell nothing."""
    generator = np.random.default_rng(0)
    groups = np.repeat(np.arange(24), 10)
    labels = groups % 2
    features = generator.standard_normal((24, 12))[groups] + 0.1 * generator.standard_normal((240, 12))
    targets, weights = Targets.of_classes(labels, 2), np.ones(240)
    alike, apart = fit_head(features, targets, weights), fit_head(features, targets, weights, groups)
    assert apart.penalty < alike.penalty and min(apart.crossed.losses.values()) > min(alike.crossed.losses.values())
    for fitted, judged in find_folds(labels, groups, seed=0):
        assert not set(groups[fitted]) & set(groups[judged])


def test_of_too_few_clips_none_is_held_out():
    features, labels = blobs(n=4)
    head = fit_head(features, Targets.of_classes(np.arange(4), 4), np.ones(4))
    assert head.crossed is None and (head(features).argmax(1) == np.arange(4)).all()
    assert find_folds(labels, np.zeros(4, dtype=int), seed=0) == []


def test_a_feature_that_hardly_varied_does_not_decide():
    features, labels = blobs()
    features = np.concatenate([features, np.full((len(features), 1), 1.0)], axis=1)
    features[0, -1] = 1.0001
    head = fit_head(features, Targets.of_classes(labels, N_CLASSES), np.ones(len(labels)))
    moved = features + np.array([0, 0, 0, 0, 0, 0, 5], dtype=np.float32)
    assert (head(moved).argmax(1) == head(features).argmax(1)).all()


def test_of_penalties_that_chance_alone_tells_apart_the_strongest_is_taken():
    generator = np.random.default_rng(0)
    base = 1 + generator.random(100)
    losses = {0.01: base + 0.5, 0.1: base + 0.02, 1.0: base, 10.0: base + 0.3}
    assert choose_penalty(losses, np.ones(100), None) == 0.1
    assert choose_penalty({**losses, 0.1: base + 0.04}, np.ones(100), None) == 1.0
    # Clips of two groups that err together tell far less than a hundred would.
    groups = np.repeat([0, 1], 50)
    apart = {penalty: each + 2 * groups for penalty, each in losses.items()}
    assert choose_penalty(apart, np.ones(100), groups) == 0.01
