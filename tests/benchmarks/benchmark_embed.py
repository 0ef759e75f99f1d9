"""Clips a second of `hf-audio embed` beside `hf-audio predict`, and time and memory of `hf-audio similar`.

python tests/benchmarks/benchmark_embed.py CHECKPOINT FOLDER [--clips 500] [--rounds 5] [--rows 100000] [--size 512]

FOLDER's recordings are embedded and predicted alternately, each into a Parquet file, with the model loaded; medians of
the rounds, and of their ratios, are told. Then `similar` searches drawn vectors, so many of such a size in a Parquet
file, by a process of its own: how long reading takes, which happens once, and each of ten searches, and how much
memory it takes at most beyond what the libraries do.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from hf_audio.bulk.archive.similar import _nearest
from hf_audio.bulk.clips import find_clips
from hf_audio.bulk.embed import EmbeddingQuestion
from hf_audio.bulk.predict import Question, Sources, predict_files
from hf_audio.bulk.questions import WindowQuestion
from hf_audio.bulk.vectors.heading import VectorHeading, pack
from hf_audio.bulk.vectors.vector_files import choose_vector_writer, read_vectors
from hf_audio.inference.checkpoint import load_classifier
from hf_audio.inference.embedder import embedder_of


class Loaded(Question):
    """The question of labels, to a checkpoint that is loaded already."""

    def network(self, checkpoint):
        """What was loaded."""
        return LOADED["predict"]


LOADED: dict = {}


def compare_with_predict(checkpoint: str, folder: str, n_clips: int, n_rounds: int) -> None:
    """Print clips a second of both."""
    classifier = load_classifier(checkpoint)
    LOADED["predict"] = classifier
    files = [clip["path"] for clip in find_clips(folder)][:n_clips]
    questions: dict[str, WindowQuestion] = {
        "predict": Loaded(),
        "embed": EmbeddingQuestion(embedder=embedder_of(classifier)),
    }
    seconds: dict[str, list[float]] = {name: [] for name in questions}
    with tempfile.TemporaryDirectory() as place:
        for number in range(n_rounds + 1):
            for name in sorted(questions, reverse=number % 2 == 1):
                start = time.perf_counter(), time.process_time()
                predict_files(
                    checkpoint, Sources(files), Path(place) / f"{name}.parquet", questions[name], num_workers=0
                )
                if number:  # the first round warms up
                    seconds[name].append(time.process_time() - start[1])
                    print(f"{name}: {time.perf_counter() - start[0]:.2f} s, {seconds[name][-1]:.2f} CPU-s", flush=True)
    for name, taken in seconds.items():
        print(f"{name}: {len(files) / statistics.median(taken):.1f} clips a CPU-second, median of {n_rounds}")
    ratios = [a / b for a, b in zip(seconds["embed"], seconds["predict"], strict=True)]
    print(f"embed takes {statistics.median(ratios):.3f} times as long as predict, median")


def write_vectors(path: Path, n_rows: int, size: int) -> None:
    """Drawn vectors, of files of a hundred windows each."""
    generator = np.random.default_rng(0)
    heading = VectorHeading([], size, "drawn", {"sampling_rate": 16000, "folder": "/"})

    def rows():
        for file in range(-(-n_rows // 100)):
            vectors = generator.normal(size=(100, size)).astype(np.float32)
            spans = [(float(second), second + 1.0) for second in range(100)]
            answers = [[pack(vector), 1, 1] for vector in vectors]
            yield from heading.rows({"path": f"{file}.wav"}, spans, answers, None)

    choose_vector_writer(path)(path, heading, rows())


def search(path: str) -> None:
    """Print how long reading and searching take."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter(), time.process_time()
    vectors = read_vectors(path)
    print(f"reading: {time.perf_counter() - start[0]:.2f} s, {time.process_time() - start[1]:.2f} CPU-s")
    generator, taken = np.random.default_rng(1), []
    for _ in range(10):
        query = generator.normal(size=(1, vectors.vectors.shape[1])).astype(np.float32)
        start = time.perf_counter(), time.process_time()
        _nearest(vectors, query, ["example.wav"], 20)
        taken.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    seconds, processor = (statistics.median(values) for values in zip(*taken, strict=True))
    print(f"a search of {len(vectors.vectors)} windows: {seconds:.3f} s, {processor:.3f} CPU-s, median of 10")
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"memory: {(after - before) / 1024:.0f} MB; the vectors alone are {vectors.vectors.nbytes / 2**20:.0f} MB")


def main(run: Callable[[str], None] = search) -> None:
    """Both, or one search in a process of its own."""
    if sys.argv[1] == "--search":
        run(sys.argv[2])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("folder")
    parser.add_argument("--clips", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--size", type=int, default=512)
    args = parser.parse_args()
    compare_with_predict(args.checkpoint, args.folder, args.clips, args.rounds)
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "vectors.parquet"
        write_vectors(path, args.rows, args.size)
        subprocess.run([sys.executable, __file__, "--search", str(path)], check=True)


if __name__ == "__main__":
    main()
