"""How good `hf-audio train own_sounds` is with few clips, and whether its own figure holds for what it never saw.

    python tests/benchmarks/benchmark_own_sounds.py esc10 ESC50 OUT --clips 5 --draw 3 [flags of the recipe]
    python tests/benchmarks/benchmark_own_sounds.py esc10 ESC50 OUT --model_name_or_path sfx --freeze encoder
    python tests/benchmarks/benchmark_own_sounds.py speakers FSDD OUT --max_minutes 3
    python tests/benchmarks/benchmark_own_sounds.py pieces ESC50 OUT --max_minutes 3

`esc10`: clips of folds 1 to 4 of each of the ten classes of ESC-10, twenty unless `--clips` says otherwise, drawn by
the seed `--draw`; fold 5 as test part. `speakers`: clips 0 to
19 of every digit and speaker of FSDD as ten folders, those of two speakers put aside. `pieces`: seconds of twenty
recordings of ten classes of ESC-50, those of eight recordings put aside. What was put aside is judged by the finished
checkpoint, beside the run's own figure.
"""

import argparse
import csv
import json
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

ASIDE_SPEAKERS = ("lucas", "theo")
PIECES_OF = (
    *("dog", "rooster", "rain", "sea_waves", "chainsaw"),
    *("helicopter", "crying_baby", "sneezing", "clock_tick", "engine"),
)
RECORDINGS, KEPT = 20, 12  # of a class
SILENCE = 1e-3  # what a piece must be louder than somewhere


def link(file: Path, folder: Path) -> None:
    """A file in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file.name).symlink_to(file.resolve())


def read_esc50(esc50: Path) -> list[dict[str, str]]:
    """The rows of its table."""
    with open(esc50 / "meta" / "esc50.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def lay_out_esc10(esc50: Path, sounds: Path, _: Path, n_clips: int = 20, draw: int = 0) -> None:
    """So many clips a class to train on, eight to test on."""
    rows, generator = read_esc50(esc50), np.random.default_rng(draw)
    for name in sorted({row["category"] for row in rows if row["esc10"] == "True"}):
        own = [row for row in rows if row["category"] == name]
        trained = sorted(row["filename"] for row in own if row["fold"] != "5")
        for file in generator.permutation(trained)[:n_clips]:
            link(esc50 / "audio" / file, sounds / "train" / name)
        for row in own:
            if row["fold"] == "5":
                link(esc50 / "audio" / row["filename"], sounds / "test" / name)


def lay_out_speakers(fsdd: Path, sounds: Path, aside: Path) -> None:
    """A folder a digit."""
    for file in sorted((fsdd / "recordings").glob("*.wav")):
        digit, speaker, number = file.stem.split("_")
        if int(number) < 20:
            link(file, (aside if speaker in ASIDE_SPEAKERS else sounds) / digit)


def lay_out_pieces(esc50: Path, sounds: Path, aside: Path) -> None:
    """A folder a class, with the seconds of its recordings that are not silent."""
    rows = read_esc50(esc50)
    for name in PIECES_OF:
        files: dict[str, str] = {}
        for row in rows:
            if row["category"] == name:
                files.setdefault(row["src_file"], row["filename"])
        drawn = np.random.default_rng(3).permutation(sorted(files))[:RECORDINGS]
        for place, recording in enumerate(drawn):
            samples, rate = soundfile.read(esc50 / "audio" / files[recording])
            folder = (sounds if place < KEPT else aside) / name
            folder.mkdir(parents=True, exist_ok=True)
            for number, piece in enumerate(samples[: len(samples) // rate * rate].reshape(-1, rate)):
                if np.abs(piece).max() > SILENCE:
                    soundfile.write(folder / f"rec{recording}_{number}.wav", piece, rate)


def judge_aside(checkpoint: Path, aside: Path) -> str:
    """The accuracy on what was put aside."""
    answers = checkpoint.with_suffix(".csv")
    subprocess.run([*HF_AUDIO, "predict", str(checkpoint), str(aside), "--output", str(answers)], check=True)
    with open(answers, newline="", encoding="utf-8") as file:
        right = [row["label"] == Path(row["path"]).parent.name for row in csv.DictReader(file)]
    return f"put aside {np.mean(right):.3f} ({len(right)} clips)"


HF_AUDIO = (sys.executable, "-m", "hf_audio.cli")
LAYOUTS = {"esc10": lay_out_esc10, "speakers": lay_out_speakers, "pieces": lay_out_pieces}


def main() -> None:
    """Lay out, train, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("layout", choices=LAYOUTS)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path, help="a new folder")
    parser.add_argument("--clips", type=int, default=20, help="a class, of esc10")
    parser.add_argument("--draw", type=int, default=0, help="of them")
    args, flags = parser.parse_known_args()
    layouts = {**LAYOUTS, "esc10": partial(lay_out_esc10, n_clips=args.clips, draw=args.draw)}
    sounds, aside, run = args.out / "sounds", args.out / "aside", args.out / "run"
    layouts[args.layout](args.data, sounds, aside)
    start = time.perf_counter()
    command = [*HF_AUDIO, "train", "own_sounds", "--data_dir", str(sounds), "--output_dir", str(run), *flags]
    subprocess.run(command, check=True)
    seconds = time.perf_counter() - start
    results = json.loads((run / "all_results.json").read_text(encoding="utf-8"))
    low, high = results["eval_accuracy_interval"]
    told = [f"accuracy {results['eval_accuracy']:.4f} ({low:.3f} to {high:.3f}) in {seconds:.0f} s"]
    told.append(f"logistic regression {results['eval_rival_accuracy']:.3f}")
    if "eval_accuracy_known_recordings" in results:
        told.append(f"known recordings {results['eval_accuracy_known_recordings']:.3f}")
    if aside.exists():
        told.append(judge_aside(run, aside))
    print("; ".join(told))


if __name__ == "__main__":
    main()
