"""Files of S3 by signed addresses, over connections that stay open."""

import os
import threading
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import SplitResult, urlsplit

from .stores import ANSWER_SECONDS

if TYPE_CHECKING:
    from http.client import HTTPConnection

SIGNED_SECONDS = 600  # for which an address that is made for one request is good


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
