"""Archives of a Zenodo record, fetched from a server on this machine that breaks off, lies and forgets."""

import errno
import hashlib
import io
import json
import random
import re
import shutil
import socket
import stat
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from hf_audio.corpora import download
from hf_audio.corpora.download import fetch_zenodo
from hf_audio.errors import DataError

WAV = random.Random(0).randbytes(200_000)


def zipped(members: dict[str, bytes], link: str | None = None) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            if name == link:
                info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, content, zipfile.ZIP_DEFLATED)
    return file.getvalue()


class Zenodo(ThreadingHTTPServer):
    """Record 7 and its files; `sent` notes, for every file asked for, its name, the first byte and the bytes sent."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.api = f"http://127.0.0.1:{self.server_port}/api/records"
        self.files = {"train.zip": zipped({"train/a.wav": WAV}), "meta.zip": zipped({"list.csv": b"a.wav,Bark\n"})}
        self.served: dict[str, bytes] = {}  # instead of what the record promises
        self.break_after: list[int] = []  # bytes, for the next answers
        self.ranges = True
        self.asked = 0
        self.sent: list[tuple[str, int, int]] = []

    def fetch(self, *names: str) -> Path:
        return fetch_zenodo(7, names or ("train.zip", "meta.zip"), api=self.api)

    def record(self) -> bytes:
        files = [
            {
                "key": name,
                "size": len(content),
                "checksum": f"md5:{hashlib.md5(content).hexdigest()}",
                "links": {"self": f"{self.api}/7/files/{name}/content"},
            }
            for name, content in self.files.items()
        ]
        return json.dumps({"id": 7, "files": files}).encode()


class Handler(BaseHTTPRequestHandler):
    server: Zenodo

    def do_GET(self):
        zenodo = self.server
        zenodo.asked += 1
        assert self.headers["User-Agent"] == "hf_audio"
        if self.path == "/api/records/7":
            self.answer(200, zenodo.record())
            return
        found = re.fullmatch(r"/api/records/7/files/(.+)/content", self.path)
        if not found:
            self.answer(404, b"no such record")
            return
        name = found[1]
        content = zenodo.served.get(name, zenodo.files[name])
        asked_range = self.headers["Range"] if zenodo.ranges else None
        start = int(asked_range.removeprefix("bytes=").removesuffix("-")) if asked_range else 0
        if start and start >= len(content):
            self.answer(416, b"")
            return
        end = start + zenodo.break_after.pop(0) if zenodo.break_after else len(content)
        zenodo.sent.append((name, start, len(content[start:end])))
        self.answer(206 if asked_range else 200, content[start:], end - start)

    def answer(self, status: int, content: bytes, sent: int | None = None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:sent])

    def log_message(self, *_):
        pass


@pytest.fixture
def zenodo(monkeypatch):
    monkeypatch.setattr(download, "WAIT_SECONDS", 0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Zenodo()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """Deep enough that what climbs out of it is still found in `tmp_path`."""
    folder = tmp_path / "a" / "b" / "c"
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", folder)
    return folder


def everything(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}


# --- fetching --------------------------------------------------------------------------------------------------------


def test_archives_are_fetched_and_unpacked_and_leave_nothing_else(zenodo):
    folder = zenodo.fetch()
    assert everything(folder) == {"train/a.wav", "meta/list.csv"}
    assert (folder / "train" / "a.wav").read_bytes() == WAV


def test_the_second_call_asks_nobody_and_a_third_only_for_what_is_new(zenodo):
    folder = zenodo.fetch("meta.zip")
    zenodo.asked = 0
    assert zenodo.fetch("meta.zip") == folder and zenodo.asked == 0
    zenodo.sent.clear()
    zenodo.fetch()
    assert [name for name, *_ in zenodo.sent] == ["train.zip"]


def test_a_connection_that_breaks_off_is_gone_on_with(zenodo):
    size = len(zenodo.files["train.zip"])
    zenodo.break_after = [100_000, 50_000]
    folder = zenodo.fetch("train.zip")
    assert (folder / "train" / "a.wav").read_bytes() == WAV
    assert zenodo.sent == [
        ("train.zip", 0, 100_000),
        ("train.zip", 100_000, 50_000),
        ("train.zip", 150_000, size - 150_000),
    ]


def test_a_run_that_gave_up_is_gone_on_with_by_the_next(zenodo, cache):
    zenodo.break_after = [1000] * download.ATTEMPTS
    with pytest.raises(DataError, match=r"got 5000 of the \d+ bytes of .*train\.zip.*broke off.*run the same command"):
        zenodo.fetch("train.zip")
    assert len(everything(cache)) == 1
    zenodo.sent.clear()
    zenodo.fetch("train.zip")
    assert zenodo.sent == [("train.zip", 5000, len(zenodo.files["train.zip"]) - 5000)]


def test_a_server_without_ranges_sends_all_again(zenodo):
    zenodo.ranges = False
    zenodo.break_after = [1000]
    assert (zenodo.fetch("train.zip") / "train" / "a.wav").read_bytes() == WAV
    assert zenodo.sent[1] == ("train.zip", 0, len(zenodo.files["train.zip"]))


def test_a_part_that_is_whole_is_only_checked(zenodo, cache):
    part = cache / "hf_audio" / "downloads" / "zenodo-7" / "train.zip.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(zenodo.files["train.zip"])
    zenodo.fetch("train.zip")
    assert zenodo.sent == [] and everything(part.parent) == {"train/a.wav"}


def test_a_server_with_less_than_the_part_makes_it_start_anew(zenodo):
    zenodo.break_after = [1000] * download.ATTEMPTS
    with pytest.raises(DataError):
        zenodo.fetch("train.zip")
    zenodo.served["train.zip"] = b"short"
    with pytest.raises(DataError, match="got 5 of"):
        zenodo.fetch("train.zip")


def test_wrong_bytes_are_noticed_and_fetched_again(zenodo, cache):
    right = zenodo.files["train.zip"]
    zenodo.served["train.zip"] = right[:500] + bytes([right[500] ^ 1]) + right[501:]
    with pytest.raises(DataError, match=r"^train\.zip did not arrive as Zenodo has it.*run the same command again\.$"):
        zenodo.fetch("train.zip")
    assert everything(cache) == set()
    zenodo.served.clear()
    assert (zenodo.fetch("train.zip") / "train" / "a.wav").read_bytes() == WAV


def test_names_and_records_that_are_not_there(zenodo):
    with pytest.raises(DataError, match=r"has no file 'gone\.zip', only train\.zip, meta\.zip"):
        zenodo.fetch("train.zip", "gone.zip")
    assert zenodo.sent == []
    with pytest.raises(DataError, match=r"could not ask .*/8 .*404.*--data_dir"):
        fetch_zenodo(8, ["train.zip"], api=zenodo.api)


@pytest.mark.parametrize(
    "answer", [b"<html>Sign in to the airport</html>", b"[]", b'{"files": [{"key": "train.zip"}]}']
)
def test_an_answer_that_is_no_record(zenodo, monkeypatch, answer):
    monkeypatch.setattr(zenodo, "record", lambda: answer)
    with pytest.raises(DataError, match=r"does not answer with a record.*--data_dir"):
        zenodo.fetch()


def test_without_a_network_one_sentence_says_what_to_do(zenodo, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(DataError, match=r"could not ask .*refused.*by hand and pass --data_dir\.$"):
        fetch_zenodo(7, ["train.zip"], api=nobody)
    record = zenodo.record().replace(zenodo.api.encode(), nobody.encode())
    monkeypatch.setattr(zenodo, "record", lambda: record)
    with pytest.raises(DataError, match=r"got 0 of .*refused.*run the same command again.*pass --data_dir\.$"):
        zenodo.fetch()


# --- unpacking -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["../../out", "a/../../out", "/tmp/hf_audio_out", "C:/out", "C:out", "..\\out", "\\\\host\\share\\out", "link"],
)
def test_archives_that_lead_out_of_their_folder_are_not_unpacked(zenodo, cache, tmp_path, name):
    zenodo.files["evil.zip"] = zipped({"evil/good.wav": WAV, name: b"/etc/passwd"}, link="link")
    says = rf"evil\.zip holds {re.escape(repr(name))}, which leads out .*--data_dir"
    with pytest.raises(DataError, match=says):
        zenodo.fetch("evil.zip")
    archive = cache / "hf_audio" / "downloads" / "zenodo-7" / "evil.zip"
    assert [tmp_path / path for path in everything(tmp_path)] == [archive]
    assert not (archive.parent / "evil").exists() and not Path("/tmp/hf_audio_out").exists()
    zenodo.asked = 0
    with pytest.raises(DataError, match=says):
        zenodo.fetch("evil.zip")
    assert zenodo.asked == 0


def test_archives_that_would_fill_the_disk_are_not_unpacked(zenodo, cache):
    zenodo.files["zeros.zip"] = zipped({"zeros/a.wav": bytes(1_000_000)})
    with pytest.raises(DataError, match=r"zeros\.zip would unpack to .* 100 times"):
        zenodo.fetch("zeros.zip")
    assert {Path(path).name for path in everything(cache)} == {"zeros.zip"}


def test_damaged_archives_are_deleted_and_fetched_again(zenodo, cache):
    right = zenodo.files["train.zip"]
    for wrong in (b"no zip at all", right[:5000], right[:500] + bytes([right[500] ^ 1]) + right[501:]):
        zenodo.files["train.zip"] = wrong
        with pytest.raises(DataError, match=r"train\.zip cannot be unpacked \(.+\) and is deleted: run the same"):
            zenodo.fetch("train.zip")
        assert everything(cache) == set()
    zenodo.files["train.zip"] = right
    assert (zenodo.fetch("train.zip") / "train" / "a.wav").read_bytes() == WAV


def test_what_a_killed_run_has_unpacked_is_not_taken_for_whole(zenodo, cache):
    half = cache / "hf_audio" / "downloads" / "zenodo-7" / "train.unpacking" / "train" / "half.wav"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"half")
    assert everything(zenodo.fetch("train.zip")) == {"train/a.wav"}


# --- the disk --------------------------------------------------------------------------------------------------------


def disk_of(free: int):
    return lambda _: SimpleNamespace(free=free)


def test_a_disk_too_small_is_noticed_before_anything_is_fetched(zenodo, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", disk_of(300_000))
    with pytest.raises(DataError, match=r"zenodo-7 needs 0\.0 GB and has 0\.0 GB free: make room"):
        zenodo.fetch("train.zip")
    assert zenodo.sent == []
    monkeypatch.setattr(shutil, "disk_usage", disk_of(500_000))
    zenodo.fetch("train.zip")


def test_a_disk_too_small_for_the_contents_keeps_the_archive(zenodo, monkeypatch):
    zenodo.files["train.zip"] = zipped({"train/a.wav": 50 * WAV[:20_000]})
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", disk_of(900_000))
        with pytest.raises(DataError, match=r"needs .* free: make room"):
            zenodo.fetch("train.zip")
    zenodo.asked = 0
    assert everything(zenodo.fetch("train.zip")) == {"train/a.wav"}
    assert zenodo.asked == 0


def test_a_disk_that_fills_up_while_unpacking_leaves_nothing_half_written(zenodo, cache, monkeypatch):
    def extract(self, member, folder):
        (folder / "half.wav").write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(zipfile.ZipFile, "extract", extract)
        with pytest.raises(DataError, match=r"zenodo-7 cannot be written \(No space left on device\): make room"):
            zenodo.fetch("train.zip")
    assert {Path(path).name for path in everything(cache)} == {"train.zip"}
    zenodo.asked = 0
    assert everything(zenodo.fetch("train.zip")) == {"train/a.wav"}
    assert zenodo.asked == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_disk_that_fills_up_while_fetching(zenodo, cache):
    part = cache / "hf_audio" / "downloads" / "zenodo-7" / "train.zip.part"
    part.parent.mkdir(parents=True)
    part.symlink_to("/dev/full")
    with pytest.raises(DataError, match=r"zenodo-7 cannot be written \(No space left on device\): make room"):
        zenodo.fetch("train.zip")
    assert len(zenodo.sent) == 1


def test_a_cache_that_cannot_be_made(zenodo, cache):
    cache.parent.mkdir(parents=True)
    cache.write_text("a file and no folder")
    with pytest.raises(DataError, match=r"cannot be written \(Not a directory\)"):
        zenodo.fetch()
