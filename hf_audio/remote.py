"""Files that lie in an object store or on a server: `s3://bucket/a.wav`, `gs://`, `az://`, `hf://`, `https://`, ...

The one place that knows what such an address is. Whatever fsspec reads, it reads here: listed by one request a page,
small files by one request each, long ones range by range; tried again where a store does not answer, but not for ever.
Credentials are those that the store's own tools use; what an address itself holds of them is never told on.
"""

import errno
import io
import json
import os
import re
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, ClassVar, TypeVar, cast
from urllib.parse import SplitResult, parse_qsl, quote, urlsplit, urlunsplit

from .errors import CONTAINERS, SECRET_WORDS, USER, DataError, MissingExtraError, Refusal

if TYPE_CHECKING:
    from http.client import HTTPConnection

ADDRESS = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]+)://", re.IGNORECASE)
S3 = ("s3", "s3a")
# Of schemes whose package is no dependency of this one's, what installs it.
PACKAGES = {
    **dict.fromkeys(S3, "pip install 'hf-audio[s3]'"),
    **dict.fromkeys(["gs", "gcs"], "pip install gcsfs"),
    **dict.fromkeys(["az", "abfs", "abfss", "adl"], "pip install adlfs"),
}
# Whose first part is a bucket, which may be gone as a whole.
BUCKETS = (*PACKAGES, "hf")
# So often something is asked for, with pauses of so many seconds that double from time to time.
TRIES, PAUSE = 4, 0.5
CONNECT_SECONDS, ANSWER_SECONDS = 10, 30
SIGNED_SECONDS = 600  # for which an address that is made for one request is good
# A file is read to its end by the first request, if it is no longer; longer ones in such blocks, of which some are
# kept and the next one is fetched ahead.
HEAD_BYTES, BLOCK_BYTES, BLOCKS_KEPT = 1 << 21, 1 << 22, 3
READERS = 32
# Parts of a query's names that are of credentials.
SECRETS = re.compile(SECRET_WORDS, re.IGNORECASE)
USERS = re.compile(USER, re.IGNORECASE)
# A claim on an output is renewed as often as this, and is void when it has not been for so long; in seconds.
RENEWED, VOID = 20.0, 90.0

T = TypeVar("T")


def is_remote(path: object) -> bool:
    """Whether a path is an address rather than that of a file of this machine."""
    if not isinstance(path, str | os.PathLike):
        return False
    found = ADDRESS.match(str(path))
    return found is not None and found["scheme"].lower() != "file"


def as_path(path: str | os.PathLike) -> Path:
    """A path as `Path`, or of an address, as something that behaves like one."""
    return cast(Path, RemotePath(str(path))) if is_remote(path) else Path(path)


def join(folder: Path, name: str) -> Path:
    """A name as a folder's table has it, which may be an address or a path of its own."""
    return as_path(name) if is_remote(name) else folder / name


def is_file(path: str | os.PathLike) -> bool:
    """Whether a file is there; of addresses, that is found out when they are read."""
    return is_remote(path) or os.path.isfile(path)


def public_name(path: str) -> str:
    """An address without the credentials in it, such as a signature; any other path as it is."""
    if not is_remote(path) or not ("@" in path or "?" in path):
        return path
    parts = urlsplit(USERS.sub("", path, count=1))
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    shown = "&".join(f"{quote(name)}={quote(value)}" for name, value in pairs if not SECRETS.search(name))
    return urlunsplit((parts.scheme, parts.netloc, parts.path, shown, parts.fragment))


