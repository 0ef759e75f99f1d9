"""When a recording began, by the clock: as its recorder wrote into the file, or named it."""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import IO

from ..remote.addresses import is_remote
from ..remote.reading import open_remote
from .chunks import RIFF, walk_chunks
from .parts import read_at

# Recorders that were never set say 1970 or 2000; nothing was recorded before them, or will be.
YEARS = range(1980, 2100)
AUDIOMOTH_YEARS = range(2016, 2040)  # whose eight digits are no day, such as 20240131
MAX_CHUNK = 1 << 16  # bytes of what a recorder says of itself

_ZONE = r"(?P<zone>Z|[+-]\d{2}:?\d{2})?"
_NAMES = tuple(
    re.compile(pattern)
    for pattern in (
        # AudioMoth, Song Meter (PREFIX_20240131_063000), Frontier Labs (20240131T063000+1000_REC), Swift, ARBIMON.
        r"(?<!\d)(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)[_T -]?(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)"
        r"(?:[._](?P<part>\d{3}))?" + _ZONE + r"(?!\d)",
        # 2024-01-31T06-30-00, 2024-01-31_06.30.00, 2024-01-31-birdnet-06:30:00
        r"(?<!\d)(?P<year>\d{4})[-_.](?P<month>\d\d)[-_.](?P<day>\d\d)(?:[_T -]+|-birdnet-)"
        r"(?P<hour>\d\d)[-_.:h](?P<minute>\d\d)[-_.:m](?P<second>\d\d)(?:[.](?P<part>\d{3}))?" + _ZONE + r"(?!\d)",
        # SoundTrap and others: 5146.240131063000
        r"(?:^|[._-])(?P<year>\d\d)(?P<month>\d\d)(?P<day>\d\d)(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)(?!\d)",
    )
)
# AudioMoth before 2019: seconds since 1970, in hexadecimal digits alone.
_HEXADECIMAL = re.compile(r"[0-9A-F]{8}")
# AudioMoth's comment: Recorded at 06:30:00.250 31/01/2024 (UTC+1:30) by AudioMoth 24F31901603710E3 ...
_AUDIOMOTH = re.compile(
    r"Recorded at (?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?:\.(?P<part>\d{3}))? "
    r"(?P<day>\d\d)/(?P<month>\d\d)/(?P<year>\d{4})(?: \(UTC(?P<zone>[+-]\d{1,2}(?::\d\d)?)?\))?"
)
_ISO = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)[T ](?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
    r"(?:[.,](?P<part>\d{1,6}))?\s?(?P<zone>Z|[+-]\d{1,2}(?::?\d\d)?)?"
)


def start_time(path: str | os.PathLike) -> datetime | None:
    """When a recording began, by what its file says of itself or else by its name; `None` where neither tells.

    What a recorder wrote into a WAV file comes first, as it may know the time zone: guano, AudioMoth's comment,
    Wildlife Acoustics' own chunk, or the Broadcast Wave extension. Names are read in the manners of AudioMoth, Song
    Meter, Frontier Labs, SoundTrap and others. Without a zone, the time is that of the recorder's clock.
    """
    return written_start_time(path) or named_start_time(Path(path).name)


def named_start_time(name: str) -> datetime | None:
    """When a recording began by its file's name."""
    return _find(name)[1]


def name_before_time(name: str) -> str:
    """What a file's name says before its time, such as a recorder's number; empty where it names no time."""
    first, moment = _find(name)
    return "" if moment is None else name[:first].rstrip("_-. ")


def _find(name: str) -> tuple[int, datetime | None]:
    """Where a name says when a recording began, and when."""
    stem = name.rpartition(".")[0] or name
    for pattern in _NAMES:
        for match in pattern.finditer(stem):
            moment = _as_time(match)
            if moment is not None:
                return match.start(), moment
    if _HEXADECIMAL.fullmatch(stem):
        moment = datetime.fromtimestamp(int(stem, 16), UTC)
        return 0, moment if moment.year in AUDIOMOTH_YEARS else None
    return 0, None


