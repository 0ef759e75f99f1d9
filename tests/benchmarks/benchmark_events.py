"""How well events are found in annotated soundscapes, by a network that scores frames and by plain windows of 5 s.

    python tests/benchmarks/benchmark_events.py OUT                           # the demo, out of formulas
    python tests/benchmarks/benchmark_events.py OUT --esc50 ESC50 --fold 5    # short sounds of ESC-50 on its long ones

Both are trained by `hf-audio train own_sounds` for as many minutes, `--minutes`, on four fifths of the training
recordings: one on the annotations, and one on the halves of the recordings with the tags of what sounds in them. The
rest fits the thresholds of both in the same way, `fit_event_rule`. Judged are the test recordings, which share no
sound with these: F1 of events (collar of 200 ms), F1 of segments of 1 s, PSDS 1, and the median error of onsets.
Beside the fitted thresholds stand those that are best on the test recordings themselves, which nobody can know.

A third network is trained as long on the training events, cut out of their recordings, one class a clip. It and the
one of the annotations name the test events that nothing overlaps, cut out too.
Further flags are the recipe's.
"""

import argparse
import csv
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

import hf_audio
from hf_audio.audio.loading import stream_audio
from hf_audio.data.annotations.annotated_recordings import AnnotatedRecording
from hf_audio.data.annotations.finding import find_annotations
from hf_audio.evaluation.events import JudgedRecordings
from hf_audio.evaluation.pairs import compare_recordings
from hf_audio.inference.classifier import AudioClassifier
from hf_audio.inference.events import find_events, fit_event_rule
from hf_audio.inference.frames import frame_scores

WINDOW = 5.0  # s
FIT_SHARE = 5  # of the training recordings, every so many-th fits thresholds
SHORTEST_PART = 0.1  # s of an event that a window is tagged by


