"""What reads and writes the addresses of a scheme: a file system, as fsspec calls it, with limits of its own."""

from contextlib import suppress
from typing import Any

from ..errors import DataError, MissingExtraError
from .addresses import public_name, scheme_of

S3 = ("s3", "s3a")
# Of schemes whose package is no dependency of this one's, what installs it.
PACKAGES = {
    **dict.fromkeys(S3, "pip install 'hf-audio[s3]'"),
    **dict.fromkeys(["gs", "gcs"], "pip install gcsfs"),
    **dict.fromkeys(["az", "abfs", "abfss", "adl"], "pip install adlfs"),
}
# Whose first part is a bucket, which may be gone as a whole.
BUCKETS = (*PACKAGES, "hf")
CONNECT_SECONDS, ANSWER_SECONDS = 10, 30
CONNECTIONS = 32  # that a process has with a store


def file_system(address: str) -> tuple[Any, str]:
    """The file system that an address is of, and the place in it: the address without its scheme.

    Raises:
        MissingExtraError: the package for the scheme is missing.
        DataError: there is no such scheme.
    """
    from fsspec.core import url_to_fs

    scheme = scheme_of(address)
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


def _options(scheme: str) -> dict[str, Any]:
    """How long a store is waited for, unless the user has configured fsspec."""
    from fsspec.config import conf

    if scheme in S3 and "config_kwargs" not in conf.get(scheme, {}):
        limits = {
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": ANSWER_SECONDS,
            "max_pool_connections": CONNECTIONS,
        }
        # Addresses that are signed by the older way, which is still the default, are not taken everywhere.
        return {"config_kwargs": {**limits, "retries": {"max_attempts": 0}, "signature_version": "s3v4"}}
    if scheme in ("http", "https") and "client_kwargs" not in conf.get(scheme, {}):
        from aiohttp import ClientTimeout

        timeout = ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=ANSWER_SECONDS)
        return {"client_kwargs": {"timeout": timeout}}
    return {}


def fresh(system: Any) -> Any:
    """A file system without what it has listed before."""
    with suppress(Exception):
        system.invalidate_cache()
    return system


def check_bucket(address: str) -> None:
    """Refuse an address of which not only the file but all of its bucket is gone.

    Raises:
        DataError: it is.
    """
    scheme = scheme_of(address)
    parts = address.split("://", 1)[1].split("/")
    n_parts = 3 if scheme == "hf" and len(parts) > 3 else 1
    if scheme not in BUCKETS or len(parts) <= n_parts:
        return
    bucket = f"{scheme}://{'/'.join(parts[:n_parts])}"
    system, place = file_system(bucket)
    try:
        fresh(system).info(place)
    except FileNotFoundError:
        raise DataError(f"{bucket} is not there, or no longer: check its name.") from None
    except Exception:  # whatever it is, the bucket may be there
        return