class RemotePath(PurePosixPath):
    """An address in the place of a `Path`: its parts as of any path, and of the file system what is needed here."""

    def __str__(self) -> str:
        return re.sub(r"^([a-z][a-z0-9+.-]+):/(?=[^/])", r"\1://", super().__str__(), flags=re.IGNORECASE)

    def __fspath__(self) -> str:
        return str(self)

    def __format__(self, _: str) -> str:
        return public_name(str(self))  # in sentences

    def absolute(self) -> "RemotePath":
        """Itself."""
        return self

    def resolve(self) -> "RemotePath":
        """Itself."""
        return self

    def is_symlink(self) -> bool:
        """Never."""
        return False

    def exists(self) -> bool:
        """Whether there is a file or a folder."""
        return exists(str(self))

    def is_file(self) -> bool:
        """Whether there is a file."""
        return self.exists() and not self.is_dir()

    def is_dir(self) -> bool:
        """Whether it is a folder, or what files' names begin with."""
        if not is_remote(self):  # above the first part
            return False
        system, place = _system(str(self))
        return bool(_retried(str(self), lambda: system.isdir(place)))

    def mkdir(self, *_: Any, **__: Any) -> None:
        """Nothing: stores have no folders."""

    def unlink(self, missing_ok: bool = False) -> None:
        """Delete the file."""
        try:
            delete(str(self))
        except FileNotFoundError:
            if not missing_ok:
                raise

    def open(self, mode: str = "r", encoding: str = "utf-8") -> IO[Any]:
        """The file to read from."""
        file = open_remote(str(self))
        return file if "b" in mode else io.TextIOWrapper(file, encoding=encoding)

    def read_bytes(self) -> bytes:
        """All that is in it."""
        with open_remote(str(self)) as file:
            return file.read()

    def read_text(self, encoding: str = "utf-8") -> str:
        """All that is in it."""
        return self.read_bytes().decode(encoding)

    def iterdir(self) -> Iterator["RemotePath"]:
        """What lies in the folder itself."""
        system, place = _system(str(self))
        for name in sorted(_retried(str(self), lambda: _fresh(system).ls(place, detail=False))):
            yield RemotePath(_address(str(self), name.rstrip("/")))

    def glob(self, pattern: str) -> Iterator["RemotePath"]:
        """What the names of fit a pattern."""
        return (RemotePath(name) for name in find_remote(str(self / pattern)))


def list_remote(folder: str) -> list[str]:
    """Addresses of all files below a folder, in the order of their names; nothing of them is read.

    Raises:
        DataError: the folder is not there, or may not be listed.
    """
    system, place = _system(folder)
    try:
        found = _retried(folder, lambda: _fresh(system).find(place))
    except OSError as error:
        raise DataError(f"{public_name(folder)} cannot be searched ({error.strerror}): check the address.") from None
    return [_address(folder, name) for name in sorted(found)]


def find_remote(pattern: str) -> list[str]:
    """Addresses that fit a pattern, in the order of their names."""
    system, place = _system(pattern)
    try:
        return [_address(pattern, name) for name in sorted(_retried(pattern, lambda: _fresh(system).glob(place)))]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise DataError(f"{public_name(pattern)} cannot be searched ({error.strerror}): check the address.") from None


def exists(address: str) -> bool:
    """Whether there is something at an address.

    Raises:
        OSError: it may not be asked for.
        DataError: the store does not answer.
    """
    system, place = _system(address)
    try:
        _retried(address, lambda: _fresh(system).info(place))
    except FileNotFoundError:
        return False
    return True


def stamp(address: str) -> list[Any]:
    """What changes when the file at an address does: its size, and what the store tells of the version."""
    system, place = _system(address)
    about = _retried(address, lambda: _fresh(system).info(place))
    names = ("ETag", "etag", "md5Hash", "content_md5", "LastModified", "mtime", "last_modified", "blob_id")
    return [about.get("size"), *(str(about[name]) for name in names if about.get(name) is not None)]


def open_remote(address: str) -> IO[bytes]:
    """A file at an address to read from, anywhere in it.

    Raises:
        OSError: it is not there or may not be read; `strerror` is a part of a sentence that holds no credentials.
        DataError: the store does not answer, or is gone.
    """
    try:
        head = _read(address, 0, HEAD_BYTES)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EACCES) or _size(address):
            raise
        return io.BytesIO(b"")  # of which there is no first byte to ask for
    if len(head) != HEAD_BYTES:  # less than was asked for or, where a server knows no ranges, all there is
        return io.BytesIO(head)
    return io.BufferedReader(RemoteFile(address, head, _size(address)), 1 << 16)