def write_table(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    """As CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def divide(recordings: Sequence[AnnotatedRecording]) -> tuple[list[AnnotatedRecording], list[AnnotatedRecording]]:
    """Those that are trained on, and those that fit thresholds."""
    fitting = [place % FIT_SHARE == 0 for place in range(len(recordings))]
    pairs = list(zip(recordings, fitting, strict=True))
    return [each for each, fits in pairs if not fits], [each for each, fits in pairs if fits]


def write_annotations(path: Path, parts: dict[str, list[AnnotatedRecording]]) -> Path:
    """A table of annotations, with the part of each."""
    rows = [
        (recording.path.resolve(), f"{each.onset:.3f}", f"{each.offset:.3f}", each.label, part)
        for part, recordings in parts.items()
        for recording in recordings
        for each in recording.annotations
    ]
    return write_table(path, ("path", "onset", "offset", "label", "split"), rows)


def write_windows(folder: Path, parts: dict[str, list[AnnotatedRecording]]) -> Path:
    """The recordings in windows, as files, and a table of the tags of each."""
    folder.mkdir(exist_ok=True)
    rows = []
    for part, recordings in parts.items():
        for recording in recordings:
            samples, rate = soundfile.read(recording.path)
            for start in np.arange(0, len(samples) / rate, WINDOW):
                tags = {
                    each.label
                    for each in recording.annotations
                    if min(each.offset, start + WINDOW) - max(each.onset, start) >= SHORTEST_PART
                }
                name = f"{part}-{recording.path.stem}-{start:02.0f}.wav"
                soundfile.write(folder / name, samples[round(start * rate) : round((start + WINDOW) * rate)], rate)
                rows.append((name, ",".join(sorted(tags)), part))
    return write_table(folder / "windows.csv", ("path", "tags", "split"), rows)


def write_clips(folder: Path, parts: dict[str, list[AnnotatedRecording]]) -> Path:
    """The events, cut out of their recordings, as files, and a table of their classes."""
    folder.mkdir(exist_ok=True)
    rows = []
    for part, recordings in parts.items():
        for recording in recordings:
            samples, rate = soundfile.read(recording.path)
            for place, each in enumerate(recording.annotations):
                name = f"{part}-{recording.path.stem}-{place}.wav"
                soundfile.write(folder / name, samples[round(each.onset * rate) : round(each.offset * rate)], rate)
                rows.append((name, each.label, recording.path.stem, part))
    return write_table(folder / "clips.csv", ("path", "label", "recording", "split"), rows)


def clip_accuracy(checkpoint: Path, recordings: Sequence[AnnotatedRecording], labels: Sequence[str]) -> float:
    """Share of the events that nothing overlaps, cut out of their recordings, whose class is named first."""
    classifier = hf_audio.load_classifier(checkpoint)
    places = [list(classifier.labels).index(label) for label in labels]
    clips, truth = [], []
    for recording in recordings:
        samples = np.concatenate(list(stream_audio(recording.path, classifier.sampling_rate)))
        for each in recording.annotations:
            others = (other for other in recording.annotations if other is not each)
            if not any(other.onset < each.offset and each.onset < other.offset for other in others):
                start, stop = (round(time * classifier.sampling_rate) for time in (each.onset, each.offset))
                clips.append(samples[start:stop])
                truth.append(labels.index(each.label))
    named = classifier.judge(clips)[:, places].argmax(axis=1)
    return float((named == np.array(truth)).mean())


def train(table: Path, out: Path, minutes: float, *flags: str) -> float:
    """By the recipe, in a process of its own; how many seconds it took. A finished run is kept."""
    if (out / "all_results.json").is_file():
        return 0.0
    start = time.perf_counter()
    command = [sys.executable, "-m", "hf_audio.cli", "train", "own_sounds", "--data_dir", str(table)]
    command += ["--output_dir", str(out), "--max_minutes", f"{minutes:g}", "--report_to", "none", *flags]
    with (out.parent / f"{out.name}.log").open("w") as log:
        subprocess.run(command, check=True, stdout=log, stderr=subprocess.STDOUT)
    return time.perf_counter() - start


def listen(
    classifier: AudioClassifier, recordings: Sequence[AnnotatedRecording], labels: Sequence[str], hop: float | None
) -> tuple[list[np.ndarray], float]:
    """Scores of each recording, (frames, labels), and seconds from frame to frame."""
    places = [list(classifier.labels).index(label) for label in labels]
    scores, seconds = [], 0.0
    for recording in recordings:
        stretches = list(frame_scores(classifier, stream_audio(recording.path, classifier.sampling_rate), hop))
        seconds = stretches[0].frame_seconds
        scores.append(np.concatenate([stretch.scores for stretch in stretches])[:, places])
    return scores, seconds


def judge(
    checkpoint: Path,
    fitting: Sequence[AnnotatedRecording],
    test: Sequence[AnnotatedRecording],
    labels: Sequence[str],
    hop: float | None = None,
) -> JudgedRecordings:
    """Thresholds by the ones, figures by the others, which may be the same."""
    classifier = hf_audio.load_classifier(checkpoint)
    scores, seconds = listen(classifier, fitting, labels, hop)
    truth = [recording.annotations for recording in fitting]
    rule = fit_event_rule(list(zip(scores, truth, strict=True)), labels, seconds)
    scores, seconds = listen(classifier, test, labels, hop)
    found = [find_events(each, seconds, labels, rule) for each in scores]
    lengths = [float(recording.seconds or 0) for recording in test]
    paths = [str(recording.path) for recording in test]
    return JudgedRecordings(
        paths, labels, [recording.annotations for recording in test], found, scores, seconds, lengths
    )


def main() -> None:
    """Make, train, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--esc50", type=Path)
    parser.add_argument("--fold", default="5")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=1.0)
    args, flags = parser.parse_known_args()
    args.out.mkdir(parents=True, exist_ok=True)
    kind = "demo" if args.esc50 is None else f"esc50-{args.fold}"
    corpus = hf_audio.make_soundscapes(
        args.out / f"soundscapes-{kind}", esc50=args.esc50, fold=args.fold, count=args.count
    )
    annotated = find_annotations(corpus)
    assert annotated is not None
    labels = annotated.labels
    learning, fitting = divide([each for each in annotated.recordings if each.part == "train"])
    test = [each for each in annotated.recordings if each.part == "test"]
    parts = {"train": learning, "test": fitting}
    table = write_annotations(args.out / f"{kind}.csv", parts)
    windows = write_windows(args.out / f"windows-{kind}", parts)
    clips = write_clips(args.out / f"clips-{kind}", parts)
    tables = {
        "frames": (table, ()),
        "windows": (windows, ("--multi_label", "--label_column", "tags", "--clip_seconds", f"{WINDOW:g}")),
        "clips": (clips, ("--label_column", "label", "--group_column", "recording")),
    }
    runs = {name: args.out / f"{kind}-{name}" for name in tables}
    for name, (source, own) in tables.items():
        print(f"{name}: trained in {train(source, runs[name], args.minutes, *own, *flags):.0f} s")
    judged = {
        "windows of 5 s, end to end": judge(runs["windows"], fitting, test, labels, WINDOW),
        "windows of 5 s, hop 1.25 s": judge(runs["windows"], fitting, test, labels),
        "frames": judge(runs["frames"], fitting, test, labels),
        "frames, thresholds of test": judge(runs["frames"], test, test, labels),
    }
    names = ["event_f1", "event_f1_micro", "segment_f1", "psds1", "psds2", "onset_error"]
    print(f"{'':<28}", *(f"{name:>14}" for name in names))
    for name, each in judged.items():
        metrics = each.metrics()
        print(f"{name:<28}", *(f"{metrics.get(metric, np.nan):14.4f}" for metric in names))
    first, second = judged["windows of 5 s, hop 1.25 s"], judged["frames"]
    told = compare_recordings(first, second)["event_f1"]
    print(f"frames - windows, event_f1: {told.value:+.4f}, 95 % interval {told.interval}")
    named = {name: clip_accuracy(runs[name], test, labels) for name in ("frames", "clips")}
    print("accuracy of events cut out:", *(f"trained on {name} {value:.4f}" for name, value in named.items()))


if __name__ == "__main__":
    main()
