"""Files at addresses, to read from anywhere in them: short ones at once, long ones block by block."""

import errno
import io
import os
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import IO, Any

from .addresses import scheme_of
from .retries import retried
from .signed import Signed
from .stores import CONNECTIONS, S3, file_system, fresh

# A file is read to its end by the first request, if it is no longer; longer ones in such blocks, of which some are
# kept and the next one is fetched ahead.
HEAD_BYTES, BLOCK_BYTES, BLOCKS_KEPT = 1 << 21, 1 << 22, 3


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
        """The place of the next byte that is read."""
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
        """The next bytes, at most those that lie in one block."""
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


@lru_cache(maxsize=1)
def _readers(_: int) -> ThreadPoolExecutor:
    """The threads of a process that read ahead."""
    return ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="remote")


def _size(address: str) -> int:
    system, place = file_system(address)
    size = retried(address, lambda: fresh(system).size(place))
    if size is None:
        raise OSError(errno.ESPIPE, "the server does not tell how long it is")
    return int(size)


def _read(address: str, first: int, last: int) -> bytes:
    system, place = file_system(address)
    found = Signed(system, place) if scheme_of(address) in S3 else None
    content = None if found is None else found.read(first, last)
    if content is None:
        content = bytes(retried(address, lambda: system.cat_file(place, start=first, end=last)))
        if found is not None:
            found.give_up()
    return content


def _read_range(address: str, first: int, last: int) -> bytes:
    """Bytes of a file that is so long, neither more nor fewer."""
    content = _read(address, first, last)
    if len(content) != last - first:
        raise OSError(errno.EIO, "it has changed while it was read, or its server knows no ranges")
    return content
