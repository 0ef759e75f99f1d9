"""What a stream promises: each row once an epoch, in equal batches everywhere, broken rows left out, and resumed."""

import json
from itertools import chain

import numpy as np
import pytest
import torch
from helpers import streamed_tones
from helpers import tones as tones_recipe
from helpers.checkpoints import results, weights
from helpers.commands import fork_two, refused
from helpers.recordings import RATE, encoded, tone, write_parquet, write_tar
from hypothesis import given, settings
from hypothesis import strategies as st

import hf_audio.training.batching.shard_loader
from hf_audio.data.cache import cache_audio
from hf_audio.data.shard_rows import Row
from hf_audio.data.shards import index_shards, load_shards
from hf_audio.data.tables.columns import TEST, Columns
from hf_audio.errors import DataError
from hf_audio.training.batching.batches import ClipTransform
from hf_audio.training.batching.shard_loader import ClipStream, shuffle
from hf_audio.training.start import train_task

WRITERS = {"parquet": write_parquet, "tar": write_tar}


def numbered(n: int, broken=()) -> list[tuple[bytes, str, str]]:
    """Clips whose length tells their number, but for broken ones."""
    return [
        (b"no sound" if row in broken else encoded(tone(300, (100 + row) / RATE)), f"{row}.wav", "ab"[row % 2])
        for row in range(n)
    ]


def write_shards(folder, rows, sizes, kind="parquet"):
    shards = []
    for number, size in enumerate(sizes):
        start = sum(sizes[:number])
        shards.append(str(WRITERS[kind](folder / f"{number}.{kind}", rows[start : start + size])))
    return index_shards(shards, Columns())


def make_stream(split, tmp_path, batch_size=2, process=(0, 1), transform=None, **options) -> ClipStream:
    transform = transform or ClipTransform(RATE)
    options = {"seed": 0, "skipped": tmp_path / "skipped.jsonl", **options}
    return ClipStream(split, transform, heard, batch_size=batch_size, process=process, **options)


def heard(rows) -> dict[str, torch.Tensor]:
    """A batch as the numbers of its clips, by their lengths."""
    return {"numbers": torch.tensor([len(row["input_values"]) - 100 for row in rows])}


def epoch(stream: ClipStream, workers: int = 0, number: int = 0) -> list[list[int]]:
    stream.transform.set_epoch(number)
    return [batch["numbers"].tolist() if batch else [] for batch in stream.loader(workers)]


