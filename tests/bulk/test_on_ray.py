"""`predict --engine ray` on a Ray of this machine: workers that are killed, drivers that are killed, broken files."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import fsspec
import pandas as pd
import pyarrow as pa
import pytest
import soundfile
from helpers.recordings import RATE, tone

import hf_audio
from hf_audio.bulk import on_ray
from hf_audio.errors import ArgumentError, DataError, MissingExtraError

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def ray():
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()


@pytest.fixture
def clips(tmp_path) -> Path:
    """Some tones, of which one is broken."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for number in range(40):
        soundfile.write(folder / f"{number:02}.wav", tone(300 + 60 * number, 0.5), RATE)
    (folder / "17.wav").write_bytes(b"no sound")
    return folder


def read(folder: Path) -> pd.DataFrame:
    return pd.concat([pd.read_parquet(part) for part in sorted(folder.glob("*.parquet"))], ignore_index=True)


def as_one_process(checkpoint, clips) -> pd.DataFrame:
    return hf_audio.predict(checkpoint, [clips], num_workers=0)


def test_a_worker_that_is_killed_costs_time_alone(ray, checkpoint, clips, tmp_path, monkeypatch):
    monkeypatch.setattr(on_ray, "FEWEST_CLIPS", 4)
    killed = tmp_path / "killed"
    monkeypatch.setenv("HF_AUDIO_TEST_KILLED", str(killed))
    call = on_ray._Worker.__call__

    class Dying(on_ray._Worker):
        """Dies once by SIGKILL, in the middle of its work."""

        def __call__(self, batch):
            if batch["piece"][0].number == 3 and not killed.exists():
                killed.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return call(self, batch)

    monkeypatch.setattr(on_ray, "_Worker", Dying)
    hf_audio.predict(checkpoint, [clips], output=tmp_path / "out", engine="ray")
    assert killed.exists()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"part-{number:05d}-of-00010.parquet" for number in range(10)
    ]
    pd.testing.assert_frame_equal(read(tmp_path / "out"), as_one_process(checkpoint, clips), rtol=0, atol=2e-6)


def test_a_killed_driver_goes_on_and_judges_no_part_twice(ray, checkpoint, clips, tmp_path, monkeypatch):
    monkeypatch.setattr(on_ray, "FEWEST_CLIPS", 4)
    output = tmp_path / "out"
    judged, stopped = on_ray._judged, []

    def break_off(*given):
        for place, number in enumerate(judged(*given)):
            yield number
            if place == 4 and not stopped:
                stopped.append(place)
                raise KeyboardInterrupt

    monkeypatch.setattr(on_ray, "_judged", break_off)
    with pytest.raises(KeyboardInterrupt):
        hf_audio.predict(checkpoint, [clips], output=output, engine="ray")
    time.sleep(0.5)  # workers end what they have begun
    times = {part.name: part.stat().st_mtime_ns for part in output.glob("*.parquet")}
    assert len(times) >= 5
    with pytest.raises(DataError, match=r"parts of a run that did not end: go on with --resume"):
        hf_audio.predict(checkpoint, [clips], output=output, engine="ray")
    with pytest.raises(DataError, match="was begun with other --top_k"):
        hf_audio.predict(checkpoint, [clips], output=output, engine="ray", top_k=2, resume=True)
    hf_audio.predict(checkpoint, [clips], output=output, engine="ray", resume=True)
    assert {name: (output / name).stat().st_mtime_ns for name in times} == times
    pd.testing.assert_frame_equal(read(output), as_one_process(checkpoint, clips), rtol=0, atol=2e-6)
    with pytest.raises(DataError, match="parts of another run"):
        hf_audio.predict(checkpoint, [clips], output=output, engine="ray")


def test_shards_are_read_row_group_by_row_group(ray, checkpoint, clips, tmp_path):
    shards = tmp_path / "shards"
    shards.mkdir()
    files = sorted(clips.iterdir())[:20]
    rows = [{"bytes": file.read_bytes(), "path": file.name} for file in files]
    table = pa.table({"audio": rows, "n": list(range(20))})
    pa.parquet.write_table(table, shards / "a.parquet", row_group_size=8)
    (shards / "broken.parquet").write_bytes(b"no shard")
    hf_audio.predict(checkpoint, [shards], output=tmp_path / "out", engine="ray")
    told = read(tmp_path / "out")
    expected = as_one_process(checkpoint, clips)[:20]
    assert told["n"].tolist() == [*map(str, range(20)), ""] and told["path"].tolist()[:20] == [f.name for f in files]
    assert told["label"][:20].tolist() == expected["label"].tolist()
    assert told["error"][20].startswith(f"{shards / 'broken.parquet'} is damaged")
    assert len(list((tmp_path / "out").iterdir())) == 4


