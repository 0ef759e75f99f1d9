"""Small synthetic recordings and checkpoints; real ones where `../shared/data` has them. No test needs the network."""

import csv
import importlib.util
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ.setdefault("OMP_NUM_THREADS", "1")  # of each of the processes that share the cores

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
import soxr
import torch
from safetensors.torch import load_file

from hf_audio import AudioCNNConfig, AudioCNNFeatureExtractor, AudioCNNForAudioClassification
from hf_audio.espeak import speak

REPOSITORY = Path(__file__).parents[1]
REAL_DATA = REPOSITORY.parent / "shared" / "data"
RATE = 8000
CANVAS_BACKBONES = ("alexnet", "cnn3")  # which read inputs of one length


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Decoded audio of one test is no part of the next one's world."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))


def real(name: str) -> Path:
    """The folder of a real data set; a test that asks for one is skipped where there is none."""
    folder = REAL_DATA / name
    if not folder.is_dir():
        pytest.skip(f"the real recordings are not here: {folder.name}")
    return folder


@pytest.fixture(scope="session")
def real_digits() -> Path:
    """The Free Spoken Digit Dataset."""
    return real("fsdd")


@pytest.fixture(scope="session")
def real_sounds() -> Path:
    """ESC-50."""
    return real("esc50")


@pytest.fixture(scope="session")
def real_numbers() -> Path:
    """Numbers read by synthetic voices, in the layout of numbers2."""
    return real("numbers2")


def tiny_config(**changes) -> AudioCNNConfig:
    """A model that trains in a blink."""
    defaults = {
        "sampling_rate": RATE,
        "clip_seconds": 1.0,
        "min_seconds": 0.1,
        "n_fft": 256,
        "win_length": 200,
        "hop_length": 80,
        "n_mels": 20,
        "n_mfcc": 13,
        "hidden_sizes": [8, 12],
        "dropout": 0.0,
        "num_labels": 3,
    }
    sizes = {"shufflenet": [8, 8, 16, 24, 32], "alexnet": [8, 8, 12, 12, 16], "cnn3": [8, 8, 12]}
    backbone = changes.get("backbone")
    if backbone in sizes:
        defaults["hidden_sizes"] = sizes[backbone]
    if backbone in CANVAS_BACKBONES:
        defaults["min_seconds"] = defaults["clip_seconds"]
    if "num_digits" in changes:
        del defaults["num_labels"]
    return AudioCNNConfig(**{**defaults, **changes})


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


@pytest.fixture
def tone_folder(tmp_path) -> Path:
    """Three classes of twelve tones each, a folder a class."""
    return write_tones(tmp_path / "tones")


def write_tones(folder: Path) -> Path:
    """Three classes of twelve tones each, a folder a class."""
    for number, (name, hertz) in enumerate({"low": 300, "mid": 900, "high": 2500}.items()):
        (folder / name).mkdir(parents=True)
        for index in range(12):
            waveform = tone(hertz * (1 + 0.01 * index), 0.4 + 0.05 * index, seed=100 * number + index)
            soundfile.write(folder / name / f"{index}.wav", waveform, RATE)
    return folder


def trained_looking_model(config: AudioCNNConfig, seed: int = 0) -> AudioCNNForAudioClassification:
    """Random weights and, as after training, batch statistics that are not zeros and ones."""
    torch.manual_seed(seed)
    model = AudioCNNForAudioClassification(config).train()
    batch = torch.from_numpy(np.stack([tone(hertz, 0.6, config.sampling_rate) for hertz in (200, 500, 1000, 3000)]))
    with torch.no_grad():
        for _ in range(30):
            model(batch)
        model.classifier.weight.mul_(3)  # scores that differ well from one sound to the next
    return model.eval()


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory) -> Path:
    """A saved model of three classes at 8 kHz, with windows of one second."""
    folder = tmp_path_factory.mktemp("checkpoint")
    names = {0: "low", 1: "mid", 2: "high"}
    model = trained_looking_model(tiny_config(id2label=names, label2id={v: k for k, v in names.items()}))
    model.save_pretrained(folder)
    AudioCNNFeatureExtractor(sampling_rate=RATE).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def tones(tmp_path_factory):
    return write_tones(tmp_path_factory.mktemp("data") / "tones")


@pytest.fixture(scope="module")
def tone_shards(tones, tmp_path_factory):
    """The same tones in three shards of unequal size, every fourth one in a shard to test by; Parquet and tars."""
    rows = [(file.read_bytes(), file.name, file.parent.name) for file in sorted(tones.glob("*/*.wav"))]
    tested, trained = rows[3::4], [row for number, row in enumerate(rows) if number % 4 != 3]
    parts = {"train": [trained[::2], trained[1::4], trained[3::4]], "test": [tested]}
    folder = tmp_path_factory.mktemp("shards")
    for part, shards in parts.items():
        for number, shard in enumerate(shards):
            write_parquet(folder / "parquet" / f"{part}-{number:05}.parquet", shard)
            write_tar(folder / "tar" / part / f"{number:05}.tar", shard)
    return folder


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A cache of its own for all processes of a module, and one thread each, for equal sums."""
    return {**os.environ, "HF_HOME": str(tmp_path_factory.mktemp("home")), "OMP_NUM_THREADS": "1"}


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


def command(tones, out, *flags, launcher=(), recipe="tones.py"):
    common = ["--data_dir", str(tones), "--output_dir", str(out), "--bf16", "false", "--seed", "1"]
    return [sys.executable, *launcher, str(REPOSITORY / "tests" / recipe), *common, *flags]


@pytest.fixture
def run_here(monkeypatch, capsys, caplog):
    """As `run`, in this process: what a fresh one adds is seconds of imports."""
    import tones  # reads this module

    from hf_audio.recipe import run_recipe

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", command(*arguments)[1:])
        caplog.set_level("INFO")
        code = 0
        try:
            run_recipe(tones.main, tones.TonesArguments)
        except SystemExit as ended:
            code = ended.code
        return code, "".join(capsys.readouterr()) + caplog.text

    return run


def run(environment, *arguments, **keywords):
    done = subprocess.run(
        command(*arguments, **keywords), env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    return done.returncode, done.stdout + done.stderr


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """Of a finished folder."""
    return load_file(folder / "model.safetensors")


def results(folder: Path) -> dict:
    """Of a finished folder."""
    return json.loads((folder / "all_results.json").read_text())


def load_recipe(name: str):
    """The module of `recipes/<name>.py`."""
    spec = importlib.util.spec_from_file_location(name, REPOSITORY / "recipes" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def write_table(path: Path, rows, delimiter: str = ",") -> Path:
    """A CSV or TSV of rows, the header first."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL).writerows(rows)
    return path
