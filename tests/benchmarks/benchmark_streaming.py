"""Clips per second of training from shards against training from decoded clips, and the memory that shards take.

    python tests/benchmarks/benchmark_streaming.py --data_dir ESC50 --shards DIR [--rounds 5] [any flag of the recipe]

Writes ESC-50 into shards, fold 5 as the test split, once for each kind: Parquet with the files as they are (Ogg Vorbis
at 22,050 Hz in the reduced pack), Parquet with WAV and with FLAC, and tars with WAV, all at the rate of training. Then
trains the recipe's network with its augmentation on each kind and on decoded clips, in turns, two epochs a turn of
which the first one, that starts workers, is not timed. Medians and ratios, by the clock and, for a machine on which
others compute too, by the time that cores have spent (with `--dataloader_num_workers 0`, or it is not all of it).
`--memory` measures instead the most memory of a process that trains an epoch on the Parquet shards with WAV, and on
four times as many under other names.
"""

import argparse
import importlib.util
import io
import os
import resource
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
from transformers import TrainerCallback

import hf_audio.training.setup
from hf_audio import AudioCNNConfig
from hf_audio.audio.loading import load_audio
from hf_audio.data.shards import load_shards
from hf_audio.data.tables.columns import TEST
from hf_audio.recipe_flags import parse_arguments
from hf_audio.training.fine_tune import fine_tune
from hf_audio.training.general_sounds.presets import PRESETS, SIGNAL
from hf_audio.training.general_sounds.transforms import slow_transforms, waveform_transforms
from hf_audio.training.task import Task
from hf_audio.training.trainer import AudioTrainer

SPEC = importlib.util.spec_from_file_location("esc50", Path(__file__).parents[2] / "recipes" / "esc50.py")
esc50 = importlib.util.module_from_spec(SPEC)
sys.modules["esc50"] = esc50
SPEC.loader.exec_module(esc50)

KINDS = {
    "as they are": ("parquet", None),
    "WAV": ("parquet", "WAV"),
    "FLAC": ("parquet", "FLAC"),
    "tar": ("tar", "WAV"),
}
ROWS_A_SHARD = 200
RATE = SIGNAL["sampling_rate"]


def encode(path: str, container: str | None) -> bytes:
    """A file as it is, or in another container at the rate of training."""
    if container is None:
        return Path(path).read_bytes()
    buffer = io.BytesIO()
    soundfile.write(buffer, load_audio(path, RATE), RATE, format=container, subtype="PCM_16")
    return buffer.getvalue()


def write_shards(folder: Path, data_dir: Path, kind: str) -> Path:
    """The shards of a kind, written once."""
    target = folder / kind.replace(" ", "_")
    if target.exists():
        return target
    suffix, container = KINDS[kind]
    dataset = esc50.load_recordings(data_dir)
    names = dataset.features["label"].names
    tested = np.asarray(dataset["fold"]) == "5"
    temporary = folder / f".{target.name}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    for split, rows in (("train", np.flatnonzero(~tested)), ("test", np.flatnonzero(tested))):
        rows = np.random.default_rng(0).permutation(rows)
        for number, start in enumerate(range(0, len(rows), ROWS_A_SHARD)):
            part = dataset.select(rows[start : start + ROWS_A_SHARD])
            clips = [(encode(row["path"], container), Path(row["path"]).name, names[row["label"]]) for row in part]
            (write_parquet if suffix == "parquet" else write_tar)(temporary / f"{split}-{number:05}.{suffix}", clips)
    os.replace(temporary, target)
    return target


def write_parquet(path: Path, clips: list[tuple[bytes, str, str]]) -> None:
    """Audio as `datasets` stores it, in row groups of 50."""
    audio = [{"bytes": audio, "path": name} for audio, name, _ in clips]
    pq.write_table(pa.table({"audio": audio, "label": [label for *_, label in clips]}), path, row_group_size=50)