def fetch(address: str) -> "Future[IO[bytes]]":
    """What `open_remote` gives, opened by one of some threads."""
    return _readers(os.getpid()).submit(open_remote, address)


class RemoteFile(io.RawIOBase):
    """A long file at an address, read block by block.

    Who reads through libsndfile cannot be told of an error while it reads: see `keeps_quiet`.

    Args:
        address: of the file.
        head: its first bytes.
        size: of all of it, in bytes.
    """

    def __init__(self, address: str, head: bytes, size: int):
        super().__init__()
        self.address = address
        self.quiet = False
        """Whether the file seems to end where it cannot be read."""
        self.trouble: Exception | None = None
        self._head = head
        self._size = size
        self._place = 0
        self._blocks: OrderedDict[int, Future[bytes]] = OrderedDict()

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go somewhere."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        self._place = max(origin + offset, 0)
        return self._place

    def readinto(self, buffer: Any) -> int:
        """Some of the next bytes, none at the end."""
        view = memoryview(buffer).cast("B")
        content = self._part(len(view))
        view[: len(content)] = content
        self._place += len(content)
        return len(content)

    def _part(self, n_bytes: int) -> bytes:
        """As many of the next bytes as lie in one block."""
        n_bytes = min(n_bytes, self._size - self._place)
        if n_bytes <= 0:
            return b""
        if self._place < len(self._head):
            return self._head[self._place : self._place + n_bytes]
        number, first = divmod(self._place, BLOCK_BYTES)
        try:
            block = self._block(number).result()
        except Exception as error:
            if not self.quiet:
                raise
            self.trouble = error
            return b""
        if (number + 1) * BLOCK_BYTES < self._size:
            self._block(number + 1)
        return block[first : first + n_bytes]

    def _block(self, number: int) -> "Future[bytes]":
        if number not in self._blocks:
            first = number * BLOCK_BYTES
            last = min(first + BLOCK_BYTES, self._size)
            self._blocks[number] = _readers(os.getpid()).submit(_read_range, self.address, first, last)
        self._blocks.move_to_end(number)
        while len(self._blocks) > BLOCKS_KEPT:
            self._blocks.popitem(last=False)[1].cancel()
        return self._blocks[number]


def keeps_quiet(file: IO[bytes]) -> bool:
    """Have a remote file keep what keeps it from being read for `trouble_of`; whether it is one."""
    raw = getattr(file, "raw", None)
    if isinstance(raw, RemoteFile):
        raw.quiet = True
    return isinstance(raw, RemoteFile)


def trouble_of(file: IO[bytes]) -> Exception | None:
    """Why a file that has been read through libsndfile could not be, if it could not."""
    raw = getattr(file, "raw", None)
    return raw.trouble if isinstance(raw, RemoteFile) else None


def upload(file: Path, address: str) -> None:
    """Put a file where an address says, whole or not at all.

    Raises:
        DataError: it cannot be.
    """
    system, place = _system(address)
    try:
        _retried(address, lambda: system.put_file(str(file), place))
        _fresh(system)
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or "nothing can be written there"
        raise DataError(f"{public_name(address)} cannot be written ({reason}): choose another place.") from None


def delete(address: str) -> None:
    """Delete a file."""
    system, place = _system(address)
    _retried(address, lambda: system.rm_file(place))


