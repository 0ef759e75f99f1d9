"""The same answers in every format."""

import csv
import json
from pathlib import Path

import pandas as pd
import pytest

from hf_audio.bulk.answers import WRITERS, Heading, choose_writer, print_table
from hf_audio.errors import DataError

HEADING = Heading(["speaker", "confidence"], "label", 2, False, 8000)
CLIPS = [{"path": "ä b.wav", "speaker": "Ann, Bob", "confidence": "old"}, {"path": "c.wav"}]


def rows() -> list[dict]:
    answers = [[["hen", 0.75], ["dog", 0.125]]]
    return [
        *HEADING.rows(CLIPS[0], [(0.0, 1.0)], answers, None),
        *HEADING.rows(CLIPS[1], [], [], "c.wav is empty."),
    ]


EXPECTED = [
    ["ä b.wav", "Ann, Bob", "hen", 0.75, "dog", 0.125, None],
    ["c.wav", "", None, None, None, None, "c.wav is empty."],
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
    assert HEADING.columns == ["path", "speaker", "label", "confidence", "label_2", "confidence_2", "error"]
    assert read(path) == EXPECTED
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


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
