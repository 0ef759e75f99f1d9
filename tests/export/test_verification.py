"""The certificate that every way to run a checkpoint gives the same answers."""

import numpy as np
import pytest
import soundfile
from helpers.recordings import RATE, tone

from hf_audio.cli import main
from hf_audio.export import verification
from hf_audio.export.golden_clips import make_golden_clips
from hf_audio.export.verification import Verdict, difference, largest, verify
from hf_audio.inference.checkpoint import load_classifier
from hf_audio.inference.streaming import AudioStream


def test_every_way_gives_the_same_answers(checkpoint):
    verdicts = {verdict.way: verdict for verdict in verify(checkpoint)}
    assert {"pipeline", "ONNX", "ONNX, 8 bits", "REST", "WebSocket", "stream, whole"} <= set(verdicts)
    assert all(verdict.holds for verdict in verdicts.values()), verdicts
    exact = [verdict.largest_difference for way, verdict in verdicts.items() if verdict.bound == 1e-4]
    assert len(exact) >= 8 and max(exact) < 1e-4
    assert verdicts["ONNX, 8 bits"].largest_difference > 0


def test_a_stream_that_loses_samples_is_found(checkpoint, monkeypatch):
    classifier, push = load_classifier(checkpoint), AudioStream.push
    clips = make_golden_clips(RATE, 1.0)
    assert verification._compare_stream(classifier, clips, 160).holds
    monkeypatch.setattr(AudioStream, "push", lambda self, samples: push(self, samples * (np.arange(len(samples)) > 9)))
    assert not verification._compare_stream(classifier, clips, 160).holds
    monkeypatch.setattr(AudioStream, "push", lambda self, samples: push(self, samples[1:]))
    assert verification._compare_stream(classifier, clips, 160).largest_difference == 1, "other windows"


@pytest.mark.parametrize("differences", [(1e-6, 2e-5), (1e-6, 2e-4)])
def test_the_command_fails_above_a_bound(tmp_path, monkeypatch, capsys, differences):
    heard = {}

    def verify(checkpoint, clips):
        heard.update(clips)
        yield from (Verdict(f"way {i}", len(clips), each, 1e-4) for i, each in enumerate(differences))

    monkeypatch.setattr(verification, "verify", verify)
    soundfile.write(tmp_path / "a.wav", tone(900), RATE)
    if max(differences) > 1e-4:
        with pytest.raises(SystemExit) as ended:
            main(["verify", "checkpoint", str(tmp_path)])
        assert ended.value.code == 1
    else:
        main(["verify", "checkpoint", str(tmp_path)])
    _, first, second = capsys.readouterr().out.splitlines()
    assert "ABOVE" not in first and ("ABOVE ITS BOUND" in second) == (max(differences) > 1e-4)
    assert heard == {str(tmp_path / "a.wav"): (tmp_path / "a.wav").read_bytes()}


def test_differences_of_answers():
    answer = [{"label": "a", "score": 0.7}, {"label": "b", "score": 0.3}]
    other = [{"label": "b", "score": 0.4}, {"label": "a", "score": 0.6}]
    assert difference(answer, other) == pytest.approx(0.1)
    assert difference(answer, other[:1]) == 1
    assert difference({"text": "7", "score": 0.5}, {"text": "7", "score": 0.25}) == 0.25
    assert difference({"text": "7", "score": 0.5}, {"text": "8", "score": 0.5}) == 1
    assert difference(answer, {"text": "7", "score": 0.5}) == 1
    unknown = [{"label": "a", "score": 0.7}, {"label": "b", "score": float("nan")}]
    assert not Verdict("NaN", 2, largest([0.0, difference(unknown, answer)]), 1e-4).holds
