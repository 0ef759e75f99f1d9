"""Anomalies told by normal recordings alone: five machines of ESC-50, their other machines and altered copies.

For each of the machines, trains `recipes/own_sounds.py --only_normal` on its clips of the other folds and judges its
clips of the held-out fold against those of the other four machines, and against altered copies of them: with a
whistle 10 dB below the clip in half of the time, with knocks, and with a band attenuated by 9 dB. Beside it, four
detectors of scikit-learn judge the same clips by mean, deviation and mean change of 64 log-mels. The method was chosen
on five other machines (`--machines dev`), and these were looked at once.

    python tests/benchmarks/benchmark_only_normal.py ESC50 OUT [--machines dev] [--folds 5] [flags of the recipe]
"""

import argparse
import csv
import runpy
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import soundfile
from datasets import Dataset
from sklearn.covariance import LedoitWolf
from sklearn.ensemble import IsolationForest
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from hf_audio.audio.loading import load_audio
from hf_audio.audio.packing import pack_samples
from hf_audio.data.tables.text_tables import write_cells
from hf_audio.runs.metrics.two_classes import partial_auc, roc_auc
from hf_audio.runs.scores import read_scores
from hf_audio.training.judgement.rival import spectrum_statistics

RECIPE = Path(__file__).parents[2] / "recipes" / "own_sounds.py"
MACHINES = {
    "test": ("washing_machine", "train", "chainsaw", "hand_saw", "keyboard_typing"),
    "dev": ("vacuum_cleaner", "engine", "helicopter", "airplane", "clock_tick"),
}
RATE = 22050
WHISTLE_DB, BAND_DB = -10, -9


