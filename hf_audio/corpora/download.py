"""Official recordings: archives fetched once, those of Zenodo checked, and gone on with where they were broken off."""

import hashlib
import json
import shutil
import stat
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from pathlib import Path, PureWindowsPath
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import datasets
from tqdm.auto import tqdm

from ..errors import DataError

TIMEOUT_SECONDS = 60
ATTEMPTS = 5
# Longer after every failure: Zenodo turns those away who ask too often.
WAIT_SECONDS = 2
CHUNK_BYTES = 1 << 16
# No recordings compress like this, only archives that are made to fill the disk.
LARGEST_RATIO = 100


class RemoteFile(NamedTuple):
    """What Zenodo says about a file: bytes, "md5:" with the sum in hexadecimal, and where it is."""

    size: int
    checksum: str
    url: str


def fetch_zenodo(record: int, names: Sequence[str], *, api: str = "https://zenodo.org/api/records") -> Path:
    """The folder with the contents of a record's zip archives, kept in the `datasets` cache.

    The contents of `a.zip` are in its subfolder `a`; where that would only hold a further `a`, there is one of them.
    Of what is there already, nothing is fetched again. Two calls at a time would disturb each other.

    Args:
        record: the number at the end of the record's address.
        names: of the archives, each ending in `.zip`.
        api: where Zenodo's records are asked for.

    Raises:
        DataError: the record lacks a name, an archive cannot be fetched, is damaged or would write outside its
            folder, or the disk is full.
    """
    folder = Path(datasets.config.HF_DATASETS_CACHE) / "hf_audio" / "downloads" / f"zenodo-{record}"
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    to_fetch = [name for name in names if not (folder / name).exists() and not _target(folder / name).exists()]
    if to_fetch:
        files = _ask(record, to_fetch, api)
        sizes = [file.size for file in files.values()]
        there = sum(part.stat().st_size for name in files if (part := _part(folder / name)).exists())
        # The contents take as much as the archives or more, and beside them is the archive they come from.
        _check_space(folder, sum(sizes) + max(sizes) - there)
    for name in names:
        archive = folder / name
        if not _target(archive).exists():
            if not archive.exists():
                _download(files[name], archive)
            _unpack(archive)
        archive.unlink(missing_ok=True)
    return folder


def download_and_extract(url: str) -> Path:
    """The folder of an archive's contents, fetched with a progress bar and kept in the `datasets` cache.

    Raises:
        DataError: the archive cannot be fetched or unpacked.
    """
    try:
        return Path(datasets.DownloadManager().download_and_extract(url))
    except Exception as error:  # DownloadManager lets those of a dozen libraries through
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"--download could not fetch {url} ({reason}): check the network, or fetch and unpack it by hand and pass "
            "--data_dir."
        ) from error


def _part(archive: Path) -> Path:
    return archive.with_name(f"{archive.name}.part")


def _target(archive: Path) -> Path:
    return archive.with_name(archive.name.removesuffix(".zip"))


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{folder} cannot be written ({error.strerror or error}): make room there, or set HF_DATASETS_CACHE to a "
            "folder elsewhere."
        ) from error


def _check_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            f"{folder} needs {needed / 1e9:.1f} GB and has {free / 1e9:.1f} GB free: make room there, or set "
            "HF_DATASETS_CACHE to a folder elsewhere."
        )


def _open(url: str, start: int = 0) -> HTTPResponse:
    headers = {"User-Agent": "hf_audio"}
    if start:
        headers["Range"] = f"bytes={start}-"
    return urlopen(Request(url, headers=headers), timeout=TIMEOUT_SECONDS)


def _reason(error: Exception) -> str:
    if isinstance(error, HTTPError):
        return str(error)
    return str(getattr(error, "reason", error)) or type(error).__name__


def _ask(record: int, names: Sequence[str], api: str) -> dict[str, RemoteFile]:
    url = f"{api}/{record}"
    try:
        with _open(url) as response:
            found = {
                file["key"]: RemoteFile(int(file["size"]), file["checksum"], file["links"]["self"])
                for file in json.load(response)["files"]
            }
    except (OSError, HTTPException) as error:
        raise DataError(
            f"--download could not ask {url} for its files ({_reason(error)}): check the network, or fetch and unpack "
            "them by hand and pass --data_dir."
        ) from error
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{url} does not answer with a record of Zenodo: fetch and unpack its files by hand and pass --data_dir."
        ) from error
    for name in names:
        if name not in found:
            raise DataError(f"{url} has no file {name!r}, only {', '.join(found)}: use one of these names.")
    return {name: found[name] for name in names}


