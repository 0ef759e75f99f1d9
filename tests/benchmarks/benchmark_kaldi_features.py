"""Milliseconds a clip of `KaldiFeatures` and of `ASTFeatureExtractor`, on one core, in turns; medians.

python tests/benchmarks/benchmark_kaldi_features.py [--clips 16] [--seconds 5] [--rounds 20]
"""

import argparse
import statistics
import time

import numpy as np
import torch
from transformers import ASTFeatureExtractor

from hf_audio.inference.kaldi_features import SAMPLING_RATE, KaldiFeatures


def main() -> None:
    """Print the medians, their ratio and the largest difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=20)
    args = parser.parse_args()
    torch.set_num_threads(1)
    extractor = ASTFeatureExtractor()
    own = KaldiFeatures(extractor)
    shape = args.clips, round(args.seconds * SAMPLING_RATE)
    clips = np.random.default_rng(0).standard_normal(shape).astype(np.float32) / 10

    def stock() -> torch.Tensor:
        return extractor(list(clips), sampling_rate=SAMPLING_RATE, return_tensors="pt")["input_values"]

    calls = {"ASTFeatureExtractor": stock, "KaldiFeatures": lambda: own(torch.from_numpy(clips))}
    made = [call() for call in calls.values()]
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(args.rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append((time.perf_counter() - start) * 1000 / args.clips)
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, value in medians.items():
        print(f"{name:>20}: {value:.2f} ms a clip")
    print(f"{'ratio':>20}: {medians['ASTFeatureExtractor'] / medians['KaldiFeatures']:.1f}")
    print(f"{'largest difference':>20}: {(made[0] - made[1]).abs().max():.1e}")


if __name__ == "__main__":
    main()