def write_tar(path: Path, clips: list[tuple[bytes, str, str]]) -> None:
    """In WebDataset's layout."""
    with tarfile.open(path, "w") as archive:
        for number, (audio, _, label) in enumerate(clips):
            for extension, content in (("wav", audio), ("txt", label.encode())):
                member = tarfile.TarInfo(f"{number:06}.{extension}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))


class Epochs(TrainerCallback):
    """Clips per second of the last epoch, by the clock and by the cores' time."""

    def on_epoch_begin(self, args, state, control, **kwargs):
        """Starts the clocks."""
        self.start, self.first = np.array([time.perf_counter(), time.process_time()]), state.global_step

    def on_epoch_end(self, args, state, control, **kwargs):
        """Stops them."""
        seconds = np.array([time.perf_counter(), time.process_time()]) - self.start
        self.rates = (state.global_step - self.first) * args.train_batch_size / seconds


def train(flags: list[str], data_dir: Path, shards: Path | None, epochs: int) -> np.ndarray:
    """Clips per second of the last epoch, by the clock and by the cores' time, of what the recipe trains."""
    watch = Epochs()

    class TimedTrainer(AudioTrainer):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.add_callback(watch)

    hf_audio.training.setup.AudioTrainer = TimedTrainer
    with tempfile.TemporaryDirectory() as out:
        own = ["--output_dir", str(Path(out) / "run"), "--num_train_epochs", str(epochs), "--save_strategy", "no"]
        args = parse_arguments(esc50.ESC50Arguments, [*flags, *own, "--disable_tqdm", "true"])
        options: dict[str, Any] = {
            "augmentation": waveform_transforms(),
            "slow_augmentation": slow_transforms(),
        }
        options |= {"config": AudioCNNConfig(**PRESETS[args.model]), "facts": esc50.facts(args)}
        if shards is None:
            dataset = esc50.load_recordings(data_dir)
            task = Task(dataset=dataset, held_out=np.asarray(dataset["fold"]) == "5", **options)
        else:
            stream, collection = load_shards(shards)
            task = Task(dataset=collection.dataset, held_out=collection.rows(TEST), stream=stream, **options)
        fine_tune(args, task)
    return watch.rates


def compare(known: argparse.Namespace, flags: list[str]) -> Iterator[str]:
    """In turns; lines to print."""
    ways = {"decoded": None, **{kind: write_shards(known.shards, known.data_dir, kind) for kind in KINDS}}
    rates: dict[str, list[np.ndarray]] = {way: [] for way in ways}
    for _ in range(known.rounds):
        for way, shards in ways.items():
            rates[way].append(train(flags, known.data_dir, shards, 2))
    for place, clock in enumerate(("clips/s", "clips per second of a core")):
        for way, values in rates.items():
            own, decoded = np.array(values)[:, place], np.array(rates["decoded"])[:, place]
            ratio = own / decoded
            told = f"{np.median(ratio):.2f} of decoded (from {ratio.min():.2f} to {ratio.max():.2f})"
            yield f"{way:>12}: {np.median(own):5.0f} {clock}, {told}"


def measure_memory(known: argparse.Namespace, flags: list[str]) -> Iterator[str]:
    """In processes of their own; lines to print."""
    once = write_shards(known.shards, known.data_dir, "WAV")
    for times in (1, 4):
        folder = known.shards / f"times_{times}"
        folder.mkdir(exist_ok=True)
        for shard in once.iterdir():
            for copy in range(times if shard.name.startswith("train") else 1):
                link = folder / shard.name.replace("-", f"-{copy}-")
                if not link.exists():
                    link.symlink_to(shard)
        command = [sys.executable, __file__, "--data_dir", str(known.data_dir), "--shards", str(folder), "--one_epoch"]
        done = subprocess.run([*command, *flags], capture_output=True, text=True, check=True)
        yield f"{times} x the clips: {done.stdout.splitlines()[-1]}"


def main() -> None:
    """Print the medians, or the peaks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data_dir", type=Path, required=True)
    parser.add_argument("--shards", type=Path, required=True, help="Folder to write shards into.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--one_epoch", action="store_true", help="Of shards that are there; prints its memory.")
    known, flags = parser.parse_known_args()
    if known.one_epoch:
        train(flags, known.data_dir, known.shards, 1)
        peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
        workers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        print(f"training process {int(peak.split()[1]) / 1e3:.0f} MB, largest child {workers / 1e3:.0f} MB")
        return
    for line in measure_memory(known, flags) if known.memory else compare(known, flags):
        print(line, flush=True)


if __name__ == "__main__":
    main()
