"""What an address is and how it is shown: as a text, for which no store is asked."""

import os
import re
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

from ..errors import CONTAINERS, SECRET_WORDS, USER

ADDRESS = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]+)://", re.IGNORECASE)
# Parts of a query's names that are of credentials.
SECRETS = re.compile(SECRET_WORDS, re.IGNORECASE)
USERS = re.compile(USER, re.IGNORECASE)


def is_remote(path: object) -> bool:
    """Whether a path is an address rather than that of a file of this machine."""
    if not isinstance(path, str | os.PathLike):
        return False
    found = ADDRESS.match(str(path))
    return found is not None and found["scheme"].lower() != "file"


def public_name(path: str) -> str:
    """An address without the credentials in it, such as a signature; any other path as it is."""
    if not is_remote(path) or not ("@" in path or "?" in path):
        return path
    parts = urlsplit(USERS.sub("", path, count=1))
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    shown = "&".join(f"{quote(name)}={quote(value)}" for name, value in pairs if not SECRETS.search(name))
    return urlunsplit((parts.scheme, parts.netloc, parts.path, shown, parts.fragment))


def holds_credentials(address: str) -> bool:
    """Whether there is a name of a user or a secret in an address."""
    secrets = (name for name, _ in parse_qsl(urlsplit(address).query) if SECRETS.search(name))
    return USERS.search(address) is not None or any(secrets)


def scheme_of(address: str) -> str:
    """The scheme of an address, in lower case."""
    return ADDRESS.match(address)["scheme"].lower()  # type: ignore[index]


def address_like(like: str, name: str) -> str:
    """The address of a file that a store names, of which `like` is another address."""
    if is_remote(name):
        return name
    name, account = name.lstrip("/"), urlsplit(like).netloc.partition("@")[2]
    if scheme_of(like) in CONTAINERS and account:
        container, slash, rest = name.partition("/")
        name = f"{container}@{account}{slash}{rest}"
    return f"{ADDRESS.match(like)['scheme']}://{name}"  # type: ignore[index]
