"""Splits of shards: found by their names, counted without their audio, told of when broken, loaded where small."""

from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.recordings import write_parquet, write_tar

from hf_audio.data.rows import ENCODED_COLUMN
from hf_audio.data.shard_rows import read_block
from hf_audio.data.shards import find_shards, index_shards, load_shards
from hf_audio.data.tables.columns import TEST, VALIDATION, Columns
from hf_audio.errors import DataError

ROWS = [(bytes([number]) * 2000, f"{number}.wav", ("dog", "cat", "cow")[number % 3]) for number in range(11)]


def names(found) -> dict[str, list[str]]:
    return {part: [shard.rpartition("shards/")[2] for shard in shards] for part, shards in found.items()}


def test_ids_follow_a_column_that_numbers_the_labels_over_all_shards(tmp_path):
    classes = ["siren", "dog", "car"]
    for shard in range(2):
        table = pq.read_table(
            write_parquet(tmp_path / "one.parquet", [(b"", "a.wav", name) for name in classes[shard:]])
        )
        numbers = pa.array([classes.index(name) for name in classes[shard:]])
        pq.write_table(table.append_column("target", numbers), tmp_path / f"{shard}.parquet")
    shards = [str(tmp_path / f"{shard}.parquet") for shard in range(2)]
    for _ in range(2):  # counted, and from the cache
        assert index_shards(shards, Columns()).names == classes
    assert index_shards(shards[1:], Columns()).names == ["car", "dog"], "1 and 2 begin at no 0"


def test_splits_are_told_apart_by_files_and_by_folders(tmp_path):
    for name in ("train-00000.parquet", "train-00001.parquet", "validation-00000.parquet", "test-00000.parquet"):
        write_parquet(tmp_path / "shards" / name, ROWS)
    assert names(find_shards(tmp_path / "shards")) == {
        "train": ["train-00000.parquet", "train-00001.parquet"],
        "test": ["test-00000.parquet"],
        "validation": ["validation-00000.parquet"],
    }
    for name in ("train/0.tar", "train/1.tar", "validation/0.tar"):
        write_tar(tmp_path / "tars" / "shards" / name, ROWS)
    found = names(find_shards(tmp_path / "tars" / "shards"))
    assert found == {"train": ["train/0.tar", "train/1.tar"], "test": ["validation/0.tar"]}


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ((), "cannot be read as shards"),
        (("train.csv", "test.csv"), "and not shards"),
        (("train-0.parquet",), "has no test split among its shards: name some of them test-00000.parquet"),
        (("test-0.parquet",), "has no train split"),
    ],
)
def test_a_folder_that_is_none_of_shards_is_refused(tmp_path, files, sentence):
    for name in files:
        if name.endswith("csv"):
            (tmp_path / name).write_text("path,label\na.wav,dog\n")
        else:
            write_parquet(tmp_path / name, ROWS)
    with pytest.raises(DataError, match=sentence):
        find_shards(tmp_path)


def test_a_name_that_is_not_reached_is_one_sentence(tmp_path):
    with pytest.raises(DataError, match="nobody/nothing cannot be read as shards"):
        find_shards("nobody/nothing")
    with pytest.raises(DataError, match="gone cannot be read as shards"):
        find_shards(tmp_path / "gone")


@pytest.mark.parametrize("extension", ["cls", "txt", "json"])
def test_labels_of_a_tar_lie_beside_the_audio(tmp_path, extension):
    split = index_shards([str(write_tar(tmp_path / "0.tar", ROWS, extension))], Columns())
    assert split.rows == 11 and split.names == ["cat", "cow", "dog"] and split.counts == {"dog": 4, "cat": 4, "cow": 3}
    (block,) = split.blocks
    assert [row.label for row in read_block(block, 0, 11, split.columns)] == [label for *_, label in ROWS]


