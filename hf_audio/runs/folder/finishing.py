"""The end of a run: its files appear in its folder together, the results last."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ...files import write_text
from .contents import CONTINUED_NAME, FILES, RESULTS_NAME, as_json

PARTS_NAME = ".unfinished"


@contextmanager
def finishing(output_dir: Path, results: Mapping[str, Any]) -> Iterator[Path]:
    """A folder to write a run's files into; they are moved to `output_dir` together, the results last.

    From the first move to the last, the results wait in that folder and name the files: so `discard_moved` knows
    which of them a kill has left.
    """
    parts = output_dir / PARTS_NAME
    shutil.rmtree(parts, ignore_errors=True)
    parts.mkdir()
    yield parts
    names = sorted(file.name for file in parts.iterdir())
    for name in names:
        _share(parts / name)
    write_text(parts / RESULTS_NAME, as_json({**results, FILES: names}))
    (output_dir / RESULTS_NAME).unlink(missing_ok=True)  # of a run that is resumed: until its end it is unfinished
    (output_dir / CONTINUED_NAME).unlink(missing_ok=True)
    for name in [*names, RESULTS_NAME]:
        os.replace(parts / name, output_dir / name)
    shutil.rmtree(parts, ignore_errors=True)


def discard_moved(output_dir: Path) -> None:
    """Delete what a kill has left of the files of a run that was about to be finished."""
    parts = output_dir / PARTS_NAME
    with suppress(OSError, ValueError, KeyError):
        for name in json.loads((parts / RESULTS_NAME).read_text(encoding="utf-8"))[FILES]:
            (output_dir / name).unlink(missing_ok=True)
    shutil.rmtree(parts, ignore_errors=True)


def _share(path: Path) -> None:
    """Give a file the rights of any new one: safetensors keeps its own to the owner."""
    if os.name == "posix" and path.is_file():
        mask = os.umask(0)
        os.umask(mask)
        path.chmod(0o666 & ~mask)
