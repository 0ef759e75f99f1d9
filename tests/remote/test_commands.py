"""Commands that read from stores and write into them: slow, broken and forbidden ones, and ones that are gone."""

import io
import json
import logging
import re
from pathlib import Path
from typing import ClassVar

import fsspec
import pandas as pd
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import _registry
from helpers.recordings import encoded, tone, write_parquet, write_tar

import hf_audio
from hf_audio.bulk import tagger as tagger_module
from hf_audio.bulk.scoring import judge_clips
from hf_audio.data.shard_rows import read_block, read_sounds
from hf_audio.data.shards import find_shards, load_shards
from hf_audio.data.tables.columns import Columns
from hf_audio.errors import ArgumentError, DataError
from hf_audio.folders import search_folder
from hf_audio.remote.addresses import public_name
from hf_audio.remote.claims import claimed
from hf_audio.remote.writing import check_output


def test_predict_reads_folders_tables_and_patterns_of_a_store_and_writes_into_it(memory, checkpoint, tmp_path):
    for name in ("dog/a.wav", "dog/b.flac", "cat/c.wav", ".hidden/d.wav", "cat/readme.txt"):
        memory.pipe(f"/b/{name}", encoded(tone(300 + len(name)), format="FLAC" if "flac" in name else "WAV"))
    memory.pipe("/b/cat/e.wav", b"no sound")
    (tmp_path / "local").mkdir()
    for name in ("dog/a.wav", "dog/b.flac", "cat/c.wav", "cat/e.wav"):
        (tmp_path / "local" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "local" / name).write_bytes(memory.cat(f"/b/{name}"))
    here = hf_audio.predict(checkpoint, [tmp_path / "local"], num_workers=0)
    there = hf_audio.predict(checkpoint, ["memory://b"], num_workers=0)
    assert there["path"].tolist() == [
        f"memory://b/{name}" for name in ("cat/c.wav", "cat/e.wav", "dog/a.wav", "dog/b.flac")
    ]
    assert there[["label", "confidence"]].equals(here[["label", "confidence"]])
    assert there["error"][1].startswith("memory://b/cat/e.wav is not audio that libsndfile can decode")

    memory.pipe("/b/t.csv", b"path,label\ndog/a.wav,dog\nmemory://b/cat/c.wav,cat\n")
    output = hf_audio.predict(checkpoint, ["memory://b/t.csv"], output="memory://b/out/a.csv", num_workers=0)
    table = pd.read_csv(io.BytesIO(memory.cat("/b/out/a.csv")))
    assert str(output) == "memory://b/out/a.csv" and table["true_label"].tolist() == ["dog", "cat"]
    assert table["confidence"].tolist() == pytest.approx(there["confidence"].tolist()[2::-2])
    (tmp_path / "t.csv").write_text("path\na.wav\n")
    mixed = hf_audio.predict(checkpoint, [tmp_path / "t.csv"], audio_dir="memory://b/dog", num_workers=0)
    assert mixed["path"].tolist() == ["memory://b/dog/a.wav"] and mixed["error"].isna().all()
    pattern = hf_audio.predict(checkpoint, ["memory://b/*/*.flac"], num_workers=0)
    assert pattern["path"].tolist() == ["memory://b/dog/b.flac"]
    hidden = hf_audio.predict(checkpoint, ["memory://b/.hidden"], num_workers=0)
    assert hidden["path"].tolist() == ["memory://b/.hidden/d.wav"]
    hf_audio.embed(checkpoint, ["memory://b/dog"], output="memory://b/out", num_workers=0)
    assert memory.find("/b/out") == ["/b/out/a.csv", "/b/out/part-00000-of-00001.parquet"]
    with pytest.raises(ArgumentError, match="is what is read, and would be replaced"):
        hf_audio.predict(checkpoint, ["memory://b/t.csv"], output="memory://b/t.csv")
    with pytest.raises(DataError, match=r"--output memory://b/a\.csv holds credentials"):
        hf_audio.predict(checkpoint, ["memory://b/dog"], output="memory://me:word@b/a.csv")


