"""`AudioTagger`: batches of any kind in, the rows of `predict` out, in this process or in others."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import soundfile
from helpers.recordings import RATE, tone

import hf_audio
from hf_audio import AudioTagger
from hf_audio.bulk import tagger as tagger_module
from hf_audio.bulk.embed import EmbeddingQuestion
from hf_audio.errors import ArgumentError, CheckpointError, DataError

ANSWERS = ["label", "confidence", "label_2", "confidence_2"]


@pytest.fixture
def files(tmp_path) -> list[str]:
    """Three tones, the third of two windows, and no sound."""
    for number, seconds in enumerate((0.3, 1.0, 2.0)):
        soundfile.write(tmp_path / f"{number}.wav", tone(300 + 700 * number, seconds), RATE)
    (tmp_path / "3.wav").write_bytes(b"no sound")
    return [str(tmp_path / f"{number}.wav") for number in range(4)]


def test_all_kinds_of_batches_have_the_rows_of_predict(checkpoint, files):
    expected = hf_audio.predict(checkpoint, files, top_k=2, num_workers=0)
    tagger = AudioTagger(checkpoint, top_k=2)
    pd.testing.assert_frame_equal(tagger(files), expected)

    contents = [Path(file).read_bytes() for file in files]
    rows = [{"bytes": content, "path": file} for content, file in zip(contents, files, strict=True)]
    table = pa.table({"audio": rows, "number": [1, 2, None, 4]})
    told = tagger(table)
    assert told.schema == tagger.schema(["number"]) and told.column_names[:2] == ["path", "number"]
    pd.testing.assert_frame_equal(told.to_pandas().drop(columns="number"), expected)
    assert told["number"].to_pylist() == ["1", "2", "", "4"]
    assert tagger(table.to_batches()[0]).equals(told.combine_chunks().to_batches()[0])
    frame = tagger(pd.DataFrame({"path": files, "bytes": contents}))
    pd.testing.assert_frame_equal(frame, expected)
    cells = tagger({"audio": np.array(contents, dtype=object)})
    assert cells["label"].tolist() == [*expected["label"][:3], None] and cells["path"].tolist() == [""] * 4
    assert cells["error"][3].startswith("row 3 is not audio") and cells["error"][0] is None

    samples = [soundfile.read(file, dtype="float32")[0] for file in files[:3]]
    arrays = tagger([*samples, {"array": samples[1], "sampling_rate": RATE}, None])
    pd.testing.assert_frame_equal(arrays[ANSWERS].iloc[:3], expected[ANSWERS].iloc[:3], atol=1e-4)
    assert arrays["label"][3] == arrays["label"][1] and arrays["error"][4].startswith("row 4 holds no recording")
    assert [len(part) for part in tagger.map([files[:1], files[1:]])] == [1, 3]

    further = {"text": pd.array(["a", None], "string"), "tags": [np.array([1, 2]), None], "day": [pd.NaT, pd.NaT]}
    kept = tagger(pd.DataFrame({"path": files[:2], **further}))
    assert kept[[*further]].to_numpy().tolist() == [["a", "[1 2]", ""], ["", "", ""]]
    assert tagger({"path": files[:2], "tags": np.ones((2, 2), int)})["tags"].tolist() == ["[1 1]", "[1 1]"]
    empty = tagger([{"bytes": b"", "path": files[0]}, {"bytes": b"x", "path": "https://h/a.wav?sig=secret"}])
    assert empty["label"].isna().all() and empty["error"][0].startswith(f"{files[0]} is empty (0 bytes)")
    assert empty["error"][1].startswith("https://h/a.wav is not audio")


def test_windows_moments_and_vectors(checkpoint, files):
    windows = AudioTagger(checkpoint, windows=True, hop_seconds=0.5)([files[2], files[3]])
    expected = hf_audio.predict(checkpoint, files[2:], windows=True, hop_seconds=0.5, num_workers=0)
    pd.testing.assert_frame_equal(windows, expected)
    tagger = AudioTagger(checkpoint, frames=True)
    first = tagger(files[:3])
    expected = hf_audio.predict(checkpoint, files[:3], frames=True, num_workers=0)
    pd.testing.assert_frame_equal(first.drop(columns="error"), expected.drop(columns="error"))
    assert tagger(files[:3]).equals(first)  # nothing of the batch before is left
    asked = AudioTagger.asking(str(checkpoint), EmbeddingQuestion()).load()
    assert asked.embedder.size > 0


def test_what_is_no_batch_is_one_sentence(checkpoint, files):
    tagger = AudioTagger(checkpoint)
    with pytest.raises(ArgumentError, match="A batch is a table or a list of recordings, and no str"):
        tagger(files[0])
    with pytest.raises(ArgumentError, match="no column that is called as those of recordings are: its columns are x"):
        tagger({"x": files})
    with pytest.raises(ArgumentError, match="The batch has no column 'y': its columns are path"):
        AudioTagger(checkpoint, column="y")({"path": files})
    with pytest.raises(ArgumentError, match="A recording is a path, bytes or samples, and no int"):
        tagger([3])
    with pytest.raises(ArgumentError, match="--frames tells all labels"):
        AudioTagger(checkpoint, frames=True, windows=True)
    with pytest.raises(CheckpointError):
        AudioTagger("gone")(files)


def test_it_travels_and_loads_its_network_once_a_process(checkpoint, files, monkeypatch, tmp_path):
    tagger = AudioTagger(checkpoint)
    tagger(files)
    packed = pickle.dumps(tagger)
    assert len(packed) < 2000
    loaded = []
    network = tagger_module.Question.network
    monkeypatch.setattr(tagger_module.Question, "network", lambda *given: loaded.append(1) or network(*given))
    monkeypatch.setattr(tagger_module, "_networks", {})
    for _ in range(3):
        pd.testing.assert_frame_equal(pickle.loads(packed)(files), tagger(files))
    assert loaded == [1]
    monkeypatch.setattr(tagger_module, "_networks", {})
    monkeypatch.setattr(tagger_module, "fingerprint", lambda _: "other")
    with pytest.raises(CheckpointError, match="is another checkpoint here than where work is given out"):
        pickle.loads(packed)(files)
    monkeypatch.setattr("hf_audio.__version__", "0.0.1")
    with pytest.raises(DataError, match=r"hf_audio is 0\.0\.1 here and .* where work is given out"):
        pickle.loads(packed)


def test_spark_maps_it_over_a_frame(checkpoint, files):
    pytest.importorskip("pyspark")
    from pyspark.sql import SparkSession
    from pyspark.sql.pandas.types import from_arrow_schema

    spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
    try:
        tagger = AudioTagger(checkpoint)
        frame = spark.createDataFrame(pd.DataFrame({"path": files})).repartition(2)
        told = frame.mapInPandas(tagger.map, schema=from_arrow_schema(tagger.schema())).toPandas()
    finally:
        spark.stop()
    told = told.sort_values("path", ignore_index=True)
    pd.testing.assert_frame_equal(told, tagger(files), check_dtype=False, atol=2e-6)
