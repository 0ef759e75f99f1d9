"""Small synthetic recordings and checkpoints; real ones where `../shared/data` has them. No test needs the network."""

import gc
import itertools
import os
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ.setdefault("OMP_NUM_THREADS", "1")  # of each of the processes that share the cores

import pytest
from filelock import FileLock
from helpers.checkpoints import tiny_config, trained_looking_model
from helpers.commands import command
from helpers.recordings import RATE, REPOSITORY, real, write_parquet, write_tar, write_tones

from hf_audio import AudioCNNFeatureExtractor

# The marks of transformers' own tests, which `models/test_transformers_common.py` applies where they are at hand.
TRANSFORMERS_MARKS = ("accelerate_tests", "flash_attn_test", "flash_attn_3_test", "flash_attn_4_test", "order")
TRANSFORMERS_MARKS += ("torch_compile_test", "generate", "not_device_test")
CACHES = itertools.count()


def pytest_configure(config):
    for mark in TRANSFORMERS_MARKS:
        config.addinivalue_line("markers", f"{mark}: of transformers' own tests")


def pytest_collection_finish():
    """What is imported stays; to look through it takes half a second, and every training collects garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Decoded audio of one test is no part of the next one's world."""
    # Not by `mktemp`, which looks through all folders of the tests before for a name.
    cache = tmp_path_factory.getbasetemp() / "caches" / str(next(CACHES))
    cache.mkdir(parents=True)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", cache)


@pytest.fixture
def libsndfile_alone(monkeypatch):
    """Neither PyAV nor ffmpeg is installed."""
    monkeypatch.setattr("hf_audio.folders.foreign_decoder", lambda: None)


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


@pytest.fixture
def tone_folder(tmp_path) -> Path:
    """Three classes of twelve tones each, a folder a class."""
    return write_tones(tmp_path / "tones")


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory) -> Path:
    """A home with the demo corpora that tests, of whichever process, have made already."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    (shared / "shared_home" / "hf_audio" / "demo").mkdir(parents=True, exist_ok=True)
    return shared / "shared_home"


@pytest.fixture
def demo_home(tmp_path, shared_home) -> Path:
    """An own home for a run, but with the demo corpora of `shared_home`."""
    home = tmp_path / "home"
    (home / "hf_audio").mkdir(parents=True)
    (home / "hf_audio" / "demo").symlink_to(shared_home / "hf_audio" / "demo", target_is_directory=True)
    return home


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory) -> Path:
    """A saved model of three classes at 8 kHz, with windows of one second."""
    folder = tmp_path_factory.mktemp("checkpoint")
    names = {0: "low", 1: "mid", 2: "high"}
    model = trained_looking_model(tiny_config(id2label=names, label2id={v: k for k, v in names.items()}))
    model.save_pretrained(folder)
    AudioCNNFeatureExtractor(sampling_rate=RATE).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def exported(checkpoint, shared_home) -> Path:
    """`checkpoint` as an ONNX file with embeddings, which one of the tests' processes has made for all."""
    from hf_audio.export.onnx import export_onnx

    path = shared_home / "tones.onnx"
    with FileLock(f"{path}.lock"):
        if not path.exists():
            export_onnx(checkpoint, path, embeddings=True)
    return path


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
    # Where the recipes of the tests find what they share.
    places = os.pathsep.join(filter(None, [str(REPOSITORY / "tests"), os.environ.get("PYTHONPATH")]))
    home = str(tmp_path_factory.mktemp("home"))
    return {**os.environ, "PYTHONPATH": places, "HF_HOME": home, "OMP_NUM_THREADS": "1"}


@pytest.fixture
def second_process(monkeypatch) -> list:
    """Have this process be the first of two, the second of which gives the values in this list, or the same."""
    values: list = []

    def all_gather_object(gathered, value):
        gathered[:] = [value, values.pop(0) if values else value]

    monkeypatch.setattr("hf_audio.arguments.RecipeArguments.world_size", 2)
    monkeypatch.setattr("torch.distributed.all_gather_object", all_gather_object)
    monkeypatch.setattr("torch.distributed.barrier", lambda: None)
    return values


@pytest.fixture
def run_here(monkeypatch, capsys, caplog):
    """As `run`, in this process: what a fresh one adds is seconds of imports."""
    from helpers import tones

    from hf_audio.training.start import run_recipe

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", command(*arguments)[1:])
        caplog.set_level("INFO")
        code = 0
        try:
            run_recipe(tones.make_task, tones.TonesArguments)
        except SystemExit as ended:
            code = ended.code
        return code, "".join(capsys.readouterr()) + caplog.text

    return run