class AzureInMemory(MemoryFileSystem):
    """Takes addresses apart as adlfs does: what lies before an @ is a container, what behind it an account."""

    protocol = ("abfs", "abfss", "az")
    store: ClassVar[dict] = {}
    pseudo_dirs: ClassVar[list] = [""]

    def __init__(self, account_name=None, **options):
        super().__init__(**options)
        assert account_name == "acme", "as without AZURE_STORAGE_ACCOUNT_NAME in the environment"

    @classmethod
    def _strip_protocol(cls, path):
        if path.startswith(tuple(f"{scheme}://" for scheme in cls.protocol)):
            host, slash, rest = path.partition("://")[2].partition("/")
            path = host.partition("@")[0] + slash + rest
        return "/" + path.strip("/")

    @staticmethod
    def _get_kwargs_from_urls(path):
        found = re.match(r"[^/]+://[^/@]+@(.+?)\.dfs\.core\.windows\.net", path)
        return {"account_name": found[1]} if found else {}


def test_what_lies_before_an_at_is_a_container_of_azure_and_no_user(checkpoint, monkeypatch):
    monkeypatch.setattr("hf_audio.remote.retries.PAUSE", 0.0)
    monkeypatch.setattr("hf_audio.remote.claims.PAUSE", 0.0)
    for scheme in AzureInMemory.protocol:
        monkeypatch.setitem(_registry, scheme, AzureInMemory)
    root = "abfs://sounds@acme.dfs.core.windows.net"
    system, _ = fsspec.url_to_fs(root)
    system.pipe({"/sounds/dog/a.wav": encoded(tone(300)), "/sounds/dog/b.wav": encoded(tone(400))})
    output = hf_audio.predict(checkpoint, [f"{root}/dog"], output=f"{root}/out/a.csv", num_workers=0)
    table = pd.read_csv(io.BytesIO(system.cat("/sounds/out/a.csv")))
    assert (str(output), table["path"].tolist()) == (f"{root}/out/a.csv", [f"{root}/dog/a.wav", f"{root}/dog/b.wav"])
    assert hf_audio.predict(checkpoint, [f"{root}/dog/*b.wav"], num_workers=0)["path"].tolist() == [
        f"{root}/dog/b.wav"
    ]
    with (
        claimed(f"{root}/b.csv"),
        pytest.raises(DataError, match=f"^{root}/b.csv is being written"),
        claimed(f"{root}/b.csv"),
    ):
        pass
    with pytest.raises(DataError, match=r"^abfss://other@acme\.dfs\.core\.windows\.net is not there"):
        check_output("abfss://other@acme.dfs.core.windows.net/a.csv")
    with pytest.raises(DataError, match=r"^--output abfs://acme\.dfs\.core\.windows\.net/a\.csv holds credentials"):
        check_output("abfs://sounds:word@acme.dfs.core.windows.net/a.csv")
    assert public_name("https://me:w@rd@host/a.wav") == "https://host/a.wav"
    assert (
        str(DataError("https://me:w@rd@host/a, gs://me@b/c, az://c@a.net/d"))
        == "https://host/a, gs://b/c, az://c@a.net/d"
    )


def test_a_run_that_broke_off_goes_on_and_no_other_may_write_its_output(memory, checkpoint, monkeypatch):
    for number in range(40):
        memory.pipe(f"/b/{number:02}.wav", encoded(tone(300 + number, 0.1)))
    asked = []

    def judge(network, files, *others):
        asked.append(len(files))
        for number, judgement in enumerate(judge_clips(network, files, *others)):
            if len(asked) == 1 and number == 10:
                raise KeyboardInterrupt
            yield judgement

    monkeypatch.setattr(tagger_module, "judge_clips", judge)
    flags = {"output": "memory://b/out/a.jsonl", "num_workers": 0}
    with pytest.raises(KeyboardInterrupt):
        hf_audio.predict(checkpoint, ["memory://b"], **flags)
    assert memory.find("/b/out") == []
    memory.pipe("/b/out/a.jsonl.claim", b'{"run": "1", "host": "elsewhere", "process": 1, "time": 1e12}')
    with pytest.raises(DataError, match=r"memory://b/out/a\.jsonl is being written by another run, on elsewhere"):
        hf_audio.predict(checkpoint, ["memory://b"], resume=True, **flags)
    memory.pipe("/b/out/a.jsonl.claim", b'{"run": "1", "host": "elsewhere", "process": 1, "time": 1e9}')
    hf_audio.predict(checkpoint, ["memory://b"], resume=True, **flags)
    assert asked == [40, 30] and memory.find("/b/out") == ["/b/out/a.jsonl"]
    assert len(memory.cat("/b/out/a.jsonl").splitlines()) == 40


