"""Files found in folders, and files written whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from .errors import NO_ROOM, DataError

# Of names that libsndfile's formats have.
AUDIO_SUFFIXES = frozenset(
    ".wav .flac .ogg .oga .opus .mp3 .aif .aiff .aifc .au .snd .caf .w64 .rf64".split()  # noqa: SIM905
)
# Of sound that phones, browsers and video write, and that libsndfile cannot read.
UNREADABLE_SUFFIXES = frozenset(
    ".m4a .m4b .mp4 .webm .weba .mka .3gp .3ga .amr .aac .ac3 .wma .mpga .mp2 .ape .wv .ra".split()  # noqa: SIM905
)


@dataclass
class FolderSearch:
    """What lies in a folder, at any depth, each list in the order of names."""

    audio: list[Path] = field(default_factory=list)
    """Files that are audio by their names."""
    unreadable: list[Path] = field(default_factory=list)
    """Files that are sound by their names, but of a kind that libsndfile cannot read."""
    others: list[Path] = field(default_factory=list)
    """Files that are no sound by their names."""
    hidden: list[Path] = field(default_factory=list)
    """Files and folders whose names begin with a point; the folders were not searched."""
    unreachable: list[tuple[Path, str]] = field(default_factory=list)
    """Links and folders that lead nowhere or nowhere new, and why."""


def search_folder(folder: str | os.PathLike) -> FolderSearch:
    """Search a folder to any depth, the same way for training, inspection and prediction.

    Links to folders are followed, each folder once: one that lies in the folder itself, or that another link has led
    to, is told of as `unreachable`.
    """
    found = FolderSearch()
    folder = Path(folder)
    links: list[Path] = []
    seen: set[str] = set()
    stack = [folder]
    while stack or links:
        # Links last: a folder goes by its own name where it has one below `folder`.
        place = stack.pop() if stack else links.pop(0)
        real = os.path.realpath(place)
        if real in seen:
            found.unreachable.append((place, "a link to a folder that is searched already"))
            continue
        if place != folder and Path(os.path.realpath(place.parent)).is_relative_to(real):
            found.unreachable.append((place, "a link to a folder that it lies in"))
            continue
        seen.add(real)
        try:
            names = sorted(os.listdir(place))
        except OSError as error:
            found.unreachable.append((place, error.strerror or str(error)))
            continue
        for path in (place / name for name in names):
            _sort(path, found, stack, links)
    for paths in (found.audio, found.unreadable, found.others, found.hidden):
        paths.sort(key=lambda path: path.parts)
    found.unreachable.sort(key=lambda case: case[0].parts)
    return found


def _sort(path: Path, found: FolderSearch, folders: list[Path], links: list[Path]) -> None:
    """Put what lies in a folder where it belongs."""
    suffix = path.suffix.lower()
    if path.name.startswith("."):
        found.hidden.append(path)
    elif path.is_dir():
        (links if path.is_symlink() else folders).append(path)
    elif not path.is_file():
        if path.is_symlink():
            found.unreachable.append((path, "a link that leads nowhere"))
    elif suffix in AUDIO_SUFFIXES:
        found.audio.append(path)
    elif suffix in UNREADABLE_SUFFIXES:
        found.unreadable.append(path)
    else:
        found.others.append(path)


def find_files(directory: str | os.PathLike) -> list[Path]:
    """All files of a `search_folder`, in the order of their names."""
    found = search_folder(directory)
    return sorted([*found.audio, *found.unreadable, *found.others], key=lambda path: path.parts)


def find_folders(directory: str | os.PathLike) -> list[Path]:
    """The folders in a folder, in the order of their names; names that begin with a point are left out."""
    return sorted(path for path in Path(directory).iterdir() if path.is_dir() and not path.name.startswith("."))


@contextmanager
def written_whole(path: str | os.PathLike) -> Iterator[Path]:
    """A name to write to, which becomes `path` when all is written; otherwise nothing is left of it.

    Raises:
        DataError: it cannot be written, because the disk is full, say.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())  # or the name could outlive a power cut, and the contents not
        os.replace(temporary, path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def unwritable(path: Path, error: OSError) -> DataError:
    """The refusal of a file or folder that the system would not write."""
    remedy = "make room there" if error.errno in NO_ROOM else "choose another place"
    return DataError(f"{path} cannot be written ({error.strerror or error}): {remedy}.")


def write_text(path: Path, text: str) -> None:
    """Write a text, in UTF-8, whole or not at all.

    Raises:
        DataError: it cannot be written.
    """
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def temporary_folder_beside(path: Path) -> Iterator[Path]:
    """A folder to prepare something in that is then renamed to `path`; what was not renamed is deleted.

    Beside it, because only there can it be renamed rather than copied.

    Raises:
        DataError: there is no folder to make it in.
    """
    try:
        folder = Path(tempfile.mkdtemp(dir=path.absolute().parent, prefix=f".{path.name}."))
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
