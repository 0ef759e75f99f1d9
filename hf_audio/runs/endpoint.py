"""What a repository needs beside a checkpoint to be a custom inference endpoint of the Hugging Face Hub."""

import json
import shutil
from pathlib import Path

HANDLER_NAME, REQUIREMENTS_NAME = "handler.py", "requirements.txt"
HANDLER = '''"""What the Hub's inference endpoints call: `EndpointHandler(path)({"inputs": audio})`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # where hf_audio lies

from hf_audio.inference.endpoint import EndpointHandler  # noqa: E402

__all__ = ["EndpointHandler"]
'''
# Of hf_audio, what loads and asks a checkpoint: so nothing needs to be installed that is in no package index.
PARTS = (
    *("__init__.py", "errors.py", "files.py", "folders.py"),
    *("lettering.py", "problems.py", "processes.py", "registration.py"),
    *("audio", "encoders", "inference", "models", "remote"),
)
# Of the package's own requirements, those of these parts.
REQUIREMENTS = ("numpy>=2,<3", "soundfile>=0.13,<0.15", "soxr>=0.5,<2", "torch>=2.9,<2.14", "transformers>=5.17,<6")
OF_SPEECH = "silero-vad>=6.2.3,<7"


def write_endpoint(folder: Path) -> None:
    """Put the handler, what it imports and what it requires beside a checkpoint that is to be uploaded."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    package = Path(__file__).parent.parent
    for part in PARTS:
        source, target = package / part, folder / package.name / part
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.parent.mkdir(exist_ok=True)
            shutil.copy(source, target)
    requirements = [*REQUIREMENTS, *([OF_SPEECH] if config.get("speech_only") else [])]
    (folder / HANDLER_NAME).write_text(HANDLER, encoding="utf-8")
    (folder / REQUIREMENTS_NAME).write_text("\n".join(requirements) + "\n", encoding="utf-8")
