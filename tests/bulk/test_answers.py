"""The same answers in every format."""

import csv
import json
from pathlib import Path

import pandas as pd
import pytest

from hf_audio.bulk.answers import WRITERS, Heading, choose_writer, print_table
from hf_audio.data.tables.text_tables import read_table
from hf_audio.errors import DataError

HEADING = Heading(["speaker", "confidence"], "label", 2, False, 8000)
CLIPS = [{"path": "ä b.wav", "speaker": "Ann, Bob", "confidence": "old"}, {"path": "c.wav", "confidence": "none"}]


def rows() -> list[dict]:
    answers = [[["hen", 0.75], ["dog", 0.125]]]
    return [
        *HEADING.rows(CLIPS[0], [(0.0, 1.0)], answers, None),
        *HEADING.rows(CLIPS[1], [], [], "c.wav is empty."),
    ]


EXPECTED = [
    ["ä b.wav", "Ann, Bob", "old", "hen", 0.75, "dog", 0.125, None],
    ["c.wav", "", "none", None, None, None, None, "c.wav is empty."],
]


def read(path: Path) -> list[list]:
    """With pandas, and pyarrow for Parquet; what is not known is None."""
    if path.suffix == ".jsonl":
        return [list(json.loads(line).values()) for line in path.read_text(encoding="utf-8").splitlines()]
    table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    table["speaker"] = table["speaker"].fillna("")
    return table.astype(object).where(table.notna(), None).values.tolist()


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_format_holds_the_same(tmp_path, suffix):
    path = tmp_path / f"answers{suffix}"
    choose_writer(path, over_time=False, n_clips=2)(path, HEADING, iter(rows()))
    answers = ["label", "confidence", "label_2", "confidence_2", "error"]
    assert HEADING.columns == ["path", "speaker", "table_confidence", *answers]
    assert read(path) == EXPECTED
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("further", "kind", "over_time", "kept"),
    [
        (["label", "site"], "label", False, ["true_label", "site"]),
        (["label"], "number", False, ["label"]),
        (["number", "error"], "number", False, ["true_number", "table_error"]),
        (["start", "end"], "label", False, ["start", "end"]),
        (["start", "end"], "label", True, ["table_start", "table_end"]),
        (["label", "true_label", "label_2"], "label", False, ["true_label_2", "true_label", "table_label_2"]),
    ],
)
def test_no_column_of_the_table_is_lost(further, kind, over_time, kept):
    heading = Heading(further, kind, 2, over_time, 8000)
    assert heading.columns[1 : len(kept) + 1] == kept and len(set(heading.columns)) == len(heading.columns)
    clip = {"path": "a.wav", **{name: f"own {name}" for name in further}}
    (row,) = heading.rows(clip, [(0.0, 1.0)], [[["hen", 0.75], ["dog", 0.125]]], None)
    assert [row[name] for name in kept] == [f"own {name}" for name in further]
    assert (row[kind], row["confidence"]) == ("hen", 0.75) and list(row) == heading.columns


def test_a_terminal_is_told_nothing_to_obey(capsys):
    heading = Heading([], "label", 1, False, 8000)
    print_table(heading, heading.rows({"path": "a\n.wav"}, [(0, 1)], [[["\x1b]0;ä\x07", 1.0]]], None), [""], [""])
    assert capsys.readouterr().out.splitlines()[1].split() == [r"a\n.wav", r"\x1b]0;ä\x07", "1.0000"]


def test_a_csv_runs_nothing_in_a_spreadsheet(tmp_path):
    heading = Heading(["=1+1"], "label", 1, False, 8000)
    rows = heading.rows({"path": "-x.wav", "=1+1": "+cmd|x"}, [(0.0, 1.0)], [[["@SUM(A1)", 0.5]]], None)
    choose_writer(tmp_path / "a.csv", over_time=False, n_clips=1)(tmp_path / "a.csv", heading, rows)
    assert (tmp_path / "a.csv").read_text().splitlines()[1].split(",")[:3] == ["'-x.wav", "'+cmd|x", "'@SUM(A1)"]
    assert read_table(tmp_path / "a.csv").iloc[0].to_list() == ["-x.wav", "+cmd|x", "@SUM(A1)", "0.500000", ""]


def test_a_csv_holds_six_digits(tmp_path):
    path = tmp_path / "a.csv"
    choose_writer(path, over_time=False, n_clips=1)(path, HEADING, rows())
    with path.open(newline="", encoding="utf-8") as file:
        assert next(csv.DictReader(file))["confidence"] == "0.750000"


@pytest.mark.parametrize("suffix", WRITERS)
def test_what_fails_halfway_leaves_what_was_there(tmp_path, suffix):
    path = tmp_path / f"answers{suffix}"
    path.write_text("before")

    def failing():
        yield rows()[0]
        raise OSError(28, "No space left on device")

    with pytest.raises(DataError, match=rf"answers\{suffix} cannot be written \(No space left on device\): make room"):
        choose_writer(path, over_time=False, n_clips=1)(path, HEADING, failing())
    assert path.read_text() == "before" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("name", "over_time", "n_clips", "sentence"),
    [
        ("a.xlsx", False, 1, r"a\.xlsx must end in \.csv, \.jsonl, \.parquet, or, with --windows, in \.selections"),
        ("a.TextGrid", False, 1, "is for labels over time: add --windows"),
        ("a.txt", True, 2, "labels one recording, and there are 2"),
    ],
)
def test_a_format_that_does_not_fit_is_one_sentence(name, over_time, n_clips, sentence):
    with pytest.raises(DataError, match=sentence):
        choose_writer(Path(name), over_time=over_time, n_clips=n_clips)


def test_a_table_has_columns_of_one_width(capsys):
    print_table(HEADING, rows(), ["ä b.wav", "c.wav"], ["hen", "dog"])
    header, good, bad = capsys.readouterr().out.splitlines()
    assert header.split() == ["path", "label", "confidence", "label_2", "confidence_2"]
    assert good.split() == ["ä", "b.wav", "hen", "0.7500", "dog", "0.1250"]
    assert [header.index("confidence"), header.index("label_2")] == [good.index("0.7500"), good.index("dog")]
    assert bad == "c.wav    error: c.wav is empty."
