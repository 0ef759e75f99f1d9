"""Festival, a speech synthesiser whose Russian voice is cut out of one man's recordings.

It is a program of the system: in Debian, `apt install festival festvox-ru`. Source: https://www.cstr.ed.ac.uk/projects/festival/.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..audio.loading import load_audio
from ..errors import DataError, MissingExtraError

VOICE = "msu_ru_nsh_clunits"
RATE = 16000  # Hz, of the voice


def is_installed() -> bool:
    """Whether the program and its Russian voice are there."""
    return shutil.which("festival") is not None and any(
        (Path(folder) / "voices" / "russian" / VOICE).is_dir()
        for folder in ("/usr/share/festival", "/usr/local/share/festival", "/usr/lib/festival")
    )


def speak_all(texts: Sequence[str]) -> list[np.ndarray]:
    """Synthesise Russian texts, in one run of the program.

    Returns:
        Of each text its samples, (samples,) float32 at 16 kHz.

    Raises:
        MissingExtraError: Festival or its Russian voice is not installed.
        DataError: it does not say one of them.
    """
    if not is_installed():
        raise MissingExtraError("Festival's Russian voice is missing: apt install festival festvox-ru.")
    with tempfile.TemporaryDirectory(prefix="hf_audio-") as folder:
        files = [Path(folder) / f"{number}.wav" for number in range(len(texts))]
        lines = [f"(voice_{VOICE})"]
        for text, file in zip(texts, files, strict=True):
            quoted = text.replace("\\", " ").replace('"', " ")
            lines.append(f'(utt.save.wave (utt.synth (Utterance Text "{quoted}")) "{file}" (quote riff))')
        script = Path(folder) / "speak.scm"
        script.write_text("\n".join([*lines, ""]), encoding="utf-8")
        ended = subprocess.run(["festival", "-b", str(script)], capture_output=True, check=False)
        for text, file in zip(texts, files, strict=True):
            if not file.is_file():
                log = ended.stderr.decode(errors="replace").strip().splitlines()
                raise DataError(f"Festival does not say {text!r}: {log[-1] if log else 'it names no reason'}.")
        return [load_audio(file, RATE) for file in files]
