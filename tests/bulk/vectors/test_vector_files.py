"""Files of embeddings that are mixed, damaged or none, and those that other programs have rewritten."""

import numpy as np
import pandas as pd
import pyarrow
import pytest
from pyarrow import parquet

from hf_audio.bulk.vectors.heading import VectorHeading, pack
from hf_audio.bulk.vectors.vector_files import choose_vector_writer, is_vectors, read_vectors
from hf_audio.errors import DataError

METADATA = {"checkpoint_name": "net", "sampling_rate": 8000, "folder": "/archive"}


def write(path, checkpoint="abc", size=3, n_clips=4, further=()):
    heading = VectorHeading(further, size, checkpoint, METADATA)
    rows = [
        row
        for clip in range(n_clips)
        for row in heading.rows(
            {"path": f"{clip}.wav", "note": f"n{clip}", "vector": "v"},
            [[0.0, 1.0], [1.0, 2.0]],
            [[pack(np.full(size, clip + offset, np.float32)), 10 + clip, 7] for offset in (0.0, 0.5)],
            None if clip != 2 else "2.wav is broken",
        )
    ]
    choose_vector_writer(path)(path, heading, iter(rows))
    return path


@pytest.mark.parametrize("suffix", [".parquet", ".npz"])
def test_what_was_written_comes_back(suffix, tmp_path):
    vectors = read_vectors(write(tmp_path / f"x{suffix}", further=["note", "vector"]))
    assert vectors.files.tolist() == [f"/archive/{clip}.wav" for clip in (0, 0, 1, 1, 3, 3)]
    assert vectors.vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors.vectors, np.repeat([0, 0.5, 1, 1.5, 3, 3.5], 3).reshape(6, 3))
    np.testing.assert_array_equal(vectors.starts, [0, 1] * 3)
    np.testing.assert_array_equal(vectors.stamps, [[10, 7], [10, 7], [11, 7], [11, 7], [13, 7], [13, 7]])
    assert vectors.checkpoint == "abc" and vectors.metadata["sampling_rate"] == 8000
    assert is_vectors(vectors.source) and not is_vectors(tmp_path)


def test_what_pandas_has_written_anew_is_read_too(tmp_path):
    pd.read_parquet(write(tmp_path / "x.parquet")).to_parquet(tmp_path / "y.parquet")
    again = read_vectors(tmp_path / "y.parquet")
    np.testing.assert_array_equal(again.vectors, read_vectors(tmp_path / "x.parquet").vectors)


def test_parts_of_several_processes_are_one(tmp_path):
    for rank in (0, 1):
        write(tmp_path / f"part-0000{rank}-of-00002.parquet")
    assert is_vectors(tmp_path) and len(read_vectors(tmp_path).vectors) == 12


@pytest.mark.parametrize("by_pandas", [False, True])
@pytest.mark.parametrize("size", [3, 5])
def test_embeddings_of_two_checkpoints_are_not_mixed(by_pandas, size, tmp_path):
    paths = [write(tmp_path / "a.parquet"), write(tmp_path / "b.parquet", "other", size)]
    if by_pandas:
        pd.concat(map(pd.read_parquet, paths)).to_parquet(tmp_path / "both.parquet")
    else:
        schema = parquet.read_schema(paths[0])
        tables = [parquet.read_table(path).cast(schema) if size == 3 else parquet.read_table(path) for path in paths]
        if size == 5:
            lists = pyarrow.list_(pyarrow.float32())
            place = schema.get_field_index("vector")
            tables = [table.set_column(place, "vector", table["vector"].cast(lists)) for table in tables]
        parquet.write_table(pyarrow.concat_tables(tables), tmp_path / "both.parquet")
    with pytest.raises(DataError, match=r"both\.parquet mixes embeddings of 2 checkpoints, which cannot be compared"):
        read_vectors(tmp_path / "both.parquet")


def test_what_is_no_file_of_embeddings_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "text.parquet").write_text("no")
    (tmp_path / "text.npz").write_text("no")
    whole = write(tmp_path / "whole.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    pd.DataFrame({"file": ["a"]}).to_parquet(tmp_path / "other.parquet")
    np.savez(tmp_path / "other.npz", vector=np.zeros((2, 3)))
    write(tmp_path / "none.parquet", n_clips=0)
    broken = pd.read_parquet(write(tmp_path / "nan.parquet"))
    broken["vector"] = [np.full(3, np.nan)] * len(broken)
    broken.to_parquet(tmp_path / "nan.parquet")
    for name, column, value in (
        ("list", "vector", "text"),
        ("unnamed", "file", None),
        ("unknown", "checkpoint", None),
    ):
        rows = pd.read_parquet(write(tmp_path / f"{name}.parquet"))
        rows[column] = [value, *rows[column][1:]] if value is None else value
        rows.to_parquet(tmp_path / f"{name}.parquet")
    (tmp_path / "empty.npz").touch()
    with (tmp_path / "array.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    (tmp_path / "parts").mkdir()
    write(tmp_path / "parts" / "part-00001-of-00003.parquet")
    sentences = {
        "list.parquet": "its vectors are no lists of numbers",
        "unnamed.parquet": "'file' is missing in a row",
        "unknown.parquet": "'checkpoint' is missing in a row",
        "empty.npz": "holds no embeddings that can be read",
        "array.npz": "holds no embeddings that can be read",
        "parts": "holds 1 of 3 parts: finish the run",
        "text.parquet": "holds no embeddings that can be read",
        "text.npz": "holds no embeddings that can be read",
        "cut.npz": "holds no embeddings that can be read",
        "other.parquet": "has no column 'start', so it holds no embeddings",
        "other.npz": "has no column 'file', so it holds no embeddings",
        "none.parquet": "holds no row",
        "nan.parquet": "holds vectors that are not finite",
        "absent.parquet": "is no file",
    }
    for name, sentence in sentences.items():
        with pytest.raises(DataError, match=sentence):
            read_vectors(tmp_path / name)
