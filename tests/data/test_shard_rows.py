"""What one shard holds: counted, and read from any row on."""

import tarfile
import tracemalloc

import fsspec
import pyarrow.parquet as pq
import pytest
from helpers.recordings import RATE, tone, write_parquet, write_tar
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hf_audio.data.shard_rows import count_shard, read_block
from hf_audio.data.shards import index_shards
from hf_audio.data.tables.columns import Columns
from hf_audio.errors import DataError

ROWS = [(bytes([number]) * 2000, f"{number}.wav", ("dog", "cat", "cow")[number % 3]) for number in range(11)]
WRITERS = {"parquet": write_parquet, "tar": write_tar}


def test_a_shard_is_counted_by_blocks_and_labels(tmp_path):
    counted = count_shard(str(write_parquet(tmp_path / "0.parquet", ROWS, group=4)), Columns())
    assert counted.groups == [4, 4, 3] and counted.counts == {"dog": 4, "cat": 4, "cow": 3} and counted.problem is None
    counted = count_shard(str(write_tar(tmp_path / "0.tar", ROWS)), Columns())
    assert counted.groups == [11] and counted.counts == {"dog": 4, "cat": 4, "cow": 3}


def test_labels_have_the_usual_names_in_capitals_too(tmp_path):
    pq.write_table(
        pq.read_table(write_parquet(tmp_path / "0.parquet", ROWS)).rename_columns(["audio", "Category"]),
        tmp_path / "1.parquet",
    )
    assert count_shard(str(tmp_path / "1.parquet"), Columns()).counts["dog"] == 4


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(["parquet", "tar"]), cut=st.tuples(st.integers(0, 11), st.integers(0, 11)))
def test_from_any_row_on_the_same_rows_are_read(tmp_path, kind, cut):
    shard = tmp_path / f"0.{kind}"
    if not shard.exists():
        WRITERS[kind](shard, ROWS, **({"group": 4} if kind == "parquet" else {}))
    split = index_shards([str(shard)], Columns())
    read = []
    for block in split.blocks:
        low, high = (min(max(place - block.start, 0), block.rows) for place in sorted(cut))
        read += read_block(block, low, high, split.columns)
    wanted = range(*sorted(cut))
    assert [(row.number, row.audio, row.label) for row in read] == [(n, ROWS[n][0], ROWS[n][2]) for n in wanted]
    assert len({row.name for row in read}) == len(read)


def test_keys_of_a_tar_end_at_the_first_dot(tmp_path):
    shard = write_tar(tmp_path / "0.tar", [(b"RIFF", "a", "dog")], extension="meta.txt")
    (block,) = index_shards([str(write_tar(tmp_path / "1.tar", ROWS[:1]))], Columns()).blocks
    (row,) = read_block(block, 0, 1, Columns())
    assert row.name == f"{block.shard}#000" and row.file == "000.wav"
    with pytest.raises(DataError, match="has no labels"):
        index_shards([str(shard)], Columns())


def test_fields_of_the_json_are_named_by_the_user(tmp_path):
    rows = [(tone(300).tobytes(), "a.wav", "dog"), (tone(900, rate=RATE).tobytes(), "b.wav", "cat")]
    shard = str(write_tar(tmp_path / "0.tar", rows, "json"))
    assert index_shards([shard], Columns(labels=("file",))).names == ["a.wav", "b.wav"]
    assert index_shards([shard], Columns()).names == ["cat", "dog"]


@pytest.mark.parametrize("kind", ["parquet", "tar"])
def test_shards_are_read_from_an_address_too(tmp_path, kind):
    content = WRITERS[kind](tmp_path / f"0.{kind}", ROWS).read_bytes()
    fsspec.filesystem("memory").pipe(f"/shards/0.{kind}", content)
    split = index_shards([f"memory://shards/0.{kind}"], Columns())
    read = [row for block in split.blocks for row in read_block(block, 0, block.rows, split.columns)]
    assert [(row.audio, row.label) for row in read] == [(content, label) for content, _, label in ROWS]


def sparse_member(name, size):
    """The header of a GNU sparse file of so many bytes, of which one block of 512 is there, and that block."""
    header = bytearray(tarfile.TarInfo(name).tobuf(tarfile.GNU_FORMAT)[:512])
    for place, digits, number in (
        (124, 12, 512), (386, 12, 0), (398, 12, 512), (410, 12, size), (422, 12, 0), (483, 12, size)
    ):  # fmt: skip
        header[place : place + digits] = f"{number:0{digits - 1}o}".encode() + b"\0"
    header[156:157], header[257:265], header[482] = b"S", b"ustar  \0", 0
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}".encode() + b"\0 "
    return bytes(header) + b"RIFF".ljust(512, b"\0")


def test_a_sparse_file_is_not_filled_up(tmp_path):
    whole = write_tar(tmp_path / "0.tar", ROWS).read_bytes()
    with tarfile.open(tmp_path / "0.tar") as archive:
        end = archive.getmembers()[-1].offset_data + 512  # of the last label
    alone, behind = tmp_path / "alone.tar", tmp_path / "behind.tar"
    alone.write_bytes(sparse_member("000.wav", 2 * 10**9) + bytes(1024))
    behind.write_bytes(whole[:end] + sparse_member("x.wav", 10**9))
    tracemalloc.start()
    with pytest.raises(tarfile.ReadError, match=r"000\.wav is a sparse file"):
        count_shard(str(alone), Columns())
    assert "x.wav is a sparse file" in str(count_shard(str(behind), Columns()).problem)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10**7
