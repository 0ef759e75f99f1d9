"""Many clips by Ray beside two processes of torchrun, and out of a local S3 beside files.

python tests/benchmarks/benchmark_engines.py CHECKPOINT [--parts ray s3] [--clips 4000] [--seconds 1] [--rounds 3]

ray: two workers on two cores each, `predict --engine ray` and `torchrun --nproc_per_node 2`; of two sizes, whose
difference leaves out what starting takes; by the clock, and by the CPU time of all processes. s3: moto's server in a
process of its own, which waits 20 ms before every answer, against the same clips as files, both in one process; by the
clock and the client's CPU time. Rounds take turns.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import soundfile

SERVER = """
import socket, sys, time
import uvicorn
from moto.server import DomainDispatcherApplication, create_backend_app
answer = DomainDispatcherApplication(create_backend_app)
def application(environ, start_response):
    time.sleep(float(sys.argv[1]))
    return answer(environ, start_response)
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
# Its connections stay open as those of stores do, which werkzeug's do not.
uvicorn.Server(uvicorn.Config(application, interface="wsgi", log_level="error")).run([listening])
"""
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def make_clips(folder: Path, n: int, seconds: float, rate: int) -> Path:
    """So many clips of noise."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(42)
    samples = 0.1 * generator.standard_normal(round(seconds * rate)).astype(np.float32)
    for number in range(n):
        soundfile.write(folder / f"{number:06}.wav", np.roll(samples, number), rate)
    return folder


def run(*command: str) -> np.ndarray:
    """Seconds by the clock that a command takes, and CPU seconds of all processes that come of it."""
    begun = time.monotonic()
    process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    used = {process.pid: 0.0}
    while process.poll() is None:
        add_used(used)
        time.sleep(0.2)
    assert process.returncode == 0
    return np.array([time.monotonic() - begun, sum(used.values())])


def add_used(used: dict[int, float]) -> None:
    """What processes and those that they have begun have used until now, in CPU seconds, by their numbers.

    Some live on without the one that has begun them, and nobody waits for them: no sum of the system has these.
    """
    ticks = os.sysconf("SC_CLK_TCK")
    for entry in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):
        with suppress(FileNotFoundError, ProcessLookupError):
            told = Path(f"/proc/{entry}/stat").read_text().rpartition(") ")[2].split()
            if entry in used or int(told[1]) in used:
                used[entry] = (int(told[11]) + int(told[12])) / ticks


def measure_ray(checkpoint: str, place: Path, options: argparse.Namespace) -> None:
    sizes = [options.clips, 3 * options.clips]
    folders = [make_clips(place / f"clips{n}", n, options.seconds, options.rate) for n in sizes]
    command = ["-m", "hf_audio.cli", "predict", checkpoint]
    launchers = {
        "torchrun": [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", *command],
        "ray": [sys.executable, *command],
    }
    told: dict[str, list[np.ndarray]] = {name: [] for name in launchers}
    for turn in range(options.rounds):
        for name, launcher in launchers.items():
            flags = ["--engine", "ray"] if name == "ray" else []
            outputs = [str(place / f"{name}{turn}-{n}") for n in sizes]
            short, long = (
                run(*launcher, str(folder), "--output", output, *flags)
                for folder, output in zip(folders, outputs, strict=True)
            )
            told[name].append((sizes[1] - sizes[0]) / (long - short))
            clock, cpu = told[name][-1]
            times = f"{short[0]:.1f} and {long[0]:.1f} s, {short[1]:.1f} and {long[1]:.1f} CPU-s"
            print(f"{name}: {times}; {clock:.0f} clips a second, {cpu:.0f} a CPU second", flush=True)
    clock, cpu = np.median(told["ray"], axis=0) / np.median(told["torchrun"], axis=0)
    print(f"ray / torchrun: {clock:.2f} by the clock, {cpu:.2f} by CPU time")


def measure_s3(checkpoint: str, place: Path, options: argparse.Namespace) -> None:
    import boto3

    from hf_audio.bulk.predict import Question, Sources, predict_files

    os.environ |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}
    folder = make_clips(place / "clips", options.clips, options.seconds, options.rate)
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(options.latency)], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        client = boto3.client("s3")
        client.create_bucket(Bucket="sounds")
        for file in sorted(folder.iterdir()):
            client.put_object(Bucket="sounds", Key=file.name, Body=file.read_bytes())
        told: dict[str, list[tuple[float, float]]] = {}
        for turn in range(options.rounds + 1):
            for source in (str(folder), "s3://sounds"):
                output = place / f"{turn}-{source[:2].strip('/')}.csv"
                begun, cpu = time.monotonic(), time.process_time()
                predict_files(checkpoint, Sources([source]), output, Question(), num_workers=0)
                if turn:  # the first one loads what there is to load
                    told.setdefault(source, []).append((time.monotonic() - begun, time.process_time() - cpu))
                    print(f"{source}: {told[source][-1][0]:.2f} s, {told[source][-1][1]:.2f} CPU-s", flush=True)
    finally:
        server.kill()
    files, store = (np.median(np.array(times), axis=0) for times in told.values())
    clock, cpu = files / store
    print(f"throughput from S3 / from files: {clock:.2f} by the clock, {cpu:.2f} by CPU time")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("--parts", nargs="+", choices=("ray", "s3"), default=["ray", "s3"])
    parser.add_argument("--clips", type=int, default=4000)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--rate", type=int, default=16_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--latency", type=float, default=0.02)
    options = parser.parse_args()
    for part in options.parts:
        with tempfile.TemporaryDirectory() as place:
            {"ray": measure_ray, "s3": measure_s3}[part](os.path.abspath(options.checkpoint), Path(place), options)


if __name__ == "__main__":
    main()
