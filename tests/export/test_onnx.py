"""Checkpoints as ONNX files: torch's answers, without torch."""

import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import torch
from helpers.checkpoints import FRAMES, tiny_config, trained_looking_model
from helpers.recordings import REPOSITORY, tone, write_table
from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2ForSequenceClassification

from hf_audio import AudioCNNFeatureExtractor
from hf_audio.cli import main
from hf_audio.errors import CheckpointError, ExportError
from hf_audio.export.comparison import TOLERANCE, bound_of
from hf_audio.export.onnx import export_onnx
from hf_audio.export.onnx_frontend import FactoredMelSpectrogram
from hf_audio.inference.checkpoint import load_classifier
from hf_audio.inference.embedder import load_embedder
from hf_audio.inference.onnx_classifier import OnnxAudioClassifier
from hf_audio.inference.torch_classifier import TorchAudioClassifier
from hf_audio.models.frontends import MelSpectrogram

NAMES = {0: "low", 1: "mid", 2: "high"}
KINDS = {
    "resnet": {"hidden_sizes": [8, 12, 16], "stem_stride": 2, "top_db": 80, "early_pooling": True, "id2label": NAMES},
    "beginning of the sound": {
        "backbone": "alexnet",
        "trim_db": 60,
        "heard_seconds": 0.5,
        "min_seconds": 0.5,
        "repeat_short": True,
        "pooling": "max",
    },
    "numbers": {"frontend": "mfcc", "center_features": True, "num_digits": 6, "number_grammar": "ru"},
    "voices": {"backbone": "conv1d", "power": 1, "pooling": "mean_std", "long_term_spectrum": True, "id2label": NAMES},
    "tags of frames": {**FRAMES, "temperature": 2},
}
FURTHER = ("beginning of the sound", "resnet", "numbers")


def save(folder, **config):
    settings = tiny_config(**config)
    trained_looking_model(settings).save_pretrained(folder)
    AudioCNNFeatureExtractor(sampling_rate=settings.sampling_rate).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("n_fft", "win_length", "hop_length", "power"),
    [(256, 256, 64, 2), (256, 200, 80, 1), (400, 400, 160, 2), (2048, 1103, 441, 2), (97, 97, 31, 2)],
)
def test_matrix_products_give_the_spectrogram(n_fft, win_length, hop_length, power):
    spectrogram = MelSpectrogram(tiny_config(n_fft=n_fft, win_length=win_length, hop_length=hop_length, power=power))
    factored = FactoredMelSpectrogram(spectrogram)
    for n_samples in (1, 700, 5003):
        x = torch.randn(2, n_samples)
        expected = spectrogram(x)
        torch.testing.assert_close(factored(x), expected, rtol=1e-4, atol=1e-6 * float(expected.max()))


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.exhaustive] * (kind in FURTHER)) for kind in KINDS]
)
def test_an_exported_checkpoint_gives_torchs_answers(tmp_path, kind):
    folder = save(tmp_path / "checkpoint", **KINDS[kind])
    with_embeddings = kind in ("numbers", "voices")
    export = export_onnx(folder, tmp_path / "model.onnx", embeddings=with_embeddings)
    assert export.largest_difference < 1e-4 and export.agreement == 1
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["checkpoint", "model.onnx"]
    assert b"modeling_audio_cnn.py" not in (tmp_path / "model.onnx").read_bytes()  # nor where that lies
    ours, torchs = load_classifier(tmp_path / "model.onnx"), TorchAudioClassifier(folder)
    assert ours.facts == torchs.facts and (ours.sampling_rate, ours.facts.clip_seconds) == (8000, 1)
    clips = [tone(700, seconds) for seconds in (0.01, 0.3, 0.3, 1, 2.7)]
    np.testing.assert_allclose(ours.judge(clips), torchs.judge(clips), atol=1e-5)
    assert np.ptp(ours.judge(clips), axis=0).max() > 1e-3
    if kind == "tags of frames":
        for frames, expected in zip(ours.score_frames(clips), torchs.score_frames(clips), strict=True):
            np.testing.assert_allclose(frames, expected, atol=1e-5)
        assert [len(frames) for frames in ours.score_frames(clips)] == [1, 15, 15, 50, 135]
    if with_embeddings:
        vectors = load_embedder(tmp_path / "model.onnx").embed(clips)
        np.testing.assert_allclose(vectors, load_embedder(folder).embed(clips), rtol=1e-3, atol=1e-4)
    else:
        with pytest.raises(CheckpointError, match="has no output 'embeddings': export the checkpoint with --embedd"):
            load_embedder(tmp_path / "model.onnx")
    if kind == "numbers":
        assert set(ours(clips[0])) == {"text", "score"}
    else:
        assert [told["label"] for told in ours(clips[3])] == [told["label"] for told in torchs(clips[3])]


