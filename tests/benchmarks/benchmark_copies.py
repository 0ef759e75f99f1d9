"""How many altered copies of ESC-50 clips `hf-audio inspect` finds among the originals, and what else it reports.

python tests/benchmarks/benchmark_copies.py [ESC-50] [--count 200] [--seed 0]

ESC-50 is the folder with `audio/`; without it, made-up calls of a second. Copies, each of a kind beside all originals:
MP3 and Ogg Vorbis as soundfile writes them, -12 to +6 dB, 16 kHz, 0.3 to 1 s (of calls, a third) cut off the
beginning, and noise at a signal-to-noise ratio of 30 dB.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import soundfile
from helpers.scenes import COPIES, SCENE_RATE, call, write_copy

from hf_audio.audio.loading import load_audio
from hf_audio.inspection.clip_measures import measure_clip
from hf_audio.inspection.duplicates import find_same_sounds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, metavar="ESC-50", nargs="?")
    parser.add_argument("--count", type=int, default=200, help="originals that are copied")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(args.count if args.data is None else 0):
            soundfile.write(Path(folder) / f"{number:04d}.wav", call(number), SCENE_RATE)
        search(sorted(str(path) for path in (args.data / "audio" if args.data else Path(folder)).iterdir()), args)


def search(paths: list[str], args: argparse.Namespace) -> None:
    """Print what is found among the originals, and of the copies of each kind."""
    begun = time.process_time()
    measures = [measure_clip(path) for path in paths]
    read = time.process_time()
    groups = find_same_sounds(paths, measures)
    compared = time.process_time()
    print(f"{len(paths)} originals: {read - begun:.0f} s to read, {compared - read:.0f} s to compare (one core)")
    for group in groups:
        links = (f"{link.shift:+.2f} s, {link.correlation:.2f}" for link in group.links)
        print("   ", *(Path(paths[number]).stem for number in group.members), "|", "; ".join(links))
    together = {number: group.members[0] for group in groups for number in group.members}
    chosen = np.random.default_rng(args.seed).choice(len(paths), args.count, replace=False)
    for kind in COPIES:
        with tempfile.TemporaryDirectory() as folder:
            copies = [
                str(write_copy(kind, load_audio(paths[number], SCENE_RATE), Path(folder) / f"{number}", int(number)))
                for number in chosen
            ]
            found = find_same_sounds([*paths, *copies], [*measures, *map(measure_clip, copies)])
        n_found = n_wrong = 0
        for group in found:
            originals = {together.get(number, number) for number in group.members if number < len(paths)}
            for number in group.members:
                if number >= len(paths):
                    own = int(chosen[number - len(paths)])
                    n_found += together.get(own, own) in originals
                    n_wrong += bool(originals - {together.get(own, own)})
        print(f"{kind:<6} found {n_found / args.count:.3f}, beside a wrong original {n_wrong}", flush=True)


if __name__ == "__main__":
    main()
