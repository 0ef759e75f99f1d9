"""The certificate that every way to run a checkpoint gives the same answers."""

import numpy as np
import pytest
import soundfile
import torch
from helpers.checkpoints import FRAMES, save_checkpoint, save_ensemble, tiny_config
from helpers.recordings import RATE, encoded, speech, tone
from transformers import AutoModelForAudioClassification

from hf_audio.audio.loading import load_audio
from hf_audio.cli import main
from hf_audio.export import verification
from hf_audio.export.browser import find_browser
from hf_audio.export.golden_clips import make_golden_clips
from hf_audio.export.verification import Verdict, difference, largest, verify
from hf_audio.inference.checkpoint import load_classifier
from hf_audio.inference.streaming import AudioStream
from hf_audio.models.configuration_audio_cnn import NONE_OF_THESE

NAMES = {0: "low", 1: "mid", 2: "high"}
KINDS = {
    "windows that overlap and a rejection margin": {
        "overlap": 0.75,
        "id2label": {**NAMES, 2: NONE_OF_THESE},
        "rejection_margin": 1.5,
    },
    "numbers": {"num_digits": 3, "pooling": "attention"},
    "tags": {"problem_type": "multi_label_classification", "overlap": 0.25, "id2label": NAMES},
    "speech alone": {"speech_only": True, "overlap": 0.5, "temperature": 4.0, "id2label": NAMES},
    "an ensemble": {},
    "normal recordings alone": {
        "num_labels": 2,
        "id2label": {0: "normal", 1: "anomaly"},
        "normal_centers": 3,
        "backbone": "none",
        "hidden_sizes": [20],
        "pooling": "mean_std_rise",
    },
    "frames": {**FRAMES, "overlap": 0.25, "id2label": NAMES},
}
DEAR = (
    "an ensemble",
    "tags",
    "frames",
    "normal recordings alone",
)  # half a minute of tracing; but for a sigmoid, what the first one shows
STREAMS = {"WebSocket", "stream, blocks of 997", "stream, blocks of 160", "stream, whole"}
EMBEDDINGS = {"ONNX, embeddings", "REST, embeddings"}
WAYS = {"pipeline", "files", "ONNX", "ONNX, uncut", "ONNX, 8 bits", "REST", *EMBEDDINGS, *STREAMS}
PAGE_WAYS = {"page", "page, resampled"}
DEVICE_WAYS = {"ONNX, static", "ONNX, static, 8 bits"}
NOT_STATIC = ("numbers", "speech alone", "an ensemble", "normal recordings alone")
FRAME_WAYS = {"ONNX, frames", "ONNX, 8 bits, frames", "REST, frames", "WebSocket, frames"}


@pytest.fixture(
    scope="module",
    params=[pytest.param(kind, marks=[pytest.mark.exhaustive] * (kind in DEAR)) for kind in KINDS],
)
def kind(request, tmp_path_factory):
    """What is special about a checkpoint, and its folder."""
    folder = tmp_path_factory.mktemp("checkpoint")
    if request.param != "an ensemble":
        return request.param, save_checkpoint(folder, **KINDS[request.param])
    members = [
        tiny_config(id2label=NAMES, overlap=0.5),
        tiny_config(id2label=NAMES, clip_seconds=0.6, overlap=0.25, sampling_rate=16000),
    ]
    return request.param, save_ensemble(folder, members, mean="geometric")


@pytest.fixture(scope="module")
def sentences():
    """Recordings of a voice, of several windows and of less than one, and one without any."""
    long = speech(
        "Every winter the lake freezes. The boats come back to the harbour. We walked along the river.", RATE
    )
    sounds = {"long": long, "short": long[: RATE // 2], "silent": np.zeros(2 * RATE, np.float32)}
    return {name: encoded(sound) for name, sound in sounds.items()}


@pytest.mark.slow
def test_every_way_gives_the_same_answers(kind, request):
    name, folder = kind
    clips = request.getfixturevalue("sentences") if name == "speech alone" else None
    verdicts = {verdict.way: verdict for verdict in verify(folder, clips)}
    has_none = name == "normal recordings alone"  # no convolutions, which are what 8 bits are of
    assert set(verdicts) >= WAYS - ({"ONNX, 8 bits"} if has_none else set())
    assert (set(verdicts) >= DEVICE_WAYS) is (name not in NOT_STATIC)
    assert name == "speech alone" or find_browser() is None or set(verdicts) >= PAGE_WAYS
    assert name != "frames" or find_browser() is None or set(verdicts) >= {*FRAME_WAYS, "page, frames"}
    assert all(verdict.holds for verdict in verdicts.values()), verdicts
    exact = [verdict.largest_difference for verdict in verdicts.values() if verdict.bound == 1e-4]
    assert len(exact) >= len(WAYS) - has_none and max(exact) < 1e-4
    assert has_none or verdicts["ONNX, 8 bits"].largest_difference > 0


def by_hand(model, waveform: np.ndarray, overlap: float) -> np.ndarray:
    """A recording's probabilities, out of a model's logits."""
    config, size = model.config, round(model.config.clip_seconds * model.config.sampling_rate)
    step = size - int(overlap * size)
    if getattr(config, "num_digits", 0):
        size = len(waveform)
    starts = [*range(0, len(waveform) - size, step), len(waveform) - size]
    with torch.no_grad():
        logits = torch.stack([model(torch.from_numpy(waveform[None, s : s + size])).logits[0] for s in starts])
    if config.problem_type == "multi_label_classification":
        return logits.sigmoid().mean(0).numpy()
    n_values = 10 if config.num_labels == 30 else config.num_labels
    return logits.view(len(starts), -1, n_values).softmax(-1).mean(0).flatten().numpy()


def test_the_answers_are_those_of_a_loop_by_hand(kind, sentences):
    name, folder = kind
    classifier = load_classifier(folder)
    model = AutoModelForAudioClassification.from_pretrained(folder).eval()
    clips = sentences if name == "speech alone" else make_golden_clips(classifier.sampling_rate, 1.0)
    waveform = load_audio(clips.get("changing", clips["long"]), classifier.sampling_rate)
    overlap = KINDS[name].get("overlap", 0.0)
    scores = classifier.judge([waveform])[0]
    np.testing.assert_allclose(scores, by_hand(model, waveform, overlap), atol=1e-5)
    if overlap:
        assert np.abs(scores - by_hand(model, waveform, 0.0)).max() > 1e-3, "where the windows lie matters"


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
