"""What many callers ask at once is what each would have been told alone."""

import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_audio.inference.classifier import WINDOWS_PER_FORWARD, AudioClassifier
from hf_audio.inference.facts import Facts
from hf_audio.serving.batcher import LIKE_LENGTHS, SECONDS_PER_FORWARD, BatchedClassifier, Batcher

RATE = 100


class LengthClassifier(AudioClassifier):
    """Tells a window's length and its first sample, notes what it was asked, and waits for a gate to open."""

    def __init__(self):
        super().__init__(Facts(("length", "first"), RATE, clip_seconds=1.0))
        self.batches: list[list[int]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.asked = threading.Event()

    def score(self, windows):
        self.batches.append([len(window) for window in windows])
        self.asked.set()
        assert self.gate.wait(30)
        if any(window[0] == 13 for window in windows):
            raise RuntimeError("unlucky")
        return np.array([[len(window), window[0]] for window in windows], dtype=np.float32)


def window(length: int, first: float = 0) -> np.ndarray:
    return np.full(length, first, dtype=np.float32)


@pytest.fixture
def batcher():
    batcher = Batcher()
    yield batcher
    batcher.close()


@pytest.fixture
def busy(batcher):
    """A classifier whose network is busy with a first window until its gate opens."""
    classifier = LengthClassifier()
    classifier.gate.clear()
    batcher.submit(classifier, [window(1)])
    assert classifier.asked.wait(10)
    classifier.batches.clear()
    yield classifier
    classifier.gate.set()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(1, 400), min_size=1, max_size=40), min_size=1, max_size=12))
def test_every_caller_is_told_its_own(lengths):
    batcher, network = Batcher(), LengthClassifier()
    classifier = BatchedClassifier(network, batcher)
    asked = [[window(length, caller) for length in group] for caller, group in enumerate(lengths)]
    with ThreadPoolExecutor(len(asked)) as callers:
        answers = list(callers.map(classifier.score, asked))
    batcher.close()
    for caller, (group, answer) in enumerate(zip(lengths, answers, strict=True)):
        np.testing.assert_array_equal(answer, [[length, caller] for length in group])
    assert max(map(len, network.batches)) <= WINDOWS_PER_FORWARD
    assert sum(map(len, network.batches)) == sum(map(len, lengths))


def test_windows_that_wait_go_together_with_those_of_like_lengths(batcher, busy):
    lengths = [100, 10, 100, 110, 11, 100]
    futures = [batcher.submit(busy, [window(length)]) for length in lengths]
    busy.gate.set()
    assert [future.result(10)[0, 0] for future in futures] == lengths
    assert busy.batches == [[100, 100, 110, 100], [10, 11]]


def test_no_more_than_the_network_takes_at_once(batcher, busy):
    futures = [batcher.submit(busy, [window(10)] * 5) for _ in range(7)]
    long = [batcher.submit(busy, [window(SECONDS_PER_FORWARD * RATE // 2)]) for _ in range(3)]
    busy.gate.set()
    for future in [*futures, *long]:
        future.result(10)
    assert [len(batch) for batch in busy.batches] == [15, 15, 5, 2, 1]


def test_a_long_recording_lets_others_in(batcher):
    network = LengthClassifier()
    parts = list(BatchedClassifier(network, batcher).parts([window(10)] * 40))
    assert [len(part) for part in parts] == [16, 16, 8]
    parts = list(BatchedClassifier(network, batcher).parts([window(SECONDS_PER_FORWARD * RATE * 2)] * 2))
    assert [len(part) for part in parts] == [1, 1]


def test_two_networks_share_no_batch(batcher, busy):
    other = LengthClassifier()
    futures = [batcher.submit(each, [window(10, 1)]) for each in (busy, other, busy, other)]
    busy.gate.set()
    for future in futures:
        future.result(10)
    assert busy.batches == [[10, 10]] and other.batches == [[10, 10]]


def test_one_that_fails_harms_no_other(batcher, busy):
    futures = [batcher.submit(busy, [window(10, first)]) for first in (7, 13, 9)]
    busy.gate.set()
    assert futures[0].result(10)[0, 1] == 7 and futures[2].result(10)[0, 1] == 9
    with pytest.raises(RuntimeError, match="unlucky"):
        futures[1].result(10)


def test_what_was_cancelled_costs_nothing(batcher, busy):
    gone, here = (batcher.submit(busy, [window(length)]) for length in (10, 11))
    assert gone.cancel()
    busy.gate.set()
    assert here.result(10)[0, 0] == 11 and busy.batches == [[11]]
    with pytest.raises(CancelledError):
        gone.result(10)


def test_closed_it_answers_what_waits_and_takes_nothing_more(busy, batcher):
    futures = [batcher.submit(busy, [window(length)]) for length in (10, 300)]
    threading.Timer(0.05, busy.gate.set).start()
    batcher.close()
    assert [future.result(0)[0, 0] for future in futures] == [10, 300]
    with pytest.raises(RuntimeError, match="closed"):
        batcher.submit(busy, [window(10)])


def test_like_is_meant_both_ways(batcher, busy):
    assert LIKE_LENGTHS > 1
    short, long = (batcher.submit(busy, [window(length)]) for length in (100, round(100 * LIKE_LENGTHS) + 2))
    busy.gate.set()
    short.result(10), long.result(10)
    assert [len(batch) for batch in busy.batches] == [1, 1]
