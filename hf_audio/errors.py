"""What a user can mend, one tree: every message is one sentence that names the file or argument and the remedy.

    ValueError
    └── Refusal
        ├── ArgumentError              a flag or a parameter
        ├── DataError                  a folder, a table or a data set
        ├── AudioError                 a recording
        │   ├── UndecodableAudioError
        │   ├── LongAudioError
        │   └── NoSpeechError
        ├── CheckpointError            a finished folder, a Hub id or an ONNX file
        ├── ExportError                a file or page that is to be written of one
        ├── HubError                   the Hub
        ├── DivergedError              a training that came to numbers that are none
        ├── BrowserError               a browser that runs the page
        ├── DecodingError              a process that decodes
        └── MissingExtraError          a package that an extra of hf_audio brings (also an ImportError)

The command line turns these, and an `OSError` that names a file, into a sentence and exit code 2. Anything else is a
bug of hf_audio and keeps its traceback.
"""

import errno
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

SECRET_WORDS = "sig|token|key|secret|credential|password|auth"  # in the name of what nobody else shall know
SECRET = rf"[^=&?\s]*(?:{SECRET_WORDS})[^=&?\s]*"
# Of what schemes an address names a container before an @, as `abfs://container@account.dfs.core.windows.net/a.wav`.
CONTAINERS = ("az", "abfs", "abfss")
# What an address holds of them: a name and a password, or parts of its query.
# A value ends where the sentence goes on.
USER = "".join(f"(?<!{scheme}://)" for scheme in CONTAINERS) + r"(?<=://)[^\s/]+@|(?<=://)[^\s/@]*:[^\s/]*@"
CREDENTIALS = re.compile(rf"{USER}|(?<=[?&]){SECRET}=(?:[^&\s:,)]|[:,)]+(?=[^&\s:,)]))*&?", re.IGNORECASE)
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)


class Refusal(ValueError):  # noqa: N818  (it refuses; what is wrong is the user's input)
    """Something that the user can mend; the message is one sentence that names it and the remedy.

    What an address in it holds of credentials, as `https://me:word@host`, is left out.
    """

    alone = False
    """Whether, of several processes, this one may be the only one that refuses."""

    def __str__(self) -> str:
        sentence = super().__str__()
        return CREDENTIALS.sub("", sentence) if "://" in sentence else sentence


class ArgumentError(Refusal):
    """An argument that cannot be used."""


class DataError(Refusal):
    """A data set that cannot be used, or a file that cannot be written."""


class AudioError(Refusal):
    """Audio that cannot be used."""


class UndecodableAudioError(AudioError):
    """Bytes that are no audio, or of a kind that libsndfile does not know."""


class LongAudioError(AudioError):
    """A recording longer than the caller allows."""


class NoSpeechError(AudioError):
    """A recording in which nobody speaks.

    Args:
        name: of the file.
        probability: that somebody speaks, in the recording's most promising moment, 0 to 1.
    """

    def __init__(self, name: str, probability: float):
        super().__init__(f"{name} holds no speech: record it again or leave it out.")
        self.probability = probability


class CheckpointError(Refusal):
    """A checkpoint that cannot be used."""


class ExportError(Refusal):
    """An ONNX file or a page that cannot be written, or that does not give the checkpoint's answers."""


class HubError(Refusal):
    """What keeps a folder from the Hub."""


class DivergedError(Refusal):
    """A training that came to numbers that are none, or a network that such a training has left."""


class BrowserError(Refusal):
    """A browser that did not do as it was told, or a page that refused a clip."""


class DecodingError(Refusal):
    """Decoding came to an end before the clips did."""


class MissingExtraError(Refusal, ImportError):
    """A package that is not installed, and the extra that brings it."""


@contextmanager
def refusals_end_in_a_sentence(speaks: bool = True) -> Iterator[None]:
    """End the program with exit code 2 and one sentence where the user can mend what is wrong.

    speaks: whether the sentence is printed; of several processes, one speaks for those that refuse the same.

    Raises:
        SystemExit: with 2.
    """
    try:
        yield
    except Refusal as error:
        sentence, speaks = _sentence(error), speaks or error.alone
    except OSError as error:
        if error.filename is None and error.errno not in NO_ROOM:
            raise
        sentence = _explain_cache(error) or str(error)
    else:
        return
    if speaks:
        print(f"\nerror: {' '.join(sentence.split())}", file=sys.stderr)  # below a progress bar that stands half drawn
    sys.exit(2)


def _explain_cache(error: OSError) -> str | None:
    """What to do where the cache of Hugging Face's libraries cannot be written; `None` of any other file.

    Source of the folders: https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables.
    """
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.join("~", ".cache")
    folders = {name: os.environ.get(name) for name in ("HF_DATASETS_CACHE", "HF_HUB_CACHE", "HF_HOME")}
    folders["HF_HOME"] = folders["HF_HOME"] or os.path.join(caches, "huggingface")
    for name, folder in folders.items():
        if not folder or not isinstance(error.filename, str):
            continue
        folder = os.path.abspath(os.path.expanduser(folder))
        is_below = f"{os.path.abspath(error.filename)}{os.sep}".startswith(f"{folder}{os.sep}")
        if is_below and (error.errno in NOT_WRITABLE or not os.path.isdir(folder)):
            return (
                f"{error.filename} in the cache of Hugging Face's libraries cannot be used ({error.strerror}): set "
                f"the variable {name} to a folder that can be written, on a disk with room."
            )
    return None


def _sentence(error: Refusal) -> str:
    message = str(error)
    if "Traceback (most recent call last)" in message:  # so the error of a loader worker arrives
        return message.strip().splitlines()[-1].partition("Error: ")[2]
    return message