@pytest.mark.parametrize("kind", ["parquet", "tar"])
@pytest.mark.parametrize(("processes", "workers"), [(1, 0), (1, 2), (2, 0), (2, 3)])
def test_every_row_comes_once_an_epoch(tmp_path, kind, processes, workers):
    split = write_shards(tmp_path, numbered(36), [4, 25, 7], kind)
    for number in (0, 1):
        parts = [
            epoch(make_stream(split, tmp_path, 3, (process, processes)), workers, number)
            for process in range(processes)
        ]
        assert {len(part) for part in parts} == {36 // processes // 3}, "a process would wait for the other"
        assert all(len(batch) == 3 for part in parts for batch in part)
        assert sorted(chain(*chain(*parts))) == list(range(36))


def test_less_than_a_batch_is_left_out_of_an_epoch_and_not_of_every_one(tmp_path):
    split = write_shards(tmp_path, numbered(23), [11, 12])

    def hear(number, workers):
        parts = [epoch(make_stream(split, tmp_path, 4, (process, 2)), workers, number) for process in (0, 1)]
        assert [len(part) for part in parts] == [2, 2]
        rows = list(chain(*chain(*parts)))
        assert len(set(rows)) == len(rows) == 16
        return set(rows)

    hear(0, workers=3)
    assert set().union(*(hear(number, workers=0) for number in range(12))) == set(range(23))


def test_few_rows_are_one_smaller_batch(tmp_path):
    split = write_shards(tmp_path, numbered(7), [7])
    streams = [make_stream(split, tmp_path, 64, (process, 2)) for process in (0, 1)]
    assert [[len(batch) for batch in epoch(stream)] for stream in streams] == [[3], [3]]
    with pytest.raises(DataError, match="7 rows to train on by 8 processes"):
        make_stream(split, tmp_path, 64, (0, 8))


def test_epochs_differ_and_repeat_themselves(tmp_path):
    split = write_shards(tmp_path, numbered(30), [10, 10, 10])
    first, second = (list(chain(*epoch(make_stream(split, tmp_path), 0, number))) for number in (0, 1))
    assert first != second and first != sorted(first)
    assert first == list(chain(*epoch(make_stream(split, tmp_path), 0, 0)))
    assert first != list(chain(*epoch(make_stream(split, tmp_path, seed=1), 0, 0)))


def test_a_reader_more_than_shards_is_told_of(tmp_path, caplog):
    split = write_shards(tmp_path, numbered(12), [6, 6])
    make_stream(split, tmp_path).loader(2)
    assert not caplog.records
    make_stream(split, tmp_path, process=(0, 2)).loader(2)
    assert "4 processes read 2 shards" in caplog.text


def test_a_clip_is_the_one_that_the_cache_would_hold(tone_shards):
    stream, collection = load_shards(tone_shards / "parquet")
    cached, _ = cache_audio(collection.dataset, RATE)
    tested = index_shards([str(tone_shards / "parquet" / "test-00000.parquet")], Columns())
    batches = ClipStream(
        tested, ClipTransform(RATE), list, batch_size=9, process=(0, 1), seed=0, skipped=tone_shards / "skipped"
    )
    (rows,) = batches
    streamed = {row["input_values"].tobytes(): row["labels"] for row in rows}
    plain = ClipTransform(RATE)(cached[:])
    wanted = {clip.tobytes(): label for clip, label in zip(plain["input_values"], plain["labels"], strict=True)}
    assert streamed == wanted and stream.names == cached.features["label"].names


@settings(max_examples=40, deadline=None)
@given(sizes=st.lists(st.integers(1, 50), max_size=40), bound=st.integers(1, 200), seed=st.integers(0, 5))
def test_the_buffer_holds_no_more_bytes_than_it_may(sizes, bound, seed):
    inside, most = 0, 0

    def rows():
        nonlocal inside, most
        for number, size in enumerate(sizes):
            inside += size
            most = max(most, inside - size)  # before this one came
            yield Row(str(number), number, bytes(size), "a", "")

    drawn = []
    for row in shuffle(rows(), bound, np.random.default_rng(seed)):
        inside -= len(row.audio)
        drawn.append(row.number)
    assert sorted(drawn) == list(range(len(sizes)))
    assert most <= bound


@pytest.mark.parametrize("workers", [0, 2])
def test_broken_rows_are_noted_once_and_others_come_in_their_place(tmp_path, workers):
    split = write_shards(tmp_path, numbered(24, broken=(3, 4, 17)), [6, 6, 6, 6])
    stream = make_stream(split, tmp_path, 4)
    for number in (0, 1):
        rows = list(chain(*epoch(stream, workers, number)))
        assert len(rows) == 24 and set(rows) == set(range(24)) - {3, 4, 17}
    skipped = stream.describe_skipped()
    assert [row["path"] for row in skipped] == sorted([f"{tmp_path}/{n // 6}.parquet#{n % 6}" for n in (3, 4, 17)])
    assert all("is not audio that libsndfile can decode" in row["reason"] for row in skipped)
    assert len((tmp_path / "skipped.jsonl").read_text().splitlines()) == 3
    other = {"path": "of another process", "reason": "broken"}
    stream.note_skipped([other, skipped[0]])
    assert len((tmp_path / "skipped.jsonl").read_text().splitlines()) == 4 and other in stream.read_skipped()


def test_a_shard_of_broken_rows_says_so_and_a_stream_of_them_ends(tmp_path):
    split = write_shards(tmp_path, numbered(12, broken=range(6)), [6, 6])
    stream = make_stream(split, tmp_path)
    epoch(stream)
    told = stream.describe_skipped()
    assert told[0] == {
        "path": f"{tmp_path}/0.parquet",
        "reason": f"None of the 6 rows of {tmp_path}/0.parquet can be used: write it again.",
    }
    assert len(told) == 7
    (tmp_path / "all").mkdir()
    hopeless = make_stream(write_shards(tmp_path / "all", numbered(6, broken=range(6)), [6]), tmp_path / "all")
    with pytest.raises(DataError, match="can be used: see above"):
        epoch(hopeless)
    with pytest.raises(DataError, match="--strict is on"):
        epoch(make_stream(split, tmp_path / "all", skipped=None))


def test_a_shard_that_breaks_off_after_it_was_counted_ends_no_run(tmp_path):
    split = write_shards(tmp_path, numbered(20), [10, 10], "tar")
    path = tmp_path / "0.tar"
    path.write_bytes(path.read_bytes()[:6000])
    stream = make_stream(split, tmp_path)
    rows = list(chain(*epoch(stream)))
    assert len(rows) == 20 and set(rows) >= set(range(10, 20))
    assert "breaks off while it is read" in stream.describe_skipped()[0]["reason"]


@pytest.mark.parametrize("workers", [0, 2])
def test_what_a_resumed_run_has_heard_is_not_decoded_again(tmp_path, monkeypatch, workers):
    split = write_shards(tmp_path, numbered(24, broken=(2, 9)), [12, 12])
    whole = epoch(make_stream(split, tmp_path, 4), workers, 3)
    stream = make_stream(split, tmp_path, 4)
    stream.pass_over(3, 4)
    decoded = torch.zeros((), dtype=torch.int64).share_memory_()
    decode = hf_audio.training.batching.shard_loader.decode_clip

    def count(*arguments):
        decoded.add_(1)
        return decode(*arguments)

    monkeypatch.setattr(hf_audio.training.batching.shard_loader, "decode_clip", count)
    assert epoch(stream, workers, 3) == [[], [], [], [], *whole[4:]]
    assert decoded <= 8 + 2
    assert all(len(batch) == 4 for batch in epoch(stream, workers, 4)), "the next epoch is a whole one"


@pytest.fixture
def broken_shards(tone_shards, tmp_path):
    """A copy of the Parquet shards with a further one, of whose rows two are broken."""
    folder = tmp_path / "shards"
    folder.mkdir()
    for shard in (tone_shards / "parquet").iterdir():
        (folder / shard.name).write_bytes(shard.read_bytes())
    rows = numbered(4, broken=(0, 3))
    write_parquet(folder / "train-00003.parquet", [(content, name, "low") for content, name, _ in rows])
    return folder


def train(recipe, data_dir, out, **changes) -> dict:
    """A run in this process; returns its results."""
    defaults = {
        "seed": 1,
        "bf16": False,
        "use_cpu": True,
        "disable_tqdm": True,
        "report_to": "none",
        "dataloader_num_workers": 0,
        "num_train_epochs": 20,
    }
    args = tones_recipe.TonesArguments(data_dir=str(data_dir), output_dir=str(out), **{**defaults, **changes})
    train_task(args, recipe.make_task(args))
    return results(out)


@pytest.mark.slow
def test_a_stream_teaches_what_decoded_clips_teach(tones, tone_shards, tmp_path):
    decoded = train(tones_recipe, tones, tmp_path / "decoded")
    for kind, balance in (("parquet", "none"), ("tar", "loss")):
        streamed = train(streamed_tones, tone_shards / kind, tmp_path / kind, balance=balance)
        assert (streamed["train_samples"], streamed["eval_samples"]) == (27, 9)
        beside = {key for key in decoded if "rival" in key}  # it takes all clips at once
        assert beside and set(streamed) == set(decoded) - beside and streamed["labels"] == decoded["labels"]
        assert min(streamed["eval_accuracy"], decoded["eval_accuracy"]) > 0.7, "three tones apart should be learnt"
        assert not [file.name for file in (tmp_path / kind).iterdir() if file.name.startswith(".")]


@pytest.mark.parametrize(
    ("accumulated", "step"), [pytest.param(1, 4, marks=pytest.mark.exhaustive), (2, 3)]
)  # of three batches
def test_resumed_in_the_middle_of_an_epoch_it_ends_with_the_same_weights(broken_shards, tmp_path, accumulated, step):
    options = {
        "num_train_epochs": 2,
        "gradient_accumulation_steps": accumulated,
        "save_strategy": "steps",
        "save_steps": step,
        "save_total_limit": None,
        "ema_decay": 0.8,
    }
    whole = train(streamed_tones, broken_shards, tmp_path / "whole", **options)
    resume = {"resume_from_checkpoint": str(tmp_path / "whole" / f"checkpoint-{step}")}
    resumed = train(streamed_tones, broken_shards, tmp_path / "resumed", **resume, **options)
    assert (resumed["train_samples"], resumed["skipped_samples"]) == (29, 2)
    assert (whole["train_samples"], whole["skipped_samples"]) == (29, 2)
    torch.testing.assert_close(weights(tmp_path / "resumed"), weights(tmp_path / "whole"), atol=0, rtol=0)


@pytest.mark.slow
def test_two_processes_train_on_a_stream_and_end_together(broken_shards, environment, tmp_path):
    flags = ["--num_train_epochs", "2", "--per_device_train_batch_size", "5", "--dataloader_num_workers", "1"]
    fork_two(
        environment,
        broken_shards,
        tmp_path / "out",
        *flags,
        *("--save_strategy", "epoch", "--save_total_limit", "1"),
        make_task=streamed_tones.make_task,
    )
    told = results(tmp_path / "out")
    assert (told["epoch"], told["train_samples"], told["skipped_samples"], told["eval_samples"]) == (2, 29, 2, 9)
    state = json.loads((tmp_path / "out" / "checkpoint-6" / "trainer_state.json").read_text())
    noted = state["stateful_callbacks"]["_ClipsCallback"]["attributes"]["skipped"]
    assert [row["path"].rpartition("/")[2] for row in noted] == ["train-00003.parquet#0", "train-00003.parquet#3"], (
        "of both processes, for whoever goes on"
    )


def test_what_a_stream_cannot_do_is_refused_in_a_sentence(tone_shards, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(tones_recipe, "make_task", streamed_tones.make_task)
    for flags, sentence in {
        ("--balance", "sampler"): "--balance sampler chooses among all clips",
        ("--baseline",): "--baseline takes statistics of all clips",
        ("--pseudo_labels", "guessed.csv"): "--pseudo_labels adds files to a table",
    }.items():
        assert sentence in refused(tone_shards / "parquet", tmp_path / "out", *flags, capsys=capsys)
    assert not (tmp_path / "out").exists()


def test_broken_rows_of_a_run_are_listed_beside_it(tone_shards, tmp_path):
    for part in ("train", "test"):
        for shard in (tone_shards / "parquet").glob(f"{part}-*"):
            (tmp_path / "shards").mkdir(exist_ok=True)
            (tmp_path / "shards" / shard.name).write_bytes(shard.read_bytes())
    bad = numbered(4, broken=range(4))
    write_parquet(tmp_path / "shards" / "train-00003.parquet", [(content, name, "low") for content, name, _ in bad])
    (tmp_path / "shards" / "train-00004.parquet").write_bytes(b"no shard")
    told = train(
        streamed_tones, tmp_path / "shards", tmp_path / "out", num_train_epochs=1, per_device_train_batch_size=31
    )
    assert told["train_samples"] == 27 and told["skipped_samples"] == 6
    listed = (tmp_path / "out" / "skipped.csv").read_text()
    assert "train-00003.parquet#2" in listed and "None of the 4 rows" in listed
    assert "train-00004.parquet cannot be read" in listed


def test_a_validation_shard_chooses_the_epoch(tone_shards, tmp_path):
    folder = tmp_path / "shards"
    folder.mkdir()
    for shard in (tone_shards / "parquet").iterdir():
        (folder / shard.name).write_bytes(shard.read_bytes())
    options = {"validation_fraction": 0.2, "load_best_model_at_end": True, "num_train_epochs": 2}
    with pytest.raises(ValueError, match="--validation_fraction splits off clips"):
        train(streamed_tones, folder, tmp_path / "none", **options)
    (folder / "validation-00000.parquet").write_bytes((folder / "test-00000.parquet").read_bytes())
    train(streamed_tones, folder, tmp_path / "out", **options)
    assert "on the validation split" in (tmp_path / "out" / "README.md").read_text()
    assert load_shards(folder)[1].rows(TEST).sum() == 9
