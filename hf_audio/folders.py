"""What lies in folders, and what of it is sound by its name: one search for training, inspection and prediction."""

import heapq
import importlib.util
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

from .errors import DataError
from .remote.addresses import is_remote, public_name
from .remote.listing import list_remote
from .remote.paths import RemotePath, as_path

# Of names that libsndfile's formats have.
AUDIO_SUFFIXES = frozenset(
    ".wav .flac .ogg .oga .opus .mp3 .mp2 .mpga .aif .aiff .aifc .au .snd .caf .w64 .rf64".split()  # noqa: SIM905
)
# Of sound that phones, browsers and video write, which libsndfile cannot read, and FFmpeg can.
FOREIGN_SUFFIXES = frozenset(
    ".m4a .m4b .mp4 .webm .weba .mka .3gp .3ga .amr .aac .ac3 .wma .ape .wv .ra".split()  # noqa: SIM905
)
SOUND_SUFFIXES = AUDIO_SUFFIXES | FOREIGN_SUFFIXES
SHARD_SUFFIXES = (".parquet", ".tar")  # of files that hold many recordings
FOREIGN_REMEDY = "convert to WAV or FLAC, or install PyAV (pip install 'hf-audio[av]') or ffmpeg"
# Of systems, network drives and zips made on macOS: shadows of files, what was deleted, and what was found again.
SYSTEM_FOLDERS = frozenset(
    [
        *("__MACOSX", "$RECYCLE.BIN", "RECYCLER", "System Volume Information", "lost+found"),
        *("@eaDir", "@Recycle", "#recycle", "#snapshot"),
    ]
)
# Of files that one sentence names.
NAMES_TOLD = 3


@cache
def foreign_decoder() -> Literal["PyAV", "ffmpeg"] | None:
    """What decodes files of `FOREIGN_SUFFIXES` here, PyAV or the ffmpeg program; `None` if neither is installed."""
    if importlib.util.find_spec("av") is not None:
        return "PyAV"
    return "ffmpeg" if shutil.which("ffmpeg") else None


def is_readable(path: str | os.PathLike) -> bool:
    """Whether a file is, by its name, of a kind of sound that is read here."""
    suffix = os.path.splitext(path)[1].lower()  # by far quicker than that of a `Path`
    return suffix in AUDIO_SUFFIXES or (suffix in FOREIGN_SUFFIXES and foreign_decoder() is not None)


@dataclass
class FolderSearch:
    """What lies in a folder, at any depth, each list in the order of names."""

    audio: list[Path] = field(default_factory=list)
    """Files that are audio by their names."""
    unreadable: list[Path] = field(default_factory=list)
    """Files that are sound by their names, but of a kind that is not read here, see `foreign_decoder`."""
    others: list[Path] = field(default_factory=list)
    """Files that are no sound by their names."""
    hidden: list[Path] = field(default_factory=list)
    """Files and folders with hidden names, see `is_hidden`; the folders were not searched."""
    repeated: list[tuple[Path, str]] = field(default_factory=list)
    """Links to folders that are searched by other names, and which way; nothing is lost with them."""
    unreachable: list[tuple[Path, str]] = field(default_factory=list)
    """Links that lead nowhere and folders that cannot be read, and why."""

    @property
    def files(self) -> list[Path]:
        """All files but the hidden ones, in the order of names."""
        return sorted([*self.audio, *self.unreadable, *self.others], key=_by_parts)

    def extend(self, other: "FolderSearch") -> None:
        """Add what was found in a further folder."""
        for name in self.__dataclass_fields__:
            getattr(self, name).extend(getattr(other, name))

    def losses(self) -> list[str]:
        """Sentences on what may hold recordings and could not be searched."""
        if not self.unreachable:
            return []
        (path, reason), n_cases = self.unreachable[0], len(self.unreachable)
        cases = "1 link or folder is" if n_cases == 1 else f"{n_cases} links or folders are"
        return [f"{cases} left out, {path} for one: {reason}."]

    def left_out(self) -> list[str]:
        """Sentences on recordings that are not among `audio`, and what to do about it."""
        if not self.unreadable:
            return self.losses()
        recordings = "1 recording is" if len(self.unreadable) == 1 else f"{len(self.unreadable)} recordings are"
        kinds = f"{recordings} left out, of a kind that is not read, {name_some(self.unreadable)}"
        return [f"{kinds}: {FOREIGN_REMEDY}.", *self.losses()]