@contextmanager
def claimed(address: str) -> Iterator[None]:
    """While this lasts, no other run on any machine claims the output at an address.

    A file beside it says so. Who dies without taking it away is forgotten after `VOID` seconds.

    Raises:
        DataError: another run holds it, or nothing can be written there.
    """
    place, run = f"{address}.claim", uuid.uuid4().hex
    _take(address, place, run)
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(RENEWED):
            with suppress(Refusal, OSError):  # what is written itself will tell
                if _is_of(run, _claim_at(place)):
                    _claim(place, run)

    renewing = threading.Thread(target=renew, daemon=True)
    renewing.start()
    try:
        yield
    finally:
        ended.set()
        renewing.join()
        with suppress(Refusal, OSError):
            if _is_of(run, _claim_at(place)):
                delete(place)


def _take(address: str, place: str, run: str) -> None:
    """Claim an output by the file at a place.

    Raises:
        DataError: another run has, or nothing can be written there.
    """
    found = _claim_at(place)
    if found is None or not _lives(found):
        if found is not None:
            with suppress(FileNotFoundError):
                delete(place)
        with suppress(FileExistsError):
            _claim(place, run, mode="create")
        if found is not None:
            time.sleep(PAUSE)  # another run may have found the same, and have deleted this one's claim as that
        found = _claim_at(place)
    if not _is_of(run, found):
        host = (found or {}).get("host", "another machine")
        raise DataError(
            f"{public_name(address)} is being written by another run, on {host}: wait for its end or, if it was "
            f"killed, {VOID:.0f} seconds, or choose another output."
        )


def _claim_at(place: str) -> Mapping[str, Any] | None:
    """What a claim tells, which may be nothing; `None` where there is none."""
    try:
        told = json.loads(RemotePath(place).read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        return {}
    except OSError as error:
        raise DataError(f"{public_name(place)} cannot be read ({error.strerror}): choose another output.") from None
    return told if isinstance(told, dict) else {}


def _is_of(run: str, claim: Mapping[str, Any] | None) -> bool:
    return claim is not None and claim.get("run") == run


def _lives(claim: Mapping[str, Any]) -> bool:
    """Whether the run that made a claim may be alive."""
    import socket

    try:
        void = time.time() - float(claim["time"]) > VOID
        here = claim["host"] == socket.gethostname() and os.path.isdir("/proc")
    except (KeyError, TypeError, ValueError):
        return False
    return not void and not (here and not os.path.exists(f"/proc/{claim.get('process')}"))


def _claim(place: str, run: str, mode: str = "overwrite") -> None:
    """Write a claim; `create`: only where there is none.

    Raises:
        FileExistsError: there is one.
        DataError: nothing can be written there.
    """
    import socket

    told = {"run": run, "host": socket.gethostname(), "process": os.getpid(), "time": time.time()}
    content = json.dumps(told).encode()
    system, path = _system(place)

    def write() -> None:
        try:
            system.pipe_file(path, content, mode=mode)
        except OSError as error:
            if mode == "overwrite" or error.errno != errno.ENOSYS:
                raise
            system.pipe_file(path, content)  # to a store that has no conditional writes

    try:
        _retried(place, write)
    except FileExistsError:
        raise
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or "nothing can be written there"
        raise DataError(f"{public_name(place)} cannot be written ({reason}): choose another output.") from None


@lru_cache(maxsize=1)
def _readers(_: int) -> ThreadPoolExecutor:
    """The threads of a process that read ahead."""
    return ThreadPoolExecutor(READERS, thread_name_prefix="remote")


def _system(address: str) -> tuple[Any, str]:
    """What reads the addresses of a scheme, as fsspec calls it, and the place without the scheme.

    Raises:
        MissingExtraError: the package for the scheme is missing.
        DataError: there is no such scheme.
    """
    from fsspec.core import url_to_fs

    scheme = _scheme(address)
    name = public_name(address)
    try:
        system, place = url_to_fs(address, **_options(scheme))
    except ImportError as error:
        package = PACKAGES.get(scheme, "pip install what fsspec names for it")
        raise MissingExtraError(f"{name} needs a package for {scheme}:// that is missing: {package}.") from error
    except ValueError:
        raise DataError(f"{name} is of no scheme that fsspec knows: give s3://, gs://, az:// or https://.") from None
    if scheme in S3:
        system.retries = 1  # it is tried again here
    return system, place


def _scheme(address: str) -> str:
    return ADDRESS.match(address)["scheme"].lower()  # type: ignore[index]


def _options(scheme: str) -> dict[str, Any]:
    """How long a store is waited for, unless the user has configured fsspec."""
    from fsspec.config import conf

    if scheme in S3 and "config_kwargs" not in conf.get(scheme, {}):
        limits = {"connect_timeout": CONNECT_SECONDS, "read_timeout": ANSWER_SECONDS, "max_pool_connections": READERS}
        # Addresses that are signed by the older way, which is still the default, are not taken everywhere.
        return {"config_kwargs": {**limits, "retries": {"max_attempts": 0}, "signature_version": "s3v4"}}
    if scheme in ("http", "https") and "client_kwargs" not in conf.get(scheme, {}):
        from aiohttp import ClientTimeout

        timeout = ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=ANSWER_SECONDS)
        return {"client_kwargs": {"timeout": timeout}}
    return {}