def whistle(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """With a tone of 1 to 5 kHz that comes and goes."""
    time = np.arange(len(clip)) / RATE
    tone = np.sin(2 * np.pi * rng.uniform(1000, 5000) * time) * (np.sin(2 * np.pi * 1.5 * time) > 0)
    return clip + clip.std() * 10 ** (WHISTLE_DB / 20) * np.sqrt(2) * tone


def knocks(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """With a short burst of noise every half a second."""
    changed = clip.copy()
    burst = np.exp(-np.arange(round(0.05 * RATE)) / (0.01 * RATE))
    for start in np.arange(rng.uniform(0, 0.4), len(clip) / RATE - 0.1, 0.5):
        place = round(start * RATE)
        changed[place : place + len(burst)] += 4 * clip.std() * burst * rng.standard_normal(len(burst))
    return changed


def band(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """With half an octave or so attenuated."""
    spectrum, frequencies, low = np.fft.rfft(clip), np.fft.rfftfreq(len(clip), 1 / RATE), rng.uniform(500, 4000)
    spectrum[(frequencies > low) & (frequencies < 1.5 * low)] *= 10 ** (BAND_DB / 20)
    return np.fft.irfft(spectrum, len(clip))


ALTERATIONS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "whistle": whistle,
    "knocks": knocks,
    "band": band,
}
OTHERS = "other machines"


def lay_out(esc50: Path, folder: Path, machines: tuple[str, ...], machine: str, fold: str) -> list[tuple[Path, str]]:
    """Write the table that a training reads; returns the anomalies that it names, and their kinds."""
    with open(esc50 / "meta" / "esc50.csv", newline="", encoding="utf-8") as file:
        clips = [row for row in csv.DictReader(file) if row["category"] in machines]
    rows, anomalies = [], []
    (folder / "altered").mkdir(parents=True)
    for clip in clips:
        path, tested = (esc50 / "audio" / clip["filename"]).resolve(), clip["fold"] == fold
        if clip["category"] == machine:
            rows.append([str(path), "normal", "test" if tested else "train"])
            for number, (kind, alter) in enumerate(ALTERATIONS.items() if tested else ()):
                altered = folder / "altered" / f"{kind}-{path.stem}.wav"
                rng = np.random.default_rng([number, int(clip["src_file"])])
                soundfile.write(altered, alter(load_audio(path, RATE), rng).clip(-1, 1), RATE, subtype="PCM_16")
                anomalies.append((altered, kind))
        elif tested:
            anomalies.append((path, OTHERS))
    rows += [[str(path), "anomaly", "test"] for path, _ in anomalies]
    write_cells(folder / "clips.csv", ["path", "label", "split"], rows)
    return anomalies


def witnesses(train: np.ndarray, test: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """What detectors of scikit-learn say of test clips by their statistics, the higher the stranger."""
    scaler = StandardScaler().fit(train)
    heard, asked = scaler.transform(train), scaler.transform(test)
    yield "Mahalanobis, Ledoit-Wolf", LedoitWolf().fit(heard).mahalanobis(asked)
    yield "one-class SVM", -OneClassSVM(nu=0.1).fit(heard).score_samples(asked)
    mixture = GaussianMixture(2, covariance_type="diag", reg_covar=1e-2, random_state=0).fit(heard)
    yield "Gaussian mixture", -mixture.score_samples(asked)
    yield "isolation forest", -IsolationForest(random_state=0).fit(heard).score_samples(asked)


def statistics(paths: list[Path]) -> np.ndarray:
    """Of clips, (clips, 192)."""
    clips = [pack_samples(load_audio(path, RATE)) for path in paths]
    return spectrum_statistics(Dataset.from_dict({"audio": clips}), RATE)


def main() -> None:
    """Train once a machine and fold, and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("esc50", type=Path)
    parser.add_argument("out", type=Path, help="a new folder")
    parser.add_argument("--machines", choices=list(MACHINES), default="test")
    parser.add_argument("--folds", default="5", help="held out in turn, such as 12345")
    args, flags = parser.parse_known_args()
    found: dict[str, dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    alarms = []
    for machine in MACHINES[args.machines]:
        for fold in args.folds:
            folder = args.out / f"{machine}-{fold}"
            anomalies = lay_out(args.esc50, folder, MACHINES[args.machines], machine, fold)
            sys.argv = [str(RECIPE), "--only_normal", "--data_dir", str(folder / "clips.csv")]
            sys.argv += ["--output_dir", str(folder / "out"), *flags]
            runpy.run_path(str(RECIPE), run_name="__main__")
            told = read_scores(folder / "out")["test"]
            scores = dict(zip((Path(path).name for path in told.paths), told.probabilities[:, 1], strict=True))
            with open(folder / "clips.csv", newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
            trained = [Path(row["path"]) for row in rows if row["split"] == "train"]
            normal = [Path(row["path"]) for row in rows if row["split"] == "test" and row["label"] == "normal"]
            judged = [*normal, *(path for path, _ in anomalies)]
            alarms += [scores[path.name] > 0.5 for path in normal]
            answers = {"own_sounds --only_normal": np.array([scores[path.name] for path in judged])}
            answers |= dict(witnesses(statistics(trained), statistics(judged)))
            kinds = np.array(["normal"] * len(normal) + [kind for _, kind in anomalies])
            for name, strangeness in answers.items():
                for kind in (OTHERS, *ALTERATIONS):
                    rows_of_kind = np.isin(kinds, ["normal", kind])
                    labels, own = (kinds[rows_of_kind] == kind).astype(int), strangeness[rows_of_kind]
                    found[name][kind].append((roc_auc(labels, own), partial_auc(labels, own)))
    print(f"False alarms: {np.mean(alarms):.3f} of {len(alarms)} held-out normal clips.")
    for name, by_kind in found.items():
        cells = [
            f"{kind} {np.mean(values, axis=0)[0]:.3f} / {np.mean(values, axis=0)[1]:.3f}"
            for kind, values in by_kind.items()
        ]
        every = np.mean([np.mean(values, axis=0) for values in by_kind.values()], axis=0)
        print(f"{name}: {', '.join(cells)}; mean {every[0]:.3f} / {every[1]:.3f}", flush=True)


if __name__ == "__main__":
    main()