def search_folder(folder: str | os.PathLike) -> FolderSearch:
    """Search a folder to any depth, the same way for training, inspection and prediction.

    Links to files are kept. Links to folders are followed, but each folder is searched once: by its own name where
    that lies in `folder`, else by the first link to it. Hidden names are left out.

    Raises:
        DataError: the folder itself cannot be read.
    """
    folder = as_path(folder)
    found = FolderSearch()
    if isinstance(folder, RemotePath):
        return _search_remote(folder, found)
    root = os.path.realpath(folder)
    folders: list[Path] = [folder]
    links: list[tuple[tuple[str, ...], Path]] = []  # a heap, the first name on top
    seen: set[str] = set()
    while folders or links:
        # Links last: a folder goes by its own name where it has one below `folder`.
        place = folders.pop() if folders else heapq.heappop(links)[1]
        real = os.path.realpath(place)
        if place != folder and any(_lies_in(inner, real) for inner in (root, os.path.realpath(place.parent))):
            found.repeated.append((place, "a link to a folder that it lies in"))
        elif real in seen:
            found.repeated.append((place, "a folder that is searched by another name"))
        else:
            seen.add(real)
            try:
                _list_folder(place, found, folders, links)
            except OSError as error:
                if place == folder:
                    raise DataError(
                        f"{folder} cannot be searched ({error.strerror or error}): give a folder that can be read."
                    ) from error
                found.unreachable.append((place, error.strerror or str(error)))
    for paths in (found.audio, found.unreadable, found.others, found.hidden):
        paths.sort(key=_by_parts)
    for cases in (found.repeated, found.unreachable):
        cases.sort(key=lambda case: _by_parts(case[0]))
    return found


def _search_remote(folder: Path, found: FolderSearch) -> FolderSearch:
    """As `search_folder`, of a store, which has no links, in the order of names."""
    depth = len(folder.parts)
    for path in map(as_path, list_remote(str(folder))):
        if any(map(is_hidden, path.parts[depth:])):
            found.hidden.append(path)
        elif is_readable(path):
            found.audio.append(path)
        else:
            (found.unreadable if path.suffix.lower() in SOUND_SUFFIXES else found.others).append(path)
    for paths in (found.audio, found.unreadable, found.others, found.hidden):
        paths.sort(key=_by_parts)
    return found


class RealPaths:
    """As `os.path.realpath`, of many files in few folders: each folder is followed once, and of files only links."""

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}

    def __call__(self, path: str | os.PathLike) -> str:
        """The file's own place, free of links."""
        if is_remote(path):
            return str(path)
        folder, name = os.path.split(path)
        if name in ("", os.curdir, os.pardir):
            return os.path.realpath(path)
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder)
        real = os.path.join(self._folders[folder], name)
        return os.path.realpath(real) if os.path.islink(real) else real


def _list_folder(
    place: Path, found: FolderSearch, folders: list[Path], links: list[tuple[tuple[str, ...], Path]]
) -> None:
    """Put what lies in a folder where it belongs."""
    with os.scandir(place) as entries:
        for entry in entries:
            path = place / entry.name
            is_link = entry.is_symlink()
            if is_hidden(entry.name):
                found.hidden.append(path)
            elif os.path.isdir(path) if is_link else entry.is_dir():
                if is_link:
                    heapq.heappush(links, (path.parts, path))
                else:
                    folders.append(path)
            elif os.path.isfile(path) if is_link else entry.is_file():
                if is_readable(path):
                    found.audio.append(path)
                else:
                    (found.unreadable if path.suffix.lower() in SOUND_SUFFIXES else found.others).append(path)
            elif is_link:
                found.unreachable.append((path, "a link that leads nowhere"))


def _lies_in(inner: str, outer: str) -> bool:
    return inner == outer or inner.startswith(outer.rstrip(os.sep) + os.sep)


def _by_parts(path: Path) -> tuple[str, ...]:
    return path.parts


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is of the system, and not of the user."""
    return name.startswith(".") or name in SYSTEM_FOLDERS


def find_folders(directory: str | os.PathLike) -> list[Path]:
    """The folders in a folder, links to some among them, in the order of their names; without hidden ones."""
    return sorted(path for path in as_path(directory).iterdir() if path.is_dir() and not is_hidden(path.name))


def name_some(paths: Sequence[Path]) -> str:
    """The first few paths, and how many more there are, for a sentence."""
    named = ", ".join(public_name(str(path)) for path in paths[:NAMES_TOLD])
    return named if len(paths) <= NAMES_TOLD else f"{named} and {len(paths) - NAMES_TOLD} more"