def test_inspect_and_shards_of_a_store(memory, tmp_path):
    for label in ("dog", "cat"):
        for number in range(3):
            memory.pipe(f"/b/{label}/{number}.wav", encoded(tone(300 + 50 * number, 0.3, seed=number)))
    memory.pipe("/b/dog/gone.wav", b"")
    found = hf_audio.inspect("memory://b", json="memory://out/r.json", groups=tmp_path / "g.csv")
    assert found.n_files == 7 and found.label_counts == {"label": {"dog": 4, "cat": 3}}
    assert "    dog/gone.wav: is empty" in str(found) and json.loads(memory.cat("/out/r.json"))["n_files"] == 7
    assert pd.read_csv(tmp_path / "g.csv")["path"].str.startswith("memory://b/").all()
    assert str(search_folder("memory://b/dog").audio[0]) == "memory://b/dog/0.wav"
    for name in ("train-0.tar", "data/validation/1.parquet", "train-1.tar", "training.tar.md5", "restraint.tar"):
        memory.pipe(f"/s/{name}", b"")
    assert find_shards("memory://s") == {
        "train": ["memory://s/train-0.tar", "memory://s/train-1.tar"],
        "test": ["memory://s/data/validation/1.parquet"],
    }
    rows = [(encoded(tone(300 + n, 0.1)), f"{n}.wav", ("low", "high")[n % 2]) for n in range(7)]
    for part in ("train", "test"):
        memory.pipe(f"/t/{part}-0.parquet", write_parquet(tmp_path / "t" / f"{part}-0.parquet", rows).read_bytes())
    tar = write_tar(tmp_path / "a.tar", rows)
    memory.pipe("/a.tar", tar.read_bytes())
    sounds = (list(read_sounds(address, 0)) for address in (str(tar), "memory://a.tar"))
    assert [[audio for _, audio, _ in found] for found in sounds] == [[audio for audio, _, _ in rows]] * 2
    (here, tested), (there, tested_there) = load_shards(tmp_path / "t"), load_shards("memory://t")
    assert (
        there.counts == here.counts and [block.shard for block in there.blocks] == ["memory://t/train-0.parquet"] * 2
    )
    blocks = zip(here.blocks, there.blocks, strict=True)
    for own, remote_one in blocks:
        audio, audio_there = ([row.audio for row in read_block(one, 0, 9, Columns())] for one in (own, remote_one))
        assert audio == audio_there and len(audio) == own.rows
    assert tested_there.dataset["label"] == tested.dataset["label"]
    with pytest.raises(DataError, match="has no train split among its shards"):
        find_shards("memory://s/data")


def test_a_real_s3_interface_with_errors_and_slow_answers(store, checkpoint, tmp_path, caplog, monkeypatch):
    names = [f"clips/{number:02}.wav" for number in range(12)]
    for number, name in enumerate(names):
        store.put(name, encoded(tone(300 + 100 * number, 0.5)))
        (tmp_path / Path(name).name).write_bytes(encoded(tone(300 + 100 * number, 0.5)))
    here = hf_audio.predict(checkpoint, [tmp_path], num_workers=0)
    store.requests.clear()
    store.delay, store.failures = 0.02, {"03.wav": 2, "prefix": 1}
    with caplog.at_level(logging.DEBUG):
        there = hf_audio.predict(checkpoint, ["s3://sounds/clips"], num_workers=0)
    pd.testing.assert_frame_equal(there.drop(columns="path"), here.drop(columns="path"), rtol=0, atol=2e-6)
    forked = hf_audio.predict(checkpoint, ["s3://sounds/clips"], num_workers=1)
    pd.testing.assert_frame_equal(forked, there, rtol=0, atol=2e-6)
    reads = [path for method, path in store.requests if path.endswith(".wav")]
    assert len(reads) == 2 * len(names) + 2  # one each time, and two that failed
    hf_audio.predict(checkpoint, ["s3://sounds/clips"], output="s3://sounds/out/a.parquet", num_workers=0)
    assert [key for key in store.list() if key.startswith("out")] == ["out/a.parquet"]
    written = pd.read_parquet(io.BytesIO(store.client.get_object(Bucket="sounds", Key="out/a.parquet")["Body"].read()))
    assert written["label"].tolist() == here["label"].tolist() and "verysecret" not in caplog.text
    store.forbidden = "05.wav"
    table = hf_audio.predict(checkpoint, ["s3://sounds/clips"], num_workers=0)
    assert table["error"].dropna().tolist() == [
        "s3://sounds/clips/05.wav cannot be read (it may not be used with these credentials): check the path."
    ]
    store.forbidden = "/sounds"
    with pytest.raises(DataError, match=r"^s3://sounds/clips cannot be searched \(it may not be used with these cred"):
        hf_audio.predict(checkpoint, ["s3://sounds/clips"])
    store.forbidden = ""
    store.failures = {"": 10_000}
    with pytest.raises(DataError, match=r"is not reached \(\w+, 4 times\)"):
        hf_audio.predict(checkpoint, ["s3://sounds/clips"])


