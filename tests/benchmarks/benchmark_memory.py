"""Memory of training on ESC-50, and on ten times as many clips: what the processes keep for themselves.

    python tests/benchmarks/benchmark_memory.py --data_dir ESC50 [--times 10] [any flag of the recipe]

Each clip is repeated under other names and decoded again, as so many different ones would be. Peaks of the resident
memory without that of mapped files, whose pages the system takes back whenever it needs them, while sixty steps are
trained: of the training process, and of its loader workers together (what a worker still shares with the process it
was forked from counts in both).
"""

import argparse
import csv
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

RECIPE = Path(__file__).parents[2] / "recipes" / "esc50.py"


def repeat(source: Path, times: int, target: Path) -> Path:
    """A folder in ESC-50's layout with every clip of another one under `times` names."""
    (target / "meta").mkdir(parents=True)
    (target / "audio").mkdir()
    with (source / "meta" / "esc50.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    with (target / "meta" / "esc50.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        for copy in range(times):
            for row in rows:
                name = f"{copy}-{row['filename']}"
                (target / "audio" / name).symlink_to((source / "audio" / row["filename"]).resolve())
                writer.writerow({**row, "filename": name})
    return target


def own_megabytes(processes: list[psutil.Process]) -> float:
    """Of these processes together; one that has ended has none."""
    total = 0
    for process in processes:
        try:
            memory = process.memory_info()
            total += memory.rss - memory.shared
        except psutil.Error:
            continue
    return total / 1e6


def peaks(data_dir: Path, flags: list[str], out: Path) -> tuple[float, float]:
    """MB of the training process and of its workers, at most, while it trains."""
    command = [sys.executable, str(RECIPE), "--data_dir", str(data_dir), "--output_dir", str(out)]
    steps = ["--max_steps", "60", "--disable_tqdm", "true"]
    process = subprocess.Popen([*command, *steps, *flags], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    trainer = psutil.Process(process.pid)
    own, workers = 0.0, 0.0
    while process.poll() is None:
        if (out / "runs").exists():  # decoding is over
            own = max(own, own_megabytes([trainer]))
            workers = max(workers, own_megabytes(trainer.children(recursive=True)))
        time.sleep(0.2)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed: run it by hand.")
    return own, workers


def main() -> None:
    """Print the peaks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data_dir", type=Path, required=True)
    parser.add_argument("--times", type=int, default=10)
    known, flags = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        for times in (1, known.times):
            data_dir = repeat(known.data_dir, times, Path(folder) / f"data{times}")
            own, workers = peaks(data_dir, flags, Path(folder) / f"out{times}")
            print(f"{times:3} x the clips: training process {own:.0f} MB, loader workers {workers:.0f} MB", flush=True)


if __name__ == "__main__":
    main()
