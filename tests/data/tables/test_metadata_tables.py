"""The Hub's metadata files as tables."""

import json

import pandas as pd
import pytest

from hf_audio.data.tables.text_tables import is_table, read_table
from hf_audio.errors import DataError

ROWS = [
    {"file_name": "1.wav", "label": "dog", "tags": ["rain", "dog"], "number": 3},
    {"file_name": "ü 2.wav", "label": None, "seconds": 1.5, "loud": True},
]
TOLD = {
    "file_name": ["1.wav", "ü 2.wav"],
    "label": ["dog", ""],
    "tags": ['["rain", "dog"]', ""],
    "number": ["3", ""],
    "seconds": ["", "1.5"],
    "loud": ["", "true"],
}


def test_lines_of_json_are_a_table_of_text(tmp_path):
    path = tmp_path / "metadata.jsonl"
    path.write_text("\n".join([*(json.dumps(row, ensure_ascii=False) for row in ROWS), ""]), encoding="utf-8-sig")
    assert is_table(path) and read_table(path).to_dict("list") == TOLD


def test_parquet_is_a_table_where_it_is_called_metadata(tmp_path):
    path = tmp_path / "metadata.parquet"
    pd.DataFrame([{"file_name": "1.wav", "label": 2}]).to_parquet(path)
    assert read_table(path).to_dict("list") == {"file_name": ["1.wav"], "label": ["2"]}
    assert is_table(path) and not is_table(tmp_path / "train-00000.parquet")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.jsonl", b'{"file_name": "1.wav"}\n["x"]\n', "no JSON object in line 2"),
        ("a.jsonl", b"file_name,label\n", "no JSON object in line 1"),
        ("a.jsonl", b"\n", "holds no rows"),
        ("a.jsonl", b"\xff\xfe{", "is not UTF-8 text"),
        ("metadata.parquet", b"PAR", "is no Parquet file"),
    ],
)
def test_what_is_no_such_table(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=says):
        read_table(tmp_path / name)
