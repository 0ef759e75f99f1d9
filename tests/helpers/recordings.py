"""Recordings and tables made on the spot, and real ones where `../shared/data` has them."""

import csv
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
import soxr

from hf_audio.corpora.espeak import speak

REPOSITORY = Path(__file__).parents[2]


REAL_DATA = REPOSITORY.parent / "shared" / "data"


RATE = 8000


def real(name: str) -> Path:
    """The folder of a real data set; a test that asks for one is skipped where there is none."""
    folder = REAL_DATA / name
    if not folder.is_dir():
        pytest.skip(f"the real recordings are not here: {folder.name}")
    return folder


def tone(hertz: float, seconds: float = 0.5, rate: int = RATE, seed: int = 0) -> np.ndarray:
    """A sine in a little noise: (samples,) float32."""
    t = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(seed).standard_normal(len(t))
    return (0.3 * np.sin(2 * np.pi * hertz * t) + 0.01 * noise).astype(np.float32)


def speech(text: str, rate: int, voice: str = "en-us") -> np.ndarray:
    """A synthetic voice: (samples,) float32; the test that asks for it is skipped where there is no eSpeak NG."""
    pytest.importorskip("espeakng_loader")
    samples, native = speak(text, voice)
    return soxr.resample(samples, native, rate).astype(np.float32)


def encoded(waveform: np.ndarray, rate: int = RATE, **options) -> bytes:
    """A file as soundfile writes it, a WAV unless `format` says otherwise."""
    file = io.BytesIO()
    soundfile.write(file, waveform, rate, **{"format": "WAV", **options})
    return file.getvalue()


def write_tones(folder: Path) -> Path:
    """Three classes of twelve tones each, a folder a class."""
    for number, (name, hertz) in enumerate({"low": 300, "mid": 900, "high": 2500}.items()):
        (folder / name).mkdir(parents=True)
        for index in range(12):
            waveform = tone(hertz * (1 + 0.01 * index), 0.4 + 0.05 * index, seed=100 * number + index)
            soundfile.write(folder / name / f"{index}.wav", waveform, RATE)
    return folder


def write_parquet(path: Path, rows, group: int = 5, classes: list[str] | None = None) -> Path:
    """A shard of (encoded audio, file name, label) as `datasets` writes it; with classes, labels are their numbers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    contents, names, labels = zip(*rows, strict=True)
    table = pa.table({"audio": [{"bytes": c, "path": n} for c, n in zip(contents, names, strict=True)]})
    if classes is None:
        table = table.append_column("label", pa.array(labels))
    else:
        table = table.append_column("label", pa.array([classes.index(label) for label in labels]))
        feature = {"names": classes, "_type": "ClassLabel"}
        features = {"audio": {"_type": "Audio"}, "label": feature}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, path, row_group_size=group)
    return path


def write_tar(path: Path, rows, extension: str = "txt") -> Path:
    """A shard of (encoded audio, file name, label) in WebDataset's layout, labels in files of that extension."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for number, (content, name, label) in enumerate(rows):
            told = json.dumps({"label": label, "file": name}) if extension == "json" else str(label)
            for suffix, data in (("wav", content), (extension, told.encode())):
                member = tarfile.TarInfo(f"{number:03}.{suffix}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    return path


def touch(folder: Path, *names: str) -> Path:
    """Empty files of these names: nothing listens to them."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return folder


def write_table(path: Path, rows, delimiter: str = ",") -> Path:
    """A CSV or TSV of rows, the header first."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL).writerows(rows)
    return path


def vowel(pitch: float, formants=(600, 1200, 2500), rate: int = 16000, seconds: float = 1.5) -> np.ndarray:
    """Harmonics of a pitch under an envelope with peaks at the formants."""
    time = np.arange(round(seconds * rate)) / rate
    harmonics = np.arange(pitch, 5000, pitch)
    gains = sum(1 / (1 + ((harmonics - formant) / 120) ** 2) for formant in formants)
    return (gains[:, None] * np.cos(2 * np.pi * harmonics[:, None] * time)).sum(0).astype(np.float32) * 0.05