def _fresh(system: Any) -> Any:
    """Without what it has listed before."""
    with suppress(Exception):
        system.invalidate_cache()
    return system


def _address(like: str, name: str) -> str:
    """Of a file that a store names, of which `like` is another address."""
    if is_remote(name):
        return name
    name, account = name.lstrip("/"), urlsplit(like).netloc.partition("@")[2]
    if _scheme(like) in CONTAINERS and account:
        container, slash, rest = name.partition("/")
        name = f"{container}@{account}{slash}{rest}"
    return f"{ADDRESS.match(like)['scheme']}://{name}"  # type: ignore[index]


def _size(address: str) -> int:
    system, place = _system(address)
    size = _retried(address, lambda: _fresh(system).size(place))
    if size is None:
        raise OSError(errno.ESPIPE, "the server does not tell how long it is")
    return int(size)


def _read(address: str, first: int, last: int) -> bytes:
    system, place = _system(address)
    found = Signed(system, place) if _scheme(address) in S3 else None
    content = None if found is None else found.read(first, last)
    if content is None:
        content = bytes(_retried(address, lambda: system.cat_file(place, start=first, end=last)))
        if found is not None:
            found.give_up()
    return content


class Signed:
    """A file that is asked for by an address which s3fs has signed, for less of the CPU than a request of s3fs takes.

    What is not answered well so, for whatever reason, s3fs asks for anew, and tells why it cannot be had.

    Args:
        system: s3fs.
        place: of the file.
    """

    _of_thread = threading.local()
    _unfit: ClassVar[set[str]] = set()  # servers behind a proxy, with certificates of their own, ...

    def __init__(self, system: Any, place: str):
        self._system = system
        self._place = place
        self._server = ""
        self._refused = False

    def read(self, first: int, last: int) -> bytes | None:
        """Bytes of the file, `None` if there is no good answer."""
        connection, kept = None, False
        try:
            parts = urlsplit(self._system.sign(self._place, expiration=SIGNED_SECONDS))
            self._server = f"{parts.scheme}://{parts.netloc}"
            if self._server in self._unfit:
                return None
            connection = self._connection(parts)
            kept = connection.sock is not None  # and may have been for too long
            wanted = {"Range": f"bytes={first}-{last - 1}"}
            connection.request("GET", f"{parts.path}?{parts.query}", headers=wanted)
            answer = connection.getresponse()
            content = answer.read()
        except Exception as error:
            if connection is not None:
                connection.close()  # and is opened again when it is needed
            self._refused = not kept and not isinstance(error, ConnectionError)
            return None
        self._refused = answer.status in (301, 307, 400, 401, 403)
        if answer.status == 200:  # of a server that knows no ranges
            return content[first:last]
        return content if answer.status == 206 else None

    def give_up(self) -> None:
        """Ask this server so no more if it refused what s3fs was then given."""
        if self._refused:
            self._unfit.add(self._server)

    def _connection(self, parts: SplitResult) -> "HTTPConnection":
        """Kept open, one for each thread of a process and each server."""
        from http.client import HTTPConnection, HTTPSConnection
        from urllib.request import getproxies, proxy_bypass

        connections: dict[str, HTTPConnection] = vars(self._of_thread)
        key = f"{os.getpid()} {self._server}"
        if key not in connections:
            if parts.scheme in getproxies() and not proxy_bypass(str(parts.hostname)):
                raise ValueError("there is a proxy")
            kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
            connections[key] = kind(parts.netloc, timeout=ANSWER_SECONDS)
        return connections[key]


