"""A clip on one core: torch, its ONNX file and the 8-bit one by turns; and the memory of a process without torch.

python tests/benchmarks/benchmark_export.py CHECKPOINT CLIPS
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from hf_audio.bulk.clips import find_clips
from hf_audio.export.onnx import export_onnx
from hf_audio.inference.onnx_classifier import OnnxAudioClassifier
from hf_audio.inference.torch_classifier import TorchAudioClassifier

ROUNDS = 15
MEMORY = """
import re, sys
from pathlib import Path
import numpy as np
from hf_audio.export.onnx import OnnxAudioClassifier
classifier = OnnxAudioClassifier(sys.argv[1], threads=1)
for _ in range(20):
    classifier(np.zeros(int(sys.argv[2]), dtype=np.float32))
# Not `getrusage`, which begins with the memory of the process that this one was forked from.
peak = re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1]
print(int(peak) / 1000, "torch" in sys.modules)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint")
    parser.add_argument("clips", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    classifier = TorchAudioClassifier(args.checkpoint, device="cpu")
    n_samples = classifier.facts.stream_windows()[0]
    clip = (0.1 * np.random.default_rng(0).standard_normal(n_samples)).astype(np.float32)
    clips = [row["path"] for row in find_clips(args.clips)][:64]
    with tempfile.TemporaryDirectory() as folder:
        whole, small = Path(folder) / "whole.onnx", Path(folder) / "small.onnx"
        export_onnx(args.checkpoint, whole, clips)
        export = export_onnx(args.checkpoint, small, clips, int8=True)
        ways = {
            "torch": classifier,
            "ONNX": OnnxAudioClassifier(whole, threads=1),
            "ONNX, 8 bits": OnnxAudioClassifier(small, threads=1),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, way in ways.items():
                start = time.process_time()  # of this one thread, whatever else the machine does
                way.score([clip])
                times[name].append(time.process_time() - start)
        reference = statistics.median(times["torch"])
        for name, seconds in times.items():
            median = statistics.median(seconds)
            print(f"{name}: {1000 * median:.1f} ms, {reference / median:.2f} times as fast as torch")
        kept = f"{export.agreement:.1%} of {export.n_clips} first answers kept"
        print(f"8 bits: {kept}, {small.stat().st_size / 1e6:.1f} MB of {whole.stat().st_size / 1e6:.1f} MB")
        command = [sys.executable, "-c", MEMORY, str(whole), str(n_samples)]
        megabytes, has_torch = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        print(f"memory without torch (loaded: {has_torch}): {float(megabytes):.0f} MB")


if __name__ == "__main__":
    main()