def _download(file: RemoteFile, archive: Path) -> None:
    part = _part(archive)
    with _writing(part.parent):
        part.touch()
    start = part.stat().st_size
    attempts = 0
    with tqdm(total=file.size, initial=start, desc=archive.name, unit="B", unit_scale=True) as bar:
        while bar.n < file.size:
            time.sleep(WAIT_SECONDS * attempts)
            problem = _receive(file.url, part, bar)
            attempts += 1
            if bar.n < file.size and attempts == ATTEMPTS:
                raise DataError(
                    f"--download got {bar.n} of the {file.size} bytes of {file.url} ({problem}): run the same command "
                    "again, it goes on where it was broken off, or fetch and unpack the file by hand and pass "
                    "--data_dir."
                )
    with part.open("rb") as whole:
        checksum = f"md5:{hashlib.file_digest(whole, 'md5').hexdigest()}"
    if part.stat().st_size != file.size or checksum != file.checksum:
        part.unlink()
        raise DataError(
            f"{archive.name} did not arrive as Zenodo has it, its checksum differs: run the same command again."
        )
    part.rename(archive)


def _receive(url: str, part: Path, bar: tqdm) -> str:
    """Go on with `part` as far as the connection carries, and say why it ended."""
    start = part.stat().st_size
    try:
        response = _open(url, start)
    except (OSError, HTTPException) as error:
        if isinstance(error, HTTPError) and error.code == 416:
            part.write_bytes(b"")  # the server has nothing at that place: what is here is not the beginning of it
        return _reason(error)
    # A server that does not know ranges answers 200 and sends everything.
    with response, _writing(part.parent), part.open("ab" if response.status == 206 else "wb") as file:
        while True:
            bar.update(file.tell() - bar.n)
            try:
                chunk = response.read(CHUNK_BYTES)
            except (OSError, HTTPException) as error:
                return _reason(error)
            if not chunk:
                return "the connection broke off"
            file.write(chunk)


def _unpack(archive: Path) -> None:
    target = _target(archive)
    unpacking = archive.with_name(f"{target.name}.unpacking")
    shutil.rmtree(unpacking, ignore_errors=True)  # of a run that was killed
    try:
        with _writing(archive.parent), zipfile.ZipFile(archive) as file:
            members = file.infolist()
            _check_members(archive, members)
            _check_space(archive.parent, sum(member.file_size for member in members))
            unpacking.mkdir()
            for member in tqdm(members, desc=f"Unpacking {archive.name}", unit="file"):
                file.extract(member, unpacking)
            inner = unpacking / target.name
            alone = inner.is_dir() and len(list(unpacking.iterdir())) == 1
            (inner if alone else unpacking).rename(target)
    except DataError:
        raise
    except Exception as error:  # zipfile lets those of its decompressors through, and of its own a dozen
        archive.unlink()
        raise DataError(
            f"{archive} cannot be unpacked ({_reason(error)}) and is deleted: run the same command again."
        ) from error
    finally:
        shutil.rmtree(unpacking, ignore_errors=True)


def _check_members(archive: Path, members: Sequence[zipfile.ZipInfo]) -> None:
    for member in members:
        # By the rules of Windows, under which both slashes part names and a drive is known.
        path = PureWindowsPath(member.filename)
        if path.anchor or ".." in path.parts or stat.S_ISLNK(member.external_attr >> 16):
            raise DataError(
                f"{archive} holds {member.filename!r}, which leads out of its folder: unpack it by hand with care and "
                "pass --data_dir."
            )
    unpacked = sum(member.file_size for member in members)
    if unpacked > LARGEST_RATIO * archive.stat().st_size:
        raise DataError(
            f"{archive} would unpack to {unpacked / 1e9:.1f} GB, more than {LARGEST_RATIO} times its size: unpack it "
            "by hand with care and pass --data_dir."
        )