def read_start_time(text: str) -> datetime | None:
    """When a recording began by a table's cell: 2024-01-31 06:30:00, with or without a zone, or as in a name."""
    match = _ISO.search(text)
    return (match and _as_time(match)) or named_start_time(text.strip())


def written_start_time(path: str | os.PathLike) -> datetime | None:
    """When a recording began by what its WAV file says of itself."""
    try:
        with open_remote(str(path)) if is_remote(path) else Path(path).open("rb") as file:
            head = read_at(file, 0, 12)
            if head[:4] not in (b"RIFF", b"RF64") or head[8:12] != b"WAVE":
                return None
            found = dict(_remarks(file, file.seek(0, os.SEEK_END)))
    except OSError:  # which whoever decodes it tells
        return None
    guano = re.search(r"^\s*Timestamp:(.*)$", found.get("guan", ""), re.MULTILINE)
    for text, pattern in ((guano[1] if guano else "", _ISO), (found.get("ICMT", ""), _AUDIOMOTH)):
        match = pattern.search(text)
        moment = _as_time(match) if match else None
        if moment is not None:
            return moment
    match = _ISO.search(found.get("wamd", "")) or _ISO.search(found.get("bext", ""))
    return _as_time(match) if match else None


def _remarks(file: IO[bytes], end: int) -> Iterator[tuple[str, str]]:
    """What is told of a recording, by the names of chunks."""
    for chunk in walk_chunks(file, RIFF, 12, end):
        if chunk.name == b"LIST" and read_at(file, chunk.start, 4) == b"INFO":
            for inner in walk_chunks(file, RIFF, chunk.start + 4, min(chunk.start + chunk.size, end)):
                if inner.name == b"ICMT":
                    yield "ICMT", _text(read_at(file, inner.start, min(inner.size, MAX_CHUNK)))
        elif chunk.name == b"guan":
            yield "guan", _text(read_at(file, chunk.start, min(chunk.size, MAX_CHUNK)))
        elif chunk.name == b"wamd":
            yield "wamd", _wildlife_time(read_at(file, chunk.start, min(chunk.size, MAX_CHUNK)))
        elif chunk.name == b"bext" and chunk.size >= 338:
            # Description, originator and its reference lie before: https://tech.ebu.ch/docs/tech/tech3285.pdf.
            date, time = read_at(file, chunk.start + 320, 10), read_at(file, chunk.start + 330, 8)
            clock = re.sub(r"\D", ":", _text(time))  # the standard allows other signs than colons
            yield "bext", f"{re.sub(r'[^0-9]', '-', _text(date))} {clock}"


def _wildlife_time(content: bytes) -> str:
    """The time in a chunk of Wildlife Acoustics: entries of a 16-bit name, 5 of the time, and a 32-bit length."""
    place = 0
    while place + 6 <= len(content):
        name = int.from_bytes(content[place : place + 2], "little")
        size = int.from_bytes(content[place + 2 : place + 6], "little")
        if name == 5:
            return _text(content[place + 6 : place + 6 + size])
        place += 6 + size
    return ""


def _text(content: bytes) -> str:
    return content.split(b"\0")[0].decode("utf-8", errors="replace")


def _as_time(match: re.Match[str]) -> datetime | None:
    """The moment that a pattern's groups say; `None` where no calendar has it."""
    parts = match.groupdict()
    year, month, day, hour, minute, second = (
        int(parts[name]) for name in ("year", "month", "day", "hour", "minute", "second")
    )
    year += 2000 if year < 100 else 0
    microsecond = int((parts.get("part") or "0").ljust(6, "0"))
    try:
        moment = datetime(year, month, day, hour, minute, second, microsecond, _as_zone(parts.get("zone")))
    except ValueError:
        return None
    return moment if moment.year in YEARS else None


def _as_zone(text: str | None) -> timezone | None:
    if text is None:
        return None
    if text == "Z":
        return UTC
    hours, _, minutes = text[1:].partition(":") if ":" in text or len(text) <= 3 else (text[1:3], "", text[3:])
    offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
    return timezone(-offset if text[0] == "-" else offset)
