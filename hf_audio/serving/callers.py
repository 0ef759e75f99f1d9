"""Whose requests a server answers: a page in a browser can reach servers that only its visitor should."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from ..errors import ArgumentError

ANY = "*"
LOOPBACK = "localhost"
PORTS = {"http": 80, "https": 443}
ORIGIN = re.compile(r"https?://[^/?#@\s]+|null|\*")
HOST = re.compile(r"\[([0-9a-f:.%]+)\](?::(\d{1,5}))?|([^:\[\]]*)(?::(\d{1,5}))?")


@dataclass(frozen=True)
class Callers:
    """Who may call a server, by the name that it is called by and by the page that the call comes from."""

    hosts: frozenset[str] | None
    """Names of the server, beside localhost and addresses; `None`: all, as where clients bear a token."""
    origins: frozenset[str] = frozenset()
    """Other pages' origins, as `https://example.org`, beside the server's own; `"*"`: all."""

    @classmethod
    def of(cls, hosts: Iterable[str] | None, origins: Iterable[str] = ()) -> "Callers":
        """Callers by the names and origins that a user gives.

        Raises:
            ArgumentError: one that is no origin.
        """
        origins = [origin.rstrip("/").lower() for origin in origins]
        for origin in origins:
            if not ORIGIN.fullmatch(origin):
                raise ArgumentError(f"--allow_origin {origin} is no origin: give one like https://example.org, or *.")
        return cls(None if hosts is None else frozenset(host.lower() for host in hosts), frozenset(origins))

    def refusal(self, host: str | None, origin: str | None) -> tuple[HTTPStatus, str] | None:
        """Status and sentence for a request that is not answered, by its headers Host and Origin.

        A name that nobody has given to the server is that of a page whose address was pointed at it (DNS rebinding).
        Addresses cannot be pointed elsewhere, and programs send no Origin.
        """
        if self.hosts is not None and host is not None and not self._is_own(_split_host(host)[0]):
            return (
                HTTPStatus.MISDIRECTED_REQUEST,
                "This server is not called by this name: use its address, or start it with --allow_host NAME.",
            )
        if origin is not None and not self.origins & {ANY, origin.lower()} and not _is_same(origin, host):
            return (
                HTTPStatus.FORBIDDEN,
                "Pages of other origins may not ask this server: start it with --allow_origin ORIGIN.",
            )
        return None

    def _is_own(self, name: str | None) -> bool:
        if name is None:
            return False
        if name == LOOPBACK or name.endswith(f".{LOOPBACK}") or name in (self.hosts or ()):
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def _split_host(host: str) -> tuple[str | None, int | None]:
    """Name and port of a header Host; no name of what is none."""
    match = HOST.fullmatch(host.strip().lower())
    if match is None:
        return None, None
    port = match[2] or match[4]
    return (match[1] or match[3].rstrip(".")), None if port is None else int(port)


def _is_same(origin: str, host: str | None) -> bool:
    """Whether a page's origin is the server itself, as the page's browser calls it."""
    if host is None:
        return False
    scheme, _, address = origin.lower().partition("://")
    default = PORTS.get(scheme)
    if default is None:
        return False
    (name, port), (own_name, own_port) = _split_host(address), _split_host(host)
    return bool(name) and (name, port or default) == (own_name, own_port or default)


class CallersApp:
    """An app around another, which refuses requests of others than its callers.

    Args:
        app: answers.
        callers: whose requests are handed on.
    """

    def __init__(self, app: ASGIApp, callers: Callers):
        self.app = app
        self.callers = callers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self.callers.refusal(headers.get("host"), headers.get("origin"))
        if refusal is None:
            await self.app(scope, receive, send)
            return
        status, sentence = refusal
        response = JSONResponse({"error": sentence}, status)
        if scope["type"] == "websocket":
            await WebSocket(scope, receive, send).send_denial_response(response)
        else:
            await response(scope, receive, send)
