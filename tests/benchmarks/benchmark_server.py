"""Clips per second of `hf-audio serve` under 32 clients, against the same clips judged offline; latencies.

    python tests/benchmarks/benchmark_server.py CHECKPOINT CLIPS [--clients 32] [--n_clips 400] [--rounds 3]

Offline is decoding and `TorchAudioClassifier.judge` in batches of 16, in a process of the same settings. Both run in
turns, so that a busy machine is busy for both; what the clients take counts against the server.
"""

import argparse
import http.client
import os
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

OFFLINE = """
import sys, time
from hf_audio.audio.loading import load_audio
from hf_audio.inference.torch_classifier import TorchAudioClassifier
classifier = TorchAudioClassifier(sys.argv[1])
files = sys.argv[2:]
def judge(files):
    return classifier.judge([load_audio(file, classifier.sampling_rate) for file in files])
judge(files[:16])
for line in sys.stdin:
    start = time.perf_counter()
    for first in range(0, len(files), 16):
        judge(files[first : first + 16])
    print(time.perf_counter() - start, flush=True)
"""


@contextmanager
def served(checkpoint: str) -> Iterator[int]:
    """The port of a server of its own."""
    command = [sys.executable, "-m", "hf_audio.cli", "serve", f"model={checkpoint}", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        port = int(re.search(r":(\d+)$", process.stdout.readline()).group(1))
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("GET", "/ready")
            if connection.getresponse().status == 200:
                break
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait()


def ask(port: int, bodies: list[bytes], n_clients: int) -> tuple[float, list[float], int]:
    """Every body once, by so many clients -> seconds in all, seconds of each, and how many had no answer."""
    latencies: list[float] = []
    remaining = iter(bodies)
    lock = threading.Lock()
    dropped = 0

    def run() -> None:
        nonlocal dropped
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while True:
            with lock:
                body = next(remaining, None)
            if body is None:
                return
            start = time.perf_counter()
            connection.request("POST", "/", body)
            response = connection.getresponse()
            response.read()
            with lock:
                latencies.append(time.perf_counter() - start)
                dropped += response.status != 200

    clients = [threading.Thread(target=run) for _ in range(n_clients)]
    start = time.perf_counter()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return time.perf_counter() - start, latencies, dropped + len(bodies) - len(latencies)


def main() -> None:
    """Print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("clips", type=Path, help="a folder of audio files")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--n_clips", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    files = [path for path in sorted(args.clips.iterdir()) if path.is_file()][: args.n_clips]
    bodies = [path.read_bytes() for path in files]
    command = [sys.executable, "-c", OFFLINE, args.checkpoint, *map(str, files)]
    offline = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    ratios = []
    with served(args.checkpoint) as port:
        ask(port, bodies[:64], args.clients)
        for _ in range(args.rounds):
            offline.stdin.write("\n")
            offline.stdin.flush()
            alone = len(files) / float(offline.stdout.readline())
            seconds, latencies, dropped = ask(port, bodies, args.clients)
            together = len(files) / seconds
            ratios.append(together / alone)
            p50, p99 = np.percentile(latencies, [50, 99]) * 1000
            print(
                f"offline {alone:.1f}, served {together:.1f} clips/s, ratio {ratios[-1]:.2f}; "
                f"p50 {p50:.0f} ms, p99 {p99:.0f} ms, p99/p50 {p99 / p50:.2f}, dropped {dropped}",
                flush=True,
            )
    offline.stdin.close()
    offline.wait()
    print(f"median ratio {statistics.median(ratios):.2f} (OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS')})")


if __name__ == "__main__":
    main()
