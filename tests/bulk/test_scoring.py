"""The pipeline's answers, the bulk engine's, the stream's and those of a loop made by hand are the same."""

import os

import numpy as np
import pytest
import soundfile
import torch
from helpers.checkpoints import tiny_config, trained_looking_model
from helpers.recordings import RATE, tone
from transformers import pipeline

from hf_audio import AudioCNNFeatureExtractor, AudioCNNForAudioClassification
from hf_audio.audio import recording
from hf_audio.audio.loading import load_audio
from hf_audio.audio.windows import split_windows
from hf_audio.bulk.decoding import Cut
from hf_audio.bulk.scoring import judge_clips
from hf_audio.errors import DecodingError
from hf_audio.inference.checkpoint import load_classifier
from hf_audio.inference.facts import Facts
from hf_audio.inference.streaming import AudioStream
from hf_audio.training.batching.batches import WindowCollator


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> list[str]:
    """Short, long, silent, stereo, at other rates, and exactly a window."""
    folder = tmp_path_factory.mktemp("clips")
    stereo = np.stack([tone(500, 2.7, 44100), tone(900, 2.7, 44100)], 1)
    sounds = {
        "short": (tone(700, 0.03), RATE),
        "long": (np.concatenate([tone(300, 7.3), tone(2500, 9.1)]), RATE),
        "silent": (np.zeros(4000, np.float32), RATE),
        "stereo": (stereo, 44100),
        "rate": (tone(1000, 3.3, 16000), 16000),
        "window": (tone(1000, 1.0), RATE),
        "other": (tone(1300, 0.7), RATE),
    }
    for name, (samples, rate) in sounds.items():
        soundfile.write(folder / f"{name}.wav", samples, rate)
    return [str(folder / f"{name}.wav") for name in sounds]


def judge(classifier, files, cut=None, num_workers=0) -> dict[int, np.ndarray]:
    """Scores of every clip, (spans, labels)."""
    scores: dict[int, list] = {}
    for judgement in judge_clips(classifier, list(enumerate(files)), cut or Cut(classifier.facts), num_workers):
        scores.setdefault(judgement.clip, []).extend(judgement.scores)
    return {clip: np.stack(parts) for clip, parts in scores.items()}


@pytest.mark.parametrize(("num_workers", "block"), [(0, 1 << 20), (2, 1 << 20), (0, 1001)])
def test_the_engine_the_pipeline_and_a_loop_by_hand_agree(checkpoint, clips, monkeypatch, num_workers, block):
    classify = pipeline("audio-classification", model=str(checkpoint), top_k=None)
    answers = [{one["label"]: one["score"] for one in answer} for answer in classify(clips)]
    model = AudioCNNForAudioClassification.from_pretrained(checkpoint).eval()
    by_hand = []
    for file in clips:
        windows = split_windows(load_audio(file, RATE), RATE)
        with torch.no_grad():
            by_hand.append(torch.stack([model(torch.from_numpy(w)[None]).logits.softmax(-1)[0] for w in windows]))
    monkeypatch.setattr(recording, "BLOCK_FRAMES", block)
    classifier = load_classifier(checkpoint)
    judged = judge(classifier, clips, num_workers=num_workers)
    assert sorted(judged) == list(range(len(clips)))
    for clip, scores in judged.items():
        np.testing.assert_allclose(scores[0], by_hand[clip].mean(0).numpy(), atol=1e-4)
        np.testing.assert_allclose(scores[0], [answers[clip][name] for name in classifier.labels], atol=1e-4)
        np.testing.assert_allclose(scores[0], classifier.judge([load_audio(clips[clip], RATE)])[0], atol=1e-4)


