"""Clips among those of another class, against neighbours found by scikit-learn, and the picture of them."""

import io

import numpy as np
import pytest
from matplotlib import image
from sklearn.neighbors import NearestNeighbors

from hf_audio.inference.collection_map import map_collection, write_map

NAMES = ("cat", "dog", "bird")


@pytest.fixture
def clusters() -> tuple[np.ndarray, list[str]]:
    """Three clusters of twenty vectors of several lengths; clip 7 is called a dog, and lies among cats."""
    generator = np.random.default_rng(1)
    centres = np.eye(3, 8).repeat(20, 0)
    vectors = (centres + 0.1 * generator.normal(size=centres.shape)) * generator.uniform(1, 9, (60, 1))
    labels = np.repeat(NAMES, 20).tolist()
    labels[7] = "dog"
    return vectors.astype(np.float32), labels


def test_a_clip_among_those_of_another_class_is_doubtful(clusters):
    vectors, labels = clusters
    found = map_collection(vectors, labels)
    (doubt,) = found.doubts
    assert (doubt.clip, doubt.among, doubt.votes) == (7, "cat", 5)
    nearest = NearestNeighbors(n_neighbors=6, metric="cosine").fit(vectors).kneighbors(vectors[7:8])[1][0]
    assert list(doubt.neighbours) == nearest[1:].tolist()
    assert found.agreement == 59 / 60 and found.chance == 21 / 60 and found.says_something
    # Near clips lie near: the next one in the plane is of the same cluster.
    plane = NearestNeighbors(n_neighbors=2).fit(found.plane).kneighbors(found.plane)[1][:, 1]
    assert (plane // 20 == np.arange(60) // 20).mean() > 0.95
    np.testing.assert_array_equal(map_collection(vectors, labels).plane, found.plane)


def test_pieces_of_one_recording_are_no_witnesses_of_one_another(clusters):
    vectors, labels = clusters
    others = map_collection(vectors, labels, groups=["r1" if 5 <= place < 10 else "" for place in range(60)])
    assert not set(others.doubts[0].neighbours) & set(range(5, 10))


def test_chance_says_nothing_and_too_little_tells_nothing(clusters):
    vectors, labels = clusters
    drawn = map_collection(vectors, np.random.default_rng(0).permutation(labels).tolist())
    assert not drawn.says_something
    assert map_collection(vectors[:19], labels[:19]) is None
    assert map_collection(vectors, ["cat"] * 60) is None


def test_the_picture_has_the_doubtful_clips_beside_it(clusters):
    vectors, labels = clusters
    pictures = []
    for changed in (labels, [*labels[:7], "cat", *labels[8:]]):
        file = io.BytesIO()
        write_map(map_collection(vectors, changed), [f"$clip_{place}.wav" for place in range(60)], file)
        pictures.append(image.imread(io.BytesIO(file.getvalue()))[..., :3])
    assert pictures[0].shape == pictures[1].shape
    margin = [(picture[:200, 640:] < 0.5).any(-1).sum() for picture in pictures]
    assert margin[0] > margin[1] > 0
