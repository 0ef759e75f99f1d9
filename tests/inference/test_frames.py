"""The scores of moments: those of the whole recording, however it was cut, by every checkpoint."""

import numpy as np
import pytest
from helpers.checkpoints import FRAMES, save_checkpoint
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_audio.errors import ArgumentError, AudioError, CheckpointError
from hf_audio.inference.checkpoint import load_classifier
from hf_audio.inference.classifier import AudioClassifier
from hf_audio.inference.facts import Facts
from hf_audio.inference.frames import FrameWindows, frame_scores


class Whole(AudioClassifier):
    """Tells of each window how loud it is on the average."""

    def __init__(self, **facts):
        super().__init__(Facts(("loud",), 100, **{"clip_seconds": 2.0, **facts}))

    def score(self, windows):
        return np.array([[window.mean()] for window in windows], dtype=np.float32)


class Framed(Whole):
    """Tells of each frame how loud it is, but for frames at the edge of a window, which it takes for louder."""

    def __init__(self):
        super().__init__(frame_seconds=0.1, multi_label=True)

    def score_frames(self, windows):
        frames = [window.reshape(-1, 10).mean(1, keepdims=True) for window in windows]
        for scores in frames:
            scores[[0, -1]] += 1
        return frames


def joined(classifier, waveform, cuts=(), **kwargs):
    blocks = np.split(waveform.astype(np.float32), sorted(min(cut, len(waveform)) for cut in cuts))
    stretches = list(frame_scores(classifier, blocks, **kwargs))
    ends = [stretch.start + len(stretch.scores) * stretch.frame_seconds for stretch in stretches]
    assert [stretch.start for stretch in stretches] == pytest.approx([0, *ends[:-1]])  # each moment once
    return np.concatenate([stretch.scores for stretch in stretches])[:, 0]


@settings(deadline=None)
@given(
    n_samples=st.integers(1, 900),
    cuts=st.lists(st.integers(0, 900), max_size=8),
    hop=st.none() | st.floats(0.01, 3),
)
def test_each_frame_is_that_of_the_whole_but_at_the_recordings_own_edges(n_samples, cuts, hop):
    waveform = np.random.default_rng(n_samples).random(n_samples)
    scores = joined(Framed(), waveform, cuts, hop_seconds=hop)
    expected = np.pad(waveform, (0, -n_samples % 10)).reshape(-1, 10).mean(1)
    expected[[0, -1]] += 1
    assert scores == pytest.approx(expected, abs=1e-6) or (hop or 0) >= 1.8  # then windows lie end to end


def test_what_is_scored_as_a_whole_gives_each_moment_the_mean_of_the_windows_that_hold_it():
    waveform = np.random.default_rng(0).random(611)
    starts = [*range(0, 411, 50), 420]  # the last one ends with the recording
    expected = np.zeros((len(starts), 62))
    for row, start in zip(expected, starts, strict=True):
        row[start // 10 : start // 10 + 20] = waveform[start : start + 200].mean()
    expected = expected.sum(0) / (expected > 0).sum(0)
    for cuts in ((), (5, 211, 400)):
        assert joined(Whole(), waveform, cuts) == pytest.approx(expected, abs=1e-6)


def test_a_networks_frames_do_not_depend_on_the_windows_they_were_cut_from(tmp_path):
    classifier = load_classifier(save_checkpoint(tmp_path / "frames", **FRAMES))
    facts, windows = classifier.facts, FrameWindows.of(classifier.facts)
    assert 0 < facts.frame_seconds <= 0.1 and windows.margin > 0
    waveform = np.random.default_rng(0).standard_normal(windows.window * 4 + 777).astype(np.float32) / 10
    padded = np.pad(waveform, (0, -len(waveform) % windows.frame))
    (whole,) = classifier.score_frames([padded])
    joint = np.concatenate([part.scores for part in frame_scores(classifier, np.split(waveform, [300, 9000]))])
    assert joint.shape == whole.shape == (len(padded) // windows.frame, len(facts.labels))
    assert np.abs(joint - whole).max() < 1e-5 < whole.std()
    short = [waveform[:n] for n in (windows.window, 100, windows.frame + 1)]  # padded together, scored as alone
    for together, part in zip(classifier.score_frames(short), short, strict=True):
        assert together == pytest.approx(classifier.score_frames([part])[0], abs=1e-5)
    assert [len(scores) for scores in classifier.score_frames(short)] == [windows.window // windows.frame, 1, 2]


def test_what_finds_no_events_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(ArgumentError, match="reads the number"):
        next(frame_scores(Numbers(), [np.zeros(10, np.float32)]))
    with pytest.raises(ArgumentError, match="hop_seconds=0"):
        FrameWindows.of(Framed().facts, 0)
    with pytest.raises(AudioError, match="not finite"):
        joined(Framed(), np.full(300, np.nan))
    with pytest.raises(CheckpointError, match="as a whole"):
        Whole().score_frames([np.zeros(10, np.float32)])
    assert list(frame_scores(Framed(), [])) == []


class Numbers(AudioClassifier):
    def __init__(self):
        super().__init__(Facts(tuple(map(str, range(10))), 100, num_digits=1))

    def score(self, windows):
        return np.full((len(windows), 10), 0.1)