@pytest.mark.parametrize("hop_seconds", [1.0, 0.3, 1.7])
def test_over_time_the_engine_says_what_a_stream_says(checkpoint, clips, hop_seconds):
    classifier = load_classifier(checkpoint)
    stream = AudioStream(classifier, hop_seconds=hop_seconds)
    cut = Cut(classifier.facts, (stream.window, stream.hop))
    spans: dict[int, list] = {}
    for judgement in judge_clips(classifier, list(enumerate(clips)), cut, 0):
        spans.setdefault(judgement.clip, []).extend(zip(judgement.spans, judgement.scores, strict=True))
    for clip, file in enumerate(clips):
        events = stream.push(load_audio(file, RATE)) + stream.flush()
        assert [span for span, _ in spans[clip]] == [(event.start, event.end) for event in events]
        for (_, scores), event in zip(spans[clip], events, strict=True):
            np.testing.assert_allclose(scores, event.scores, atol=1e-4)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_broken_file_is_told_and_passed_over(checkpoint, clips, tmp_path, num_workers):
    (tmp_path / "empty.wav").touch()
    files = [(7, str(tmp_path / "empty.wav")), *enumerate(clips), (8, "gone.wav")]
    classifier = load_classifier(checkpoint)
    judged = list(judge_clips(classifier, files, Cut(classifier.facts), num_workers))
    problems = {one.clip: one.problem for one in judged if one.problem is not None}
    assert sorted(problems) == [7, 8] and "0 bytes" in problems[7] and "gone.wav" in problems[8]
    assert len(judged) == len(files) and all(one.ended for one in judged)


def test_a_number_is_heard_as_a_whole_and_not_for_hours(tmp_path, monkeypatch):
    trained_looking_model(tiny_config(num_digits=2, pooling="attention")).save_pretrained(tmp_path / "model")
    AudioCNNFeatureExtractor(sampling_rate=RATE).save_pretrained(tmp_path / "model")
    file = str(tmp_path / "number.wav")
    soundfile.write(file, tone(500, 2.5), RATE)
    classifier = load_classifier(tmp_path / "model")
    (scores,) = judge(classifier, [file]).values()
    answer = pipeline("audio-classification", model=str(tmp_path / "model"))(file)
    assert classifier.facts.name(scores[0]) == {
        "text": answer["text"],
        "score": pytest.approx(answer["score"], abs=1e-4),
    }
    monkeypatch.setattr("hf_audio.bulk.decoding.LONGEST_WHOLE_SECONDS", 2)
    (judgement,) = judge_clips(classifier, [(0, file)], Cut(classifier.facts), 0)
    assert judgement.problem is not None and "number.wav lasts more than" in judgement.problem


def test_a_decoding_process_that_dies_is_one_sentence(checkpoint, clips, monkeypatch):
    monkeypatch.setattr(Cut, "pieces", lambda *_: os._exit(1))
    classifier = load_classifier(checkpoint)
    with pytest.raises(DecodingError, match=r"A process that decodes has died .* go on with --resume"):
        list(judge_clips(classifier, list(enumerate(clips)), Cut(classifier.facts), 1))


def test_scoring_leaves_the_threads_of_torch_as_they_were(checkpoint, clips):
    classifier = load_classifier(checkpoint)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        judge(classifier, clips)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("overlap", [0.0, 0.75])
def test_a_file_is_cut_as_its_waveform_is_and_as_in_training(tmp_path, overlap):
    facts, clip = Facts(("a", "b"), RATE, clip_seconds=1.0, overlap=overlap), tone(900, 2.6)
    soundfile.write(tmp_path / "clip.wav", clip, RATE, subtype="FLOAT")
    *pieces, end = Cut(facts).pieces(0, str(tmp_path / "clip.wav"))
    assert end.samples is None and len(pieces) == (3 if overlap == 0 else 8)
    np.testing.assert_array_equal([piece.samples for piece in pieces], facts.cut(clip))
    batch = WindowCollator(RATE, overlap=overlap)([{"input_values": clip, "labels": 0}])
    np.testing.assert_array_equal(batch["input_values"], facts.cut(clip))


@pytest.mark.parametrize("over_time", [None, (RATE, RATE)])
def test_scores_that_are_not_finite_are_no_answer(checkpoint, clips, monkeypatch, over_time):
    """Also where it is one window of many; and the other clips keep theirs."""
    classifier = load_classifier(checkpoint)
    score, second = classifier.score, load_audio(clips[1], RATE)[RATE : RATE + 100]

    def overflow(windows):
        return np.where([[np.array_equal(window[:100], second)] for window in windows], np.inf, score(windows))

    monkeypatch.setattr(classifier, "score", overflow)
    judgements = list(judge_clips(classifier, list(enumerate(clips)), Cut(classifier.facts, over_time), 0))
    problems = {each.clip: each.problem for each in judgements if each.ended}
    assert sorted(problems) == list(range(len(clips)))
    problem = f"{clips[1]} is given scores that are not finite: it is too loud, or the checkpoint is broken."
    assert {clip: each for clip, each in problems.items() if each} == {1: problem}
    assert all(np.isfinite(scores).all() for each in judgements for scores in each.scores)