def test_labels_of_parquet_are_texts_numbers_or_declared_classes(tmp_path):
    texts = index_shards([str(write_parquet(tmp_path / "texts.parquet", ROWS))], Columns())
    assert texts.names == ["cat", "cow", "dog"]
    numbers = [(content, name, number) for number, (content, name, _) in enumerate(ROWS)]
    split = index_shards([str(write_parquet(tmp_path / "numbers.parquet", numbers))], Columns())
    assert split.names == [str(number) for number in range(11)], "10 does not come behind 1"
    declared = ["dog", "cat", "cow", "owl"]
    split = index_shards([str(write_parquet(tmp_path / "0.parquet", ROWS, classes=declared))], Columns())
    assert split.names == declared and split.counts == Counter(label for *_, label in ROWS)
    assert [row.label for row in read_block(split.blocks[1], 0, 2, split.columns)] == ["cow", "dog"]


def test_a_column_that_is_not_there_is_named(tmp_path):
    shard = str(write_parquet(tmp_path / "0.parquet", ROWS))
    with pytest.raises(DataError, match="no column 'species': its columns are audio, label"):
        index_shards([shard], Columns(labels=("species",)))
    with pytest.raises(DataError, match="no encoded audio in the column 'label'"):
        index_shards([shard], Columns(path="label"))
    unlabelled = str(write_tar(tmp_path / "0.tar", ROWS, "md"))
    with pytest.raises(DataError, match=r"has no labels: beside 000.wav, put 000.cls"):
        index_shards([unlabelled], Columns())


def test_a_shard_that_cannot_be_read_is_told_of_and_the_others_are_counted(tmp_path, caplog):
    good = [str(write_parquet(tmp_path / "0.parquet", ROWS)), str(write_tar(tmp_path / "0.tar", ROWS))]
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and nothing")
    (tmp_path / "bad.tar").write_bytes(b"no tar at all, but some text " * 40)
    content = (tmp_path / "0.tar").read_bytes()
    (tmp_path / "cut.tar").write_bytes(content[: len(content) // 2])
    bad = [str(tmp_path / name) for name in ("bad.parquet", "bad.tar", "cut.tar")]
    split = index_shards([*good, *bad], Columns())
    assert [row["path"] for row in split.unreadable] == bad
    assert split.rows == 22 + sum(block.rows for block in split.blocks if block.shard == bad[2])
    assert 0 < split.rows - 22 < 11 and "only its first" in split.unreadable[2]["reason"]
    with pytest.raises(DataError, match="None of the 2 shards holds a row that can be read"):
        index_shards(bad[:2], Columns())


def test_counting_again_reads_nothing_until_a_shard_changes(tmp_path, monkeypatch):
    shard = write_parquet(tmp_path / "0.parquet", ROWS)
    first = index_shards([str(shard)], Columns())
    with monkeypatch.context() as patch:
        patch.setattr("pyarrow.parquet.ParquetFile", None)
        assert index_shards([str(shard)], Columns()) == first
    write_parquet(shard, ROWS[:5])
    assert index_shards([str(shard)], Columns()).rows == 5


def test_held_out_shards_become_a_data_set_as_any_other(tmp_path):
    for part, rows in (("train-0", ROWS), ("test-0", ROWS[:2]), ("test-1", ROWS[2:4]), ("validation-0", ROWS[4:6])):
        write_parquet(tmp_path / f"{part}.parquet", rows)
    stream, collection = load_shards(tmp_path)
    assert stream.rows == 11 and len(collection.dataset) == 6
    assert collection.rows(TEST).sum() == 4 and collection.rows(VALIDATION).sum() == 2
    assert collection.dataset.features["label"].names == stream.names
    for row, (content, name, label) in zip(collection.dataset, ROWS, strict=False):
        assert row[ENCODED_COLUMN] == content and row["path"].endswith(name)
        assert stream.names[row["label"]] == label
    write_parquet(tmp_path / "test-0.parquet", [(ROWS[0][0], "0.wav", "owl")])
    with pytest.raises(DataError, match="has the label 'owl', which is none of the 3 classes"):
        load_shards(tmp_path)


def test_one_class_is_too_few(tmp_path):
    for part in ("train", "test"):
        write_parquet(tmp_path / f"{part}-00000.parquet", ROWS[::3])
    with pytest.raises(DataError, match=r"have the labels \['dog'\]: a classifier needs two"):
        load_shards(tmp_path)
