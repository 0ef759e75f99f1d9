"""Every clip decoded and resampled once, into a memory-mapped column."""

import hashlib
import itertools
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow.compute as pc
import soundfile
from datasets import Dataset, concatenate_datasets

from ..audio.loading import load_audio, unreadable
from ..audio.packing import pack_samples, unpack_samples
from ..audio.sections import load_section
from ..audio.speech import VERSION as VOICE_ACTIVITY_VERSION
from ..audio.speech import keep_speech, load_voice_activity
from ..errors import AudioError, DataError
from ..folders import foreign_decoder
from ..processes import count_cores
from .rows import ENCODED_COLUMN, END_COLUMN, START_COLUMN, part_columns

# Of recordings of an hour each, a hundred at a time would not fit into memory.
ROWS_A_WRITE = 16
# Raised whenever the bytes in the cache would come out differently.
CACHE_VERSION = 2


def cache_audio(
    dataset: Dataset, sampling_rate: int, *, strict: bool = False, speech_only: bool = False
) -> tuple[Dataset, list[dict[str, str]]]:
    """Decode and resample every `path` once, into a memory-mapped column `audio` of 16-bit samples.

    Where the data set has `ENCODED_COLUMN`, that is decoded, and not returned. Of rows that are parts of recordings,
    see `part_columns`, those parts are, found by seeking where the format allows it. With `speech_only`, which is of
    whole clips, what is no speech is cut away, and a clip without any cannot be used.

    Kept in the `datasets` cache under a name made of the files' names, sizes and times, or of their contents, so a
    changed file is decoded again and an unchanged one never, whatever its label. Adds `index`, a row's number, from
    which its random draws come.

    Returns:
        The data set without the files that cannot be used, and those as `{"path", "reason"}`.

    Raises:
        DataError: `strict` and a file cannot be used, or no file can, or there is no room for what is decoded.
        ImportError: `speech_only`, and `silero-vad` is not installed.
        OSError: the cache folder cannot be made.
    """
    if len(dataset) == 0:
        raise DataError("There are no clips in the training or the test part: check the split.")
    made_by: list[Any] = [CACHE_VERSION, soundfile.__libsndfile_version__, foreign_decoder(), sampling_rate]
    if speech_only:
        load_voice_activity()  # where it is not installed, that shall be said of no single file
        made_by.append(VOICE_ACTIVITY_VERSION)
    encoded = [ENCODED_COLUMN] if ENCODED_COLUMN in dataset.column_names else []
    read_columns = [*encoded, *part_columns(dataset)]
    fingerprint = _fingerprint(dataset, read_columns, made_by)
    folder = Path(datasets.config.HF_DATASETS_CACHE) / "hf_audio"
    folder.mkdir(parents=True, exist_ok=True)
    workers = min(count_cores(), max(1, len(dataset) // 200))
    try:
        decoded = dataset.select_columns(["path", *read_columns]).map(
            _decode,
            fn_kwargs={"sampling_rate": sampling_rate, "speech_only": speech_only},
            remove_columns=["path", *read_columns],
            writer_batch_size=ROWS_A_WRITE,
            features=datasets.Features(audio=datasets.Value("binary"), problem=datasets.Value("string")),
            new_fingerprint=fingerprint,
            cache_file_name=str(folder / f"{fingerprint}.arrow"),
            num_proc=workers if workers > 1 else None,
            desc=f"Decoding to {sampling_rate} Hz",
        )
    except OSError as error:
        raise DataError(
            f"The decoded clips cannot be kept in {folder} ({error.strerror or error}): make room there, or set "
            "HF_HOME to a folder on another disk."
        ) from error
    problems = decoded["problem"][:]
    pairs = zip(dataset["path"][:], problems, strict=True)
    skipped = [{"path": path, "reason": problem} for path, problem in pairs if problem]
    if any(Path(row["path"]).exists() and row["reason"].startswith(unreadable(row["path"])) for row in skipped):
        # Not the file's fault: the next run shall look again.
        for file in decoded.cache_files:
            with suppress(OSError):  # Windows does not delete what is mapped
                Path(file["filename"]).unlink()
    if skipped and strict:
        raise DataError(f"{len(skipped)} files cannot be used and --strict is on; the first: {skipped[0]['reason']}")
    if len(skipped) == len(dataset):
        raise DataError(f"None of the {len(dataset)} files can be used; the first: {skipped[0]['reason']}")
    usable = [row for row, problem in enumerate(problems) if not problem]
    cached = concatenate_datasets([dataset.remove_columns(encoded), decoded.remove_columns("problem")], axis=1)
    return cached.add_column("index", np.arange(len(cached))).select(usable), skipped


def _fingerprint(dataset: Dataset, read_columns: Sequence[str], made_by: Sequence[Any]) -> str:
    """What decoding gives: another one whenever a file, what is read of it, or what decodes is another one.

    read_columns: the columns beside `path` that say what is decoded.
    """
    digest = hashlib.sha256(json.dumps(made_by).encode())
    contents = dataset.select_columns(read_columns) if read_columns else itertools.repeat({})
    for path, row in zip(dataset["path"][:], contents, strict=False):  # a column at once: rows one by one are slow
        found: list[Any] = [path]
        if content := row.get(ENCODED_COLUMN):
            found.append(hashlib.sha256(content).hexdigest())
        else:
            with suppress(OSError):  # the missing file is reported when it is decoded
                status = os.stat(path)
                found += [status.st_size, status.st_mtime_ns]
        found += [row[name] for name in read_columns if name != ENCODED_COLUMN]
        digest.update(json.dumps(found).encode())
    return digest.hexdigest()[:32]


def _decode(row: dict[str, Any], sampling_rate: int, speech_only: bool) -> dict[str, Any]:
    try:
        if START_COLUMN in row:
            return {"audio": _decode_part(row, sampling_rate), "problem": ""}
        source = row.get(ENCODED_COLUMN) or row["path"]
        return {"audio": decode_clip(source, row["path"], sampling_rate, speech_only), "problem": ""}
    except AudioError as error:
        return {"audio": b"", "problem": str(error)}


def _decode_part(row: dict[str, Any], sampling_rate: int) -> bytes:
    start, end = row[START_COLUMN], row[END_COLUMN]
    waveform = load_section(row["path"], sampling_rate, start, end)
    if not waveform.any():
        raise AudioError(f"{row['path']} is silent from {start:g} to {end:g} s, every sample is zero.")
    return pack_samples(waveform)


def decode_clip(source: str | bytes, name: str, sampling_rate: int, speech_only: bool) -> bytes:
    """A file, or its contents and their name, as a cell of the column `audio`, see `pack_samples`.

    Bytes and not a list of numbers: datasets turns a list into Python objects at every access.

    Raises:
        AudioError: it cannot be decoded, or is silent.
    """
    waveform = load_audio(source, sampling_rate, name=name)
    if speech_only:
        waveform = keep_speech(waveform, sampling_rate, name)
    if not waveform.any():
        raise AudioError(f"{name} is silent, every sample is zero: record it again or leave it out.")
    return pack_samples(waveform)


def clip_lengths(cached: Dataset) -> np.ndarray:
    """The samples of every clip that `cache_audio` has given, (clips,)."""
    lengths = [
        pc.binary_length(batch["audio"]).to_numpy() // 2 for batch in cached.with_format("arrow").iter(batch_size=1000)
    ]
    return np.concatenate(lengths)


def longest_clip(cached: Dataset) -> tuple[str, int]:
    """The path and the samples of the longest clip that `cache_audio` has given."""
    samples = clip_lengths(cached)
    row = int(samples.argmax())
    return cached[row]["path"], int(samples[row])


def check_lengths(cached: Dataset, sampling_rate: int, clip_seconds: float) -> None:
    """Refuse clips of more than `clip_seconds`, where half a clip is something else than the whole.

    Raises:
        DataError: there is one.
    """
    path, samples = longest_clip(cached)
    if samples > clip_seconds * sampling_rate:
        raise DataError(
            f"{path} lasts {samples / sampling_rate:.1f} s, more than the {clip_seconds:g} s in which a number is "
            "read as a whole: cut it, or leave it out."
        )


def cached_waveform(audio: bytes | memoryview) -> np.ndarray:
    """A cell of `cache_audio`'s column `audio` -> (samples,) float32."""
    return unpack_samples(audio)