def test_rows_of_one_name_are_clips_of_their_own(tmp_path):
    def look_through(**further):
        rows = {"path": ["a.wav"] * 3, "error": [None, None, "it is broken"], **further}
        pa.parquet.write_table(pa.table(rows), tmp_path / "part.parquet")
        return on_ray._look_through([tmp_path / "part.parquet"])

    broken = [{"path": "a.wav", "reason": "it is broken"}]
    assert look_through() == (3, broken)
    assert look_through(start=[0.0, 0.5, None]) == (2, broken)  # two windows of one


def test_a_folder_of_a_store_may_have_a_dot_in_its_name():
    memory = fsspec.filesystem("memory")
    memory.pipe({"/v1.2/a.parquet": b"", "/v1.2/b.tar": b"", "/sounds.d/a.wav": b"", "/sounds.d/a.tar": b""})
    try:
        assert on_ray._find_shards("memory://v1.2") == ["memory://v1.2/a.parquet", "memory://v1.2/b.tar"]
        assert on_ray._find_shards("memory://v1.2/b.tar") == ["memory://v1.2/b.tar"]
        others = ("memory://sounds.d", "memory://v1.2/a.wav", "memory://v1.2/t.csv", "memory://v1.2/*")
        assert not any(map(on_ray._find_shards, others))
    finally:
        memory.store.clear()


def test_what_cannot_be_is_one_sentence(checkpoint, clips, tmp_path, monkeypatch):
    with pytest.raises(DataError, match="Parquet parts are written, so name a folder"):
        hf_audio.predict(checkpoint, [clips], output=tmp_path / "a.csv", engine="ray")
    with pytest.raises(ArgumentError, match="Without --output nothing is kept"):
        hf_audio.predict(checkpoint, [clips], engine="ray")
    with pytest.raises(ArgumentError, match=r"--address ray://x is of a Ray cluster: add --engine ray\."):
        hf_audio.predict(checkpoint, [clips], output=tmp_path / "a.csv", address="ray://x")
    pa.parquet.write_table(pa.table({"audio": [b"x"]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="clips holds no shards, and others do"):
        hf_audio.predict(checkpoint, [tmp_path / "a.parquet", clips], output=tmp_path / "out", engine="ray")
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(is_initialized=lambda: False))
    with pytest.raises(DataError, match=r"No Ray cluster answers at 127\.0\.0\.1:1 .*start one with ray start --head"):
        hf_audio.predict(checkpoint, [clips], output=tmp_path / "out", engine="ray", address="127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'hf-audio\[ray\]'"):
        hf_audio.predict(checkpoint, [clips], output=tmp_path / "out", engine="ray")


@pytest.mark.exhaustive
def test_a_driver_that_is_killed_and_a_cluster_that_is_not_there(ray, checkpoint, clips, tmp_path):
    output = tmp_path / "out"
    argv = ["predict", str(checkpoint), str(clips), "--output", str(output), "--engine", "ray"]
    code = "from hf_audio.bulk import on_ray; on_ray.FEWEST_CLIPS = 2; from hf_audio import cli; cli.main()"
    process = subprocess.Popen([sys.executable, "-c", code, *argv], env=ENVIRONMENT)
    end = time.monotonic() + 300
    while len(list(output.glob("*.parquet"))) < 3:
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    before = len(list(output.glob("*.parquet")))
    done = subprocess.run([sys.executable, "-c", code, *argv, "--resume"], env=ENVIRONMENT, check=False)
    assert done.returncode == 0 and before < 20 == len(list(output.iterdir()))
    pd.testing.assert_frame_equal(read(output), as_one_process(checkpoint, clips), rtol=0, atol=2e-6)
    gone = [*argv[:-3], str(tmp_path / "other"), "--engine", "ray", "--address", "127.0.0.1:1"]
    done = subprocess.run(
        [sys.executable, "-m", "hf_audio.cli", *gone], env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and "error: No Ray cluster answers at 127.0.0.1:1" in done.stderr
    assert json.dumps(done.stderr).count("Traceback") == 0
