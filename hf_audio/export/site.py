"""A static web page that runs a checkpoint in the visitor's browser."""

import json
import lzma
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import ExportError
from ..files import temporary_folder_beside
from ..inference.checkpoint import ONNX_SUFFIX, load_classifier
from ..inference.onnx_classifier import OnnxAudioClassifier
from .onnx import export_onnx

PAGE = Path(__file__).parent / "page"
MODEL_NAME = "model.onnx"
FACTS_NAME = "model.json"  # written beside the model, for the page
PACKED_SUFFIX = ".xz"


def make_site(checkpoint: str | os.PathLike, output_dir: str | os.PathLike) -> Path:
    """Write the page, the exported model and ONNX Runtime for browsers into a folder that any static host can serve.

    An earlier site in that folder is replaced; clips that were laid beside it stay.

    Args:
        checkpoint: a finished folder or a Hub id, of an AudioCNN or an ensemble of them, or an exported ONNX file.
        output_dir: a new or empty folder, or that of an earlier site.

    Returns:
        The folder.

    Raises:
        ExportError: the folder holds something else, or lies in none that exists.
        CheckpointError: no such checkpoint, or one that does not hold its own front-end.
        ExportError: the exported model does not give torch's answers.
    """
    site = Path(output_dir)
    _check_free(site)
    classifier = load_classifier(checkpoint)
    if classifier.facts.speech_only:
        raise ExportError(f"{checkpoint} is of speech alone, which a page cannot find in sound: use hf-audio serve.")
    if isinstance(classifier, OnnxAudioClassifier) and classifier.is_static:
        raise ExportError(f"{checkpoint} takes windows of one length alone: give a file exported without --static.")
    with temporary_folder_beside(site) as folder:
        written = folder / site.name
        _write_page(written)
        if Path(checkpoint).suffix == ONNX_SUFFIX:
            shutil.copyfile(checkpoint, written / MODEL_NAME)
        else:
            export_onnx(checkpoint, written / MODEL_NAME)
        _write_facts(checkpoint, written)
        _move(written, site)
    return site


@contextmanager
def make_site_beside(checkpoint: str | os.PathLike, begin: threading.Event) -> Iterator[Path]:
    """A folder, empty at first, in which a process of its own makes a site while the caller goes on.

    begin: set as soon as the process may take time from the caller.
    """
    command = [sys.executable, "-m", "hf_audio.cli", "page", str(checkpoint), "--output_dir"]
    with tempfile.TemporaryDirectory(prefix="hf_audio_site_") as folder:
        site = Path(folder) / "site"
        site.mkdir()
        processes: list[subprocess.Popen] = []
        ending = threading.Event()

        def start() -> None:
            begin.wait()
            if not ending.is_set():
                processes.append(subprocess.Popen([*command, str(site)], stdout=subprocess.DEVNULL))

        starting = threading.Thread(target=start, name="site")
        starting.start()
        try:
            yield site
        finally:
            ending.set()
            begin.set()
            starting.join()
            for process in processes:
                process.terminate()
                process.wait()


def _check_free(site: Path) -> None:
    if not site.absolute().parent.is_dir():
        raise ExportError(f"--output_dir {site} is in no folder that exists: make it first.")
    if site.exists() and not site.is_dir():
        raise ExportError(f"--output_dir {site} is a file: choose a new folder.")
    if site.is_dir() and any(site.iterdir()) and not (site / FACTS_NAME).is_file():
        raise ExportError(f"--output_dir {site} holds other files than a site: choose a new folder.")


def _write_page(folder: Path) -> None:
    for source in sorted(PAGE.rglob("*")):
        if source.is_dir():
            continue
        target = folder / source.relative_to(PAGE)
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == PACKED_SUFFIX:
            with lzma.open(source) as packed, open(target.with_suffix(""), "wb") as unpacked:
                shutil.copyfileobj(packed, unpacked)
        else:
            shutil.copyfile(source, target)


def _write_facts(checkpoint: str | os.PathLike, folder: Path) -> None:
    facts = OnnxAudioClassifier(folder / MODEL_NAME).facts
    values = {"title": _title(checkpoint), **facts.to_dict()}
    (folder / FACTS_NAME).write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _title(checkpoint: str | os.PathLike) -> str:
    """The first heading of the model card or, without one, the checkpoint's name."""
    card = Path(checkpoint) / "README.md"
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)  # YAML, in which # begins a comment
    heading = re.search(r"^# (.+)$", text, flags=re.MULTILINE)
    return heading[1].strip() if heading else Path(os.path.abspath(checkpoint)).name


def _move(written: Path, site: Path) -> None:
    """Whole, where there is nothing; else file by file, what is not a site's staying as it is."""
    if not site.exists() or not any(site.iterdir()):
        os.replace(written, site)
        return
    for source in sorted(written.rglob("*")):
        target = site / source.relative_to(written)
        if source.is_dir():
            target.mkdir(exist_ok=True)
        else:
            os.replace(source, target)
