"""What a search has found, as a table or as a page to listen to, which needs nothing but a browser."""

import base64
import html
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import soundfile

from ...audio.packing import to_int16
from ...audio.sections import load_section
from ...data.tables.text_tables import write_rows
from ...errors import DataError
from ...files import temporary_folder_beside, unwritable, written_whole
from .similar import Search

INDEX = "index.html"
AUDIO = "audio"
HTML_SUFFIXES = (".html", ".htm")
LONGEST_EXAMPLE = 30.0  # seconds that can be listened to

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .4rem .6rem; border-bottom: 1px solid #ccc; }
th { white-space: nowrap; }
td { overflow-wrap: anywhere; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
audio { width: 16rem; max-width: 100%; }
@media (prefers-color-scheme: dark) { body { background: #111; color: #eee; } }
"""


def check_output(output: Path) -> None:
    """Refuse a name that nothing can be written to, before anything is searched.

    Raises:
        DataError: it is neither a table, a page nor a folder for one.
    """
    if not output.absolute().parent.is_dir():
        raise DataError(f"--output {output} is in no folder that exists: make it first.")
    suffix = output.suffix.lower()
    if suffix not in (".csv", *HTML_SUFFIXES, ""):
        raise DataError(f"--output {output} must end in .csv or .html, or be a folder for a page.")
    if not suffix and output.exists() and not (output.is_dir() and _is_free(output)):
        raise DataError(f"--output {output} holds other files than such a page: choose a new folder.")


def _is_free(folder: Path) -> bool:
    names = {entry.name for entry in folder.iterdir()}
    return not names or names == {INDEX, AUDIO}


def write_search(search: Search, output: Path) -> None:
    """A table, a page in one file that holds the sounds, or a folder with a page and the sounds beside it.

    Raises:
        DataError: it cannot be written, or holds something else.
        AudioError: a file of the archive cannot be read any more.
    """
    if output.suffix.lower() == ".csv":
        numbers = {"start": ".6f", "end": ".6f", "similarity": ".6f"}
        rows = [asdict(neighbour) for neighbour in search.neighbours]
        write_rows(output, [{name: format(cell, numbers.get(name, "")) for name, cell in row.items()} for row in rows])
    else:
        write_page(output, _sounds(search), lambda sources: _write_page(search, sources))


def write_page(output: Path, sounds: Iterator[bytes], page: Callable[[Iterator[str]], Iterator[str]]) -> None:
    """A page and its sounds, in one file where the name is a page's, and else in a folder.

    Args:
        output: of the file or the folder.
        sounds: WAV files.
        page: the text, piece by piece, given the addresses of the sounds in their order.

    Raises:
        DataError: it cannot be written, or holds something else.
        AudioError: a sound cannot be read.
    """
    if output.suffix.lower() in HTML_SUFFIXES:
        with written_whole(output) as temporary:
            inside = (f"data:audio/wav;base64,{base64.b64encode(sound).decode()}" for sound in sounds)
            temporary.write_text("".join(page(inside)), encoding="utf-8")
        return
    with temporary_folder_beside(output) as folder:
        names = []
        try:
            (folder / AUDIO).mkdir()
            for number, sound in enumerate(sounds):
                names.append(f"{AUDIO}/{number:03d}.wav")
                (folder / names[-1]).write_bytes(sound)
            (folder / INDEX).write_text("".join(page(iter(names))), encoding="utf-8")
            if output.is_dir():  # an earlier page
                for file in [*(output / AUDIO).glob("*.wav"), output / INDEX]:
                    file.unlink(missing_ok=True)
                (output / AUDIO).rmdir() if (output / AUDIO).is_dir() else None
                output.rmdir()
            os.replace(folder, output)
        except OSError as error:
            raise unwritable(output, error) from error


def _sounds(search: Search) -> Iterator[bytes]:
    """The examples, then the neighbours, as WAV files: what the network has heard, at its rate."""
    rate = search.sampling_rate
    for example in search.examples:
        yield read_excerpt(example, 0.0, LONGEST_EXAMPLE, rate)
    for neighbour in search.neighbours:
        yield read_excerpt(neighbour.file, neighbour.start, neighbour.end, rate)


def read_excerpt(file: str, start: float, end: float, rate: int) -> bytes:
    """A part of a recording as a WAV file at a rate; start, end: in seconds."""
    written = io.BytesIO()
    samples = load_section(file, rate, start, end)
    soundfile.write(written, to_int16(samples), rate, format="WAV", subtype="PCM_16")
    return written.getvalue()


def _write_page(search: Search, sources: Iterator[str]) -> Iterator[str]:
    """The page, piece by piece; sources: addresses of the sounds, in the order of `_sounds`."""
    yield '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
    yield '<meta name="viewport" content="width=device-width">\n<title>Similar sounds</title>\n'
    yield f"<style>{STYLE}</style>\n<h1>Similar sounds</h1>\n"
    yield f"<p>The nearest of {search.n_windows} windows by the cosine of their embeddings to those of:</p>\n<ul>\n"
    for example, source in zip(search.examples, islice(sources, len(search.examples)), strict=True):
        yield f"<li>{escape_html(example)}<br>{player(source)}</li>\n"
    yield "</ul>\n<table>\n<thead><tr><th>#<th>similarity<th>sound<th>file<th>from, s<th>to, s"
    several = len(search.examples) > 1
    yield f"{'<th>nearest example' if several else ''}</tr></thead>\n<tbody>\n"
    for neighbour, source in zip(search.neighbours, sources, strict=True):
        yield f'<tr><td class="number">{neighbour.rank}<td class="number">{neighbour.similarity:.3f}'
        yield f"<td>{player(source)}<td>{escape_html(neighbour.file)}"
        yield f'<td class="number">{neighbour.start:.2f}<td class="number">{neighbour.end:.2f}'
        yield f"{f'<td>{escape_html(neighbour.example)}' if several else ''}</tr>\n"
    yield "</tbody>\n</table>\n</html>\n"


def player(source: str) -> str:
    """What plays a sound of that address."""
    return f'<audio controls preload="none" src="{escape_html(source)}"></audio>'


def escape_html(text: str) -> str:
    """A text escaped for HTML; bytes of a name that are no text are shown as numbers."""
    return html.escape(text.encode("utf-8", "backslashreplace").decode())
