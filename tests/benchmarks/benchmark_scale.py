"""How the time of dear parts grows: with files, with the classes and tags of a collection, with hours and clients.

python tests/benchmarks/benchmark_scale.py [CHECKPOINT] [--parts files journal classes tags hours clients]

Each part is measured in CPU seconds at several sizes, and the exponent of its growth told: 1 is in proportion, 2
quadratic. `hours`, one recording of noise through `predict --windows`, and `clients`, each of which asks a service a
few times at once with the others, need a checkpoint.
"""

import argparse
import http.client
import io
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import soundfile

from hf_audio.bulk.journal import Entry, Journal
from hf_audio.bulk.predict import Question, Sources, predict_files
from hf_audio.data.collection import load_collection
from hf_audio.inspection.clip_measures import ClipMeasures
from hf_audio.inspection.label_findings import find_device_leaks
from hf_audio.inspection.listing import Entry as Listed
from hf_audio.runs.predictions.tags import TagPredictions

N_CLIPS = 50_000  # whose classes are told apart
N_TAGGED = 20_000


def files(folder: Path, n: int, _: str | None) -> Callable[[], object]:
    """A folder of so many clips in fifty classes, as a collection to train on."""
    for number in range(n):
        path = folder / f"class{number % 50:02}" / f"{number:06}.wav"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"RIFF")
    return lambda: load_collection(folder, seed=None)


def journal(folder: Path, n: int, _: str | None) -> Callable[[], object]:
    """What is left of so many clips, half of which were answered to before a kill."""
    path, request = folder / "answers.journal", {"of": "benchmark"}
    before = Journal(path, request, resume=False)
    before.begin()
    for clip in range(n // 2):
        before.append(Entry(clip, [[0.0, 1.0]], [[["dog", 0.9]]], True, None))
    before.close()

    def resume() -> None:
        again = Journal(path, request, resume=True)
        assert sum(clip not in again.finished for clip in range(n)) == n - n // 2
        again.close()

    return resume


def classes(_: Path, n: int, __: str | None) -> Callable[[], object]:
    """Whether any of so many classes can be told by how it was recorded."""
    generator = np.random.default_rng(0)
    levels = generator.normal(-30, 5, N_CLIPS)
    entries = [Listed(f"{number}.wav", (str(number % n),)) for number in range(N_CLIPS)]
    unlike = {"fingerprint": None, "dead_channels": (), "is_opposed": False, "digest": "", "ends_sharply": True}
    like = dict.fromkeys(("offset", "n_clipped", "silent_start", "silent_end"), 0)
    measures = [
        ClipMeasures(
            rate=44100, channels=1, format="WAV", seconds=1.0, peak=0.5, level=level, full_scale=1.0,
            bandwidth=16000.0, **like, **unlike,
        )
        for level in levels.tolist()
    ]  # fmt: skip
    return lambda: find_device_leaks(entries, measures)


def tags(_: Path, n: int, __: str | None) -> Callable[[], object]:
    """Metrics, tables and intervals of clips with so many possible tags."""
    generator = np.random.default_rng(0)
    scores = generator.random((N_TAGGED, n), dtype=np.float32)
    references = (generator.random((N_TAGGED, n)) < 2 / n).astype(int)
    names = [str(number) for number in range(n)]
    told = TagPredictions.from_probabilities([f"{clip}.wav" for clip in range(N_TAGGED)], names, references, scores)
    return lambda: (told.metrics(), told.intervals(), told.per_class())


def hours(folder: Path, n: int, checkpoint: str | None) -> Callable[[], object]:
    """One recording of so many minutes, judged every second."""
    path = folder / "noise.flac"
    generator = np.random.default_rng(0)
    with soundfile.SoundFile(path, "w", 22050, 1) as file:
        for _ in range(n):
            file.write(generator.normal(0, 0.05, 60 * 22050).astype(np.float32))
    question = Question(over_time=True, hop_seconds=1.0)
    return lambda: predict_files(
        str(checkpoint), Sources([str(path)]), folder / "answers.csv", question, num_workers=0
    )


def clients(folder: Path, n: int, checkpoint: str | None) -> Callable[[], float]:
    """So many at a time, each of which sends ten clips of a second by a connection of its own; CPU of the service."""
    clip = io.BytesIO()
    soundfile.write(clip, np.random.default_rng(0).normal(0, 0.05, 22050), 22050, format="WAV")
    command = [sys.executable, "-m", "hf_audio.cli", "serve", f"model={checkpoint}", "--port", "0"]

    def ask(port: int, method: str, path: str, times: int = 1) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for _ in range(times):
            connection.request(method, path, clip.getvalue() if method == "POST" else None)
            answer = connection.getresponse().read().decode()
        return answer

    def used(port: int) -> float:
        return float(re.search(r"^process_cpu_seconds_total (\S+)$", ask(port, "GET", "/metrics"), re.MULTILINE)[1])

    def run() -> float:
        process = subprocess.Popen([*command, "--site", str(site)], stdout=subprocess.PIPE, text=True)
        try:
            port = int(process.stdout.readline().rpartition(":")[2])
            while "models" not in ask(port, "GET", "/ready"):
                time.sleep(0.1)
            ask(port, "POST", "/", times=3)
            before = used(port)
            with ThreadPoolExecutor(n) as pool:
                list(pool.map(lambda _: ask(port, "POST", "/", times=10), range(n)))
            return used(port) - before
        finally:
            process.terminate()
            process.wait()

    site = folder / "site"
    site.mkdir()
    (site / "index.html").touch()
    return run


PARTS = {
    files: (1_000, 10_000, 50_000),
    journal: (1_000, 10_000, 100_000),
    classes: (10, 100, 500),
    tags: (50, 200, 500),
    hours: (5, 10, 20),
    clients: (1, 8, 64),
}
OF_CHECKPOINTS = (hours, clients)


def measure(part: Callable, sizes: Sequence[int], checkpoint: str | None) -> None:
    """Print the time at each size, and how it grows from the first to the last."""
    taken = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            run = part(Path(folder), size, checkpoint)
            start = time.process_time()
            of_others = run()  # CPU seconds of another process, if it does the work
            taken.append(of_others if isinstance(of_others, float) else time.process_time() - start)
        print(f"{part.__name__} {size}: {taken[-1]:.3f} CPU-s", flush=True)
    growth = np.log(taken[-1] / taken[-2]) / np.log(sizes[-1] / sizes[-2])
    print(f"{part.__name__}: exponent {growth:.2f} between the last two")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", nargs="?")
    parser.add_argument("--parts", nargs="+", choices=[part.__name__ for part in PARTS])
    arguments = parser.parse_args()
    for each, its_sizes in PARTS.items():
        wanted = arguments.parts is None or each.__name__ in arguments.parts
        if wanted and (arguments.checkpoint is not None or each not in OF_CHECKPOINTS):
            measure(each, its_sizes, arguments.checkpoint)