def _read_range(address: str, first: int, last: int) -> bytes:
    """Bytes of a file that is so long, neither more nor fewer."""
    content = _read(address, first, last)
    if len(content) != last - first:
        raise OSError(errno.EIO, "it has changed while it was read, or its server knows no ranges")
    return content


def _retried(address: str, call: Callable[[], T]) -> T:
    """What a call gives, tried again while the store does not answer.

    Raises:
        OSError: the file is not there, or may not be used.
        DataError: the store does not answer, or its bucket is gone.
    """
    kind = ""
    for attempt in range(TRIES):
        if attempt:
            time.sleep(PAUSE * 2 ** (attempt - 1))
        try:
            return call()
        except (NotImplementedError, Refusal):
            raise
        except Exception as error:  # of whatever the store's package raises
            kind = _kind(error)
            if isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError) or kind == "404":
                _check_bucket(address)
                raise FileNotFoundError(errno.ENOENT, "it is not there") from None
            if isinstance(error, PermissionError) or kind in ("401", "403") or "Credential" in kind:
                raise PermissionError(errno.EACCES, "it may not be used with these credentials") from None
            if isinstance(error, FileExistsError) or kind == "412":
                raise FileExistsError(errno.EEXIST, "it is there already") from None
            if getattr(error, "errno", None) == errno.EINVAL or kind == "416":
                raise OSError(errno.EINVAL, "the store refuses what is asked for") from None
    raise DataError(
        f"{public_name(address)} is not reached ({kind}, {TRIES} times): check the network and the store, and go on "
        "with --resume if something was begun."
    ) from None


def _kind(error: Exception) -> str:
    """What an error is, in a word; its text may hold a signature."""
    status = getattr(error, "status", None) or getattr(getattr(error, "response", None), "status_code", None)
    return str(status or type(error).__name__)


def check_output(address: str) -> None:
    """Refuse to write where nothing can be written, or what would be told on.

    Raises:
        DataError: it is a web server, there is no such bucket, or credentials stand in the address.
    """
    if USERS.search(address) or any(SECRETS.search(name) for name, _ in parse_qsl(urlsplit(address).query)):
        raise DataError(
            f"--output {public_name(address)} holds credentials, and answers tell where they lie: give them as the "
            "store's own tools take them."
        )
    if address.lower().startswith(("http://", "https://")):
        raise DataError(
            f"{public_name(address)} is on a web server, which takes no files: give s3://, gs:// or az://."
        )
    _check_bucket(address)


def _check_bucket(address: str) -> None:
    """Raise, if not only a file but all of its bucket is gone."""
    scheme = ADDRESS.match(address)["scheme"]  # type: ignore[index]
    parts = address.split("://", 1)[1].split("/")
    n_parts = 3 if scheme == "hf" and len(parts) > 3 else 1
    if scheme.lower() not in BUCKETS or len(parts) <= n_parts:
        return
    bucket = f"{scheme}://{'/'.join(parts[:n_parts])}"
    system, place = _system(bucket)
    try:
        _fresh(system).info(place)
    except FileNotFoundError:
        raise DataError(f"{bucket} is not there, or no longer: check its name.") from None
    except Exception:  # whatever it is, the bucket may be there
        return