@pytest.mark.slow
@pytest.mark.exhaustive
def test_eight_bits_state_their_bound(tmp_path, checkpoint, capsys):
    (tmp_path / "clips").mkdir()
    for index, hertz in enumerate((250, 400, 900, 1500, 2500, 3500)):
        soundfile.write(tmp_path / "clips" / f"{index}.wav", tone(hertz, 1.0, seed=index), 8000)
    path = tmp_path / "model.onnx"
    classifier = TorchAudioClassifier(checkpoint)
    names = [classifier(tmp_path / "clips" / f"{i}.wav", top_k=1)[0]["label"] for i in range(4)] + ["no class"] * 2
    rows = [[f"clips/{i}.wav", name] for i, name in enumerate(names)]
    table = write_table(tmp_path / "clips.csv", [["path", "label"], *rows])
    main(["export", str(checkpoint), "--output", str(path), "--int8", "--clips", str(table)])
    told = capsys.readouterr().out
    assert "of 6 clips" in told and "0.6667 by torch" in told
    whole = tmp_path / "whole.onnx"
    export_onnx(checkpoint, whole)
    assert "QuantizeLinear" in {node.op_type for node in _graph(path).node}
    clips = [tone(hertz, 0.8) for hertz in (300, 1000, 3000)]
    small, exact = OnnxAudioClassifier(path), OnnxAudioClassifier(whole)
    difference = np.abs(small.judge(clips) - exact.judge(clips)).max()
    assert exact.int8_bound is None and 0 < difference < small.int8_bound < 0.5


def _graph(path):
    import onnx

    return onnx.load(path).graph


def test_it_runs_without_torch_and_audio_libraries(checkpoint, exported):
    code = """
import json, sys
import numpy as np
for name in ("torch", "transformers", "soundfile", "soxr", "datasets", "librosa"):
    sys.modules[name] = None
from hf_audio.export.onnx import OnnxAudioClassifier
waveform = np.sin(np.arange(6000) / 3).astype(np.float32)
print(json.dumps(OnnxAudioClassifier(sys.argv[1])(waveform)))
"""
    command = [sys.executable, "-c", code, str(exported)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    waveform = np.sin(np.arange(6000) / 3).astype(np.float32)
    for told, expected in zip(json.loads(done.stdout), TorchAudioClassifier(checkpoint)(waveform), strict=True):
        assert told["label"] == expected["label"] and told["score"] == pytest.approx(expected["score"], abs=1e-5)


def test_a_file_of_a_stranger_is_one_sentence(tmp_path, exported):
    import onnx

    model = onnx.load(exported)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    for name, value, reason in (
        ("sampling_rate", 10**9, "sampling_rate=1000000000 must lie between"),
        ("clip_seconds", 0, "clip_seconds=0 must last a sample"),
        ("overlap", 1.0, "overlap=1.0 must lie between"),
        ("num_digits", 7, "num_digits=7 needs ten labels each"),
        ("labels", ["a"], "does not run"),
    ):
        onnx.helper.set_model_props(model, {**metadata, name: json.dumps(value)})
        onnx.save(model, tmp_path / "strange.onnx")
        with pytest.raises(CheckpointError, match=rf"strange\.onnx .*{reason}"):
            load_classifier(tmp_path / "strange.onnx")


def test_what_cannot_be_exported_is_one_sentence(tmp_path, checkpoint):
    with pytest.raises(ExportError, match=r"must end in \.onnx"):
        export_onnx(checkpoint, tmp_path / "model.pb")
    with pytest.raises(ExportError, match="make it first"):
        export_onnx(checkpoint, tmp_path / "nowhere" / "model.onnx")
    config = Wav2Vec2Config(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, conv_dim=(8,) * 7
    )
    Wav2Vec2ForSequenceClassification(config).save_pretrained(tmp_path / "encoder")
    Wav2Vec2FeatureExtractor().save_pretrained(tmp_path / "encoder")
    with pytest.raises(CheckpointError, match="only AudioCNNs"):
        export_onnx(tmp_path / "encoder", tmp_path / "model.onnx")
    with pytest.raises(CheckpointError, match="is no file"):
        OnnxAudioClassifier(tmp_path / "model.onnx")
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(CheckpointError, match="was not written by hf-audio export"):
        OnnxAudioClassifier(tmp_path / "model.onnx")
    with pytest.raises(SystemExit):
        main(["export", str(checkpoint), "--output", str(tmp_path / "small.onnx"), "--int8"])


def test_a_bound_of_eight_bits_is_no_narrower_than_that_of_floats():
    assert [bound_of(each) for each in (1e-6, 0.01, 0.5)] == [TOLERANCE, 0.03, 1.0]
