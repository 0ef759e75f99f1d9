"""`hf-audio embed`: files of vectors that other programs read, whole after a kill, and broken clips left out."""

import json
import os

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
import soundfile
from helpers.checkpoints import tiny_config, trained_looking_model
from helpers.killed_runs import break_off
from helpers.recordings import RATE, tone, write_table
from transformers import AutoModel

import hf_audio
from hf_audio import AudioCNNFeatureExtractor
from hf_audio.audio.loading import load_audio
from hf_audio.bulk import predict as predict_module
from hf_audio.bulk import tagger as tagger_module
from hf_audio.bulk.embed import EmbeddingQuestion
from hf_audio.bulk.predict import Sources, fingerprint, predict_files
from hf_audio.bulk.scoring import judge_clips
from hf_audio.errors import ArgumentError, AudioError, DataError
from hf_audio.inference.embedder import load_embedder


@pytest.fixture
def clips(tmp_path):
    """A table of five clips, of which one is broken, with a label each."""
    for index, seconds in enumerate((0.5, 2.3, 1.0, 0.7)):
        soundfile.write(tmp_path / f"{index}.wav", tone(300 + 100 * index, seconds), RATE)
    (tmp_path / "broken.wav").write_bytes(b"RIFF" + bytes(50))
    names = ["0.wav", "1.wav", "broken.wav", "2.wav", "3.wav"]
    return write_table(tmp_path / "clips.csv", [["path", "label", "start"], *([name, name[0], "x"] for name in names)])


def embed(checkpoint, source, output, **options):
    return hf_audio.embed(checkpoint, [source], output=output, num_workers=0, **options)


def test_a_row_a_clip_holds_what_the_network_makes_of_it(checkpoint, clips, tmp_path, monkeypatch):
    table = pd.read_parquet(embed(checkpoint, clips, tmp_path / "x.parquet"))
    assert table.columns.tolist() == [
        *("file", "start", "end", "vector", "checkpoint", "file_bytes", "file_modified_ns"),
        *("label", "table_start"),
    ]
    files = [tmp_path / f"{index}.wav" for index in range(4)]
    assert table["file"].tolist() == list(map(str, files)) and table["label"].tolist() == ["0", "1", "2", "3"]
    assert table["end"].tolist() == [0.5, 2.3, 1.0, 0.7] and not table["start"].any()
    embedder = load_embedder(checkpoint)
    expected = [embedder.embed_recording(load_audio(file, RATE)) for file in files]
    np.testing.assert_allclose(np.stack(table["vector"]), expected, rtol=1e-3, atol=1e-4)
    assert table["file_bytes"].tolist() == [file.stat().st_size for file in files]
    assert table["file_modified_ns"].tolist() == [file.stat().st_mtime_ns for file in files]
    assert set(table["checkpoint"]) == {fingerprint(str(checkpoint))}

    schema = pyarrow.parquet.read_schema(tmp_path / "x.parquet")
    assert str(schema.field("vector").type) == f"fixed_size_list<element: float>[{embedder.size}]"
    told = json.loads(schema.metadata[b"hf_audio"])
    assert told["sampling_rate"] == RATE and told["checkpoint"] == fingerprint(str(checkpoint))
    complaints = json.loads(pyarrow.parquet.read_metadata(tmp_path / "x.parquet").metadata[b"hf_audio_unreadable"])
    assert list(complaints) == [str(tmp_path / "broken.wav")]

    in_memory = embed(checkpoint, clips, None)
    np.testing.assert_array_equal(np.stack(in_memory["vector"]), np.stack(table["vector"]))

    embed(checkpoint, clips, tmp_path / "x.npz")
    with np.load(tmp_path / "x.npz") as arrays:
        np.testing.assert_array_equal(arrays["vector"], np.stack(table["vector"]))
        assert arrays["file"].tolist() == table["file"].tolist() and arrays["label"].tolist() == ["0", "1", "2", "3"]
        assert json.loads(str(arrays["hf_audio"])) == told
        assert json.loads(str(arrays["hf_audio_unreadable"])) == complaints


