"""`hf-audio predict --frames`: a row a moment, a column a label, by networks with frames and without."""

import numpy as np
import pandas as pd
import pytest
import soundfile
from helpers.checkpoints import FRAMES, save_checkpoint
from helpers.recordings import RATE, tone

from hf_audio import cli
from hf_audio.commands import predict
from hf_audio.inference.checkpoint import load_classifier
from hf_audio.inference.frames import frame_scores

LABELS = ["low", "mid", "high"]


@pytest.fixture(scope="module")
def framed(tmp_path_factory):
    return save_checkpoint(tmp_path_factory.mktemp("framed"), **FRAMES, id2label=dict(enumerate(LABELS)))


@pytest.mark.parametrize("kind", ["frames", "windows"])
def test_moments_are_those_of_each_recording(framed, checkpoint, tmp_path, kind):
    network = framed if kind == "frames" else checkpoint
    for name, hertz in (("a", 300), ("b", 2500)):
        waveform = np.concatenate([tone(hertz, 1.3, RATE), tone(900, 1.0, RATE)])
        soundfile.write(tmp_path / f"{name}.wav", waveform, RATE, subtype="FLOAT")
    (tmp_path / "c.wav").write_bytes(b"no sound")
    path = predict(network, [tmp_path], output=tmp_path / "moments.parquet", frames=True)
    table = pd.read_parquet(path)
    assert list(table.columns) == ["path", "start", "end", *load_classifier(network).labels, "error"]
    assert table["error"].notna().tolist() == [*[False] * (len(table) - 1), True]
    for name in ("a", "b"):
        rows = table[table["path"].str.endswith(f"{name}.wav")]
        waveform, _ = soundfile.read(tmp_path / f"{name}.wav", dtype="float32")
        stretches = list(frame_scores(load_classifier(network), [waveform]))
        expected = np.concatenate([stretch.scores for stretch in stretches])
        assert rows.iloc[:, 3:-1].to_numpy(dtype=float) == pytest.approx(expected, abs=2e-6)
        assert np.diff(rows["start"]) == pytest.approx(stretches[0].frame_seconds, abs=2e-6)
        assert rows["end"].tolist()[:-1] == rows["start"].tolist()[1:] and rows["start"].iloc[0] == 0


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--windows"], "leave --windows"),
        (["--output", "x.selections.txt"], "must end in .csv"),
        (["--hop_seconds", "0"], "--hop_seconds 0"),
    ],
)
def test_what_does_not_go_with_moments_is_one_sentence(framed, tmp_path, monkeypatch, capsys, flags, sentence):
    monkeypatch.chdir(tmp_path)
    soundfile.write("x.wav", tone(300, 1.0, RATE), RATE)
    with pytest.raises(SystemExit, match="2"):
        cli.main(["predict", str(framed), "x.wav", "--frames", *flags])
    assert sentence in capsys.readouterr().err


def test_a_label_that_would_be_a_second_column_is_refused(tmp_path):
    soundfile.write(tmp_path / "x.wav", tone(300, 1.0, RATE), RATE)
    network = save_checkpoint(tmp_path / "network", **FRAMES, id2label={0: "start", 1: "mid", 2: "high"})
    with pytest.raises(ValueError, match="'start' would be two"):
        predict(network, [tmp_path / "x.wav"], frames=True)
