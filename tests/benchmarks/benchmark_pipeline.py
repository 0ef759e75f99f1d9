"""Milliseconds for one file through `pipeline` against the bare forward pass on a tensor, in turns; medians.

python tests/benchmarks/benchmark_pipeline.py CHECKPOINT FILE [--threads 1] [--rounds 200]
"""

import argparse
import statistics
import time

import torch
from transformers import pipeline

import hf_audio  # noqa: F401
from hf_audio.audio.loading import load_audio


def milliseconds(call) -> float:
    """Of one call."""
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1000


def main() -> None:
    """Print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("file")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=200)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    classify = pipeline("audio-classification", model=args.checkpoint)
    waveform = torch.from_numpy(load_audio(args.file, classify.feature_extractor.sampling_rate))[None]

    def forward() -> None:
        with torch.inference_mode():
            classify.model(waveform)

    calls = {"bare forward": forward, "pipeline": lambda: classify(args.file)}
    for call in calls.values():
        for _ in range(10):
            call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(args.rounds):
        for name, call in calls.items():
            times[name].append(milliseconds(call))
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, value in medians.items():
        print(f"{name:>12}: {value:.2f} ms")
    print(f"{'ratio':>12}: {medians['pipeline'] / medians['bare forward']:.2f}")


if __name__ == "__main__":
    main()