def test_a_row_a_window_where_windows_are_asked_for(checkpoint, tmp_path):
    sound = np.concatenate([tone(300, 1.0), tone(900, 1.5)])
    soundfile.write(tmp_path / "long.wav", sound, RATE, subtype="FLOAT")
    table = embed(checkpoint, tmp_path / "long.wav", None, windows=True, hop_seconds=0.5)
    assert table["start"].tolist() == [0.0, 0.5, 1.0, 1.5]
    assert table["end"].tolist() == [1.0, 1.5, 2.0, 2.5]
    model = AutoModel.from_pretrained(checkpoint).eval()
    import torch

    with torch.no_grad():
        expected = model(torch.from_numpy(sound[RATE : 2 * RATE])[None]).pooler_output[0]
    np.testing.assert_allclose(table["vector"][2], expected, rtol=1e-3, atol=1e-4)


def test_a_run_that_broke_off_goes_on_where_it_was(checkpoint, clips, tmp_path, monkeypatch):
    output = tmp_path / "x.parquet"
    monkeypatch.setattr(tagger_module, "judge_clips", break_off)
    with pytest.raises(KeyboardInterrupt):
        embed(checkpoint, clips, output)
    assert not output.exists()
    with pytest.raises(DataError, match="was begun with other --top_k"):
        predict_files(str(checkpoint), Sources([str(clips)]), output, predict_module.Question(), resume=True)
    asked = []

    def judge(network, files, *others):
        asked.extend(files)
        return judge_clips(network, files, *others)

    monkeypatch.setattr(tagger_module, "judge_clips", judge)
    with pytest.raises(DataError, match="was begun with other --windows"):
        embed(checkpoint, clips, output, windows=True, resume=True)
    embed(checkpoint, clips, output, resume=True)
    assert len(asked) == 3 and not (tmp_path / "x.parquet.journal").exists()
    embed(checkpoint, clips, tmp_path / "at once.parquet")
    assert pd.read_parquet(output).equals(pd.read_parquet(tmp_path / "at once.parquet"))


def test_where_nobody_speaks_a_network_of_speech_embeds_nothing(tmp_path, monkeypatch):
    trained_looking_model(tiny_config(speech_only=True)).save_pretrained(tmp_path / "speech")
    AudioCNNFeatureExtractor(sampling_rate=RATE).save_pretrained(tmp_path / "speech")
    soundfile.write(tmp_path / "hum.wav", tone(300, 2.0), RATE)
    with pytest.raises(AudioError, match=r"hum\.wav holds no speech"):
        embed(tmp_path / "speech", tmp_path / "hum.wav", tmp_path / "x.npz")
    assert not (tmp_path / "x.npz").exists()
    embed(tmp_path / "speech", tmp_path / "hum.wav", tmp_path / "x.npz", windows=True)
    with np.load(tmp_path / "x.npz") as arrays:
        assert list(json.loads(str(arrays["hf_audio_unreadable"]))) == [str(tmp_path / "hum.wav")]


def test_what_cannot_be_is_refused_before_anything_is_embedded(checkpoint, clips, tmp_path):
    with pytest.raises(DataError, match=r"must end in \.parquet or \.npz"):
        embed(checkpoint, clips, tmp_path / "x.csv")
    with pytest.raises(ArgumentError, match="--hop_seconds is for scores over time: add --windows"):
        EmbeddingQuestion(hop_seconds=0.5)
    with pytest.raises(ArgumentError, match="hop_seconds=1e-06 must last a sample at least"):
        embed(checkpoint, tmp_path / "broken.wav", tmp_path / "x.npz", windows=True, hop_seconds=1e-6)
    with pytest.raises(ArgumentError, match="Vectors are nothing to look at: name a file"):
        hf_audio.commands.embeddings.embed_clips(None, checkpoint, [clips], output=None)
    assert not any(name.startswith("x.") for name in os.listdir(tmp_path))
