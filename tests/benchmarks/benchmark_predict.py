"""Clips a second of `hf-audio predict`, of decoding and model by hand, and of the stock pipeline file by file.

python tests/benchmarks/benchmark_predict.py CHECKPOINT FOLDER [--clips 2000] [--stock_clips 100] [--threads 1]

FOLDER's recordings are written anew as so many five-second WAVs. All start with the model loaded. By hand means
files decoded ahead by a thread, and the model on batches of eight, without a mask. On a machine that others use too,
compare with --threads 1: threads of torch that wait for each other slow down whatever shares a forward pass among
them, which predict does not. The stock pipeline decodes by the program ffmpeg; where that is not installed, it is
given decoded arrays, which the last line says.
"""

import argparse
import itertools
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import soundfile
import torch
from transformers import AudioClassificationPipeline as StockPipeline

from hf_audio.audio.loading import load_audio
from hf_audio.bulk.clips import find_clips
from hf_audio.bulk.decoding import Cut
from hf_audio.bulk.scoring import default_workers, judge_clips
from hf_audio.inference.torch_classifier import TorchAudioClassifier

SECONDS = 5.0
BATCH = 8


def write_clips(folder: str, source: str, n_clips: int, rate: int) -> list[str]:
    """So many clips of `SECONDS`, of what the recordings of a folder hold one after the other; their names."""
    size = round(SECONDS * rate)
    rest = np.zeros(0, np.float32)
    names: list[str] = []
    for clip in itertools.cycle(find_clips(source)):
        rest = np.concatenate([rest, load_audio(clip["path"], rate)])
        while len(rest) >= size and len(names) < n_clips:
            names.append(os.path.join(folder, f"{len(names):05}.wav"))
            soundfile.write(names[-1], rest[:size], rate)
            rest = rest[size:]
        if len(names) == n_clips:
            return names
    raise AssertionError("find_clips finds something or raises")


def predict(classifier: TorchAudioClassifier, files: Sequence[str]) -> list[str]:
    """As the command does."""
    judged = judge_clips(classifier, list(enumerate(files)), Cut(classifier.facts), default_workers(len(files)))
    best = {one.clip: classifier.facts.name(one.scores[0], 1)[0]["label"] for one in judged}
    return [best[clip] for clip in range(len(files))]


def by_hand(classifier: TorchAudioClassifier, files: Sequence[str]) -> list[str]:
    """A thread decodes ahead, the model hears batches."""
    model, rate = classifier.model, classifier.sampling_rate
    best: list[int] = []
    with ThreadPoolExecutor(1) as decoder, torch.inference_mode():
        ahead = [
            decoder.submit(lambda names: np.stack([load_audio(name, rate) for name in names]), files[i : i + BATCH])
            for i in range(0, len(files), BATCH)
        ]
        for batch in ahead:
            best += model(torch.from_numpy(batch.result())).logits.argmax(-1).tolist()
    return [classifier.labels[i] for i in best]


def stock(classifier: TorchAudioClassifier, files: Sequence[str]) -> list[str]:
    """transformers' own pipeline, one call a file."""
    classify = StockPipeline(model=classifier.model, feature_extractor=classifier.extractor)
    if shutil.which("ffmpeg"):
        return [classify(file)[0]["label"] for file in files]
    return [classify(load_audio(file, classifier.sampling_rate))[0]["label"] for file in files]


def main() -> None:
    """Print the medians over the rounds, in which all take turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("folder")
    parser.add_argument("--clips", type=int, default=2000)
    parser.add_argument("--stock_clips", type=int, default=100, help="that the stock pipeline hears a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of torch")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    classifier = TorchAudioClassifier(args.checkpoint)
    ways: dict[str, tuple[Callable[[TorchAudioClassifier, Sequence[str]], list[str]], int]] = {
        "stock pipeline": (stock, args.stock_clips),
        "by hand": (by_hand, args.clips),
        "predict": (predict, args.clips),
    }
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as folder:
        files = write_clips(folder, args.folder, args.clips, classifier.sampling_rate)
        answers = [way(classifier, files[:BATCH]) for way, _ in ways.values()]
        assert answers[0] == answers[1] == answers[2], "the ways do not agree"
        for _ in range(args.rounds):
            for name, (way, n_clips) in ways.items():
                start = time.perf_counter()
                way(classifier, files[:n_clips])
                speeds[name].append(n_clips / (time.perf_counter() - start))
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    for name, value in medians.items():
        print(f"{name:>20}: {value:.1f} clips/s ({min(speeds[name]):.1f} to {max(speeds[name]):.1f})")
    for name in ("stock pipeline", "by hand"):
        ratios = [mine / other for mine, other in zip(speeds["predict"], speeds[name], strict=True)]
        print(f"{f'predict / {name}':>20}: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    ffmpeg = Path(path).name if (path := shutil.which("ffmpeg")) else "given arrays, for there is no ffmpeg"
    print(f"{'stock pipeline':>20}: {ffmpeg}; {torch.get_num_threads()} threads of torch")


if __name__ == "__main__":
    main()