def test_a_bucket_that_vanishes_ends_the_run_which_goes_on_when_it_is_back(store, checkpoint, monkeypatch):
    sounds = {f"{number:03}.wav": encoded(tone(300 + number, 0.1)) for number in range(150)}
    for name, sound in sounds.items():
        store.put(name, sound)
    asked = []

    def judge(network, files, *others):
        asked.append(len(files))
        for number, judgement in enumerate(judge_clips(network, files, *others)):
            if len(asked) == 1 and number == 10:
                store.drop()
            yield judgement

    monkeypatch.setattr(tagger_module, "judge_clips", judge)
    with pytest.raises(DataError, match=r"^s3://sounds is not there, or no longer: check its name\.$"):
        hf_audio.predict(checkpoint, ["s3://sounds"], output="s3://sounds/out/a.csv", num_workers=0)
    with pytest.raises(DataError, match="s3://sounds is not there"):
        hf_audio.predict(checkpoint, ["s3://sounds/x.wav"], output="s3://sounds/out/a.csv", num_workers=0)
    store.client.create_bucket(Bucket="sounds")
    for name, sound in sounds.items():
        store.put(name, sound)
    hf_audio.predict(checkpoint, ["s3://sounds"], output="s3://sounds/out/a.csv", num_workers=0, resume=True)
    assert asked[-1] < 150 and "out/a.csv" in store.list() and "out/a.csv.claim" not in store.list()


def test_detect_refuses_files_beside_recordings_of_a_store(memory, checkpoint):
    memory.pipe("/b/a.wav", encoded(tone(300)))
    with pytest.raises(DataError, match="--beside writes into folders of this machine"):
        hf_audio.detect(checkpoint, ["memory://b"], beside=".txt")


def test_reports_and_warnings_hold_no_credentials(memory, tmp_path, caplog):
    for number in range(4):
        memory.pipe(f"/me:secret@b/{number % 2}/{number}.wav", encoded(tone(300 + 50 * number, 0.3, seed=number)))
    memory.pipe("/me:secret@b/t.csv", b"path,label\n1/1.wav,dog\n0/0.wav,cat\n")
    found = hf_audio.inspect("memory://me:secret@b", json=tmp_path / "r.json", groups=tmp_path / "g.csv")
    texts = [str(found), *(file.read_text() for file in tmp_path.iterdir())]
    for part in ("train", "test"):
        sounds = [(encoded(tone(300, 0.1)), "a.wav", "low"), (encoded(tone(500, 0.1)), "b.wav", "high")]
        content = write_parquet(tmp_path / f"{part}-0.parquet", sounds).read_bytes()
        memory.pipe(f"/me:secret@s/{part}-0.parquet", content)
    memory.pipe("/me:secret@s/train-1.parquet", b"broken")
    with caplog.at_level(logging.WARNING):
        load_shards("memory://me:secret@s")
    assert "memory://s/train-1.parquet cannot be read" in caplog.text and "memory://b/t.csv" in texts[0]
    for source in ("memory://me:secret@b/1/1.wav", "memory://me:secret@gone?token=secret"):
        with pytest.raises(DataError) as refused:
            hf_audio.inspect(source)
        texts.append(str(refused.value))
    assert not [text for text in (*texts, caplog.text) if "secret" in text]


def test_cards_hold_no_credentials():
    from recipes.own_sounds import OwnSoundsArguments

    with pytest.raises(ArgumentError, match="--data_dir holds credentials"):
        OwnSoundsArguments(output_dir="x", data_dir="https://me:word@host/shards", streaming=True)
