"""How well sounds that a network never heard are told from those it knows: ten classes of ESC-50 against its others.

Trains `recipes/own_sounds.py` on the ten classes of ESC-10, folds 1 to 4, with twenty of the other forty classes as
background, and judges fold 5 of the ten and all clips of the twenty classes that are left; then the same without a
background. With an encoder, between the two its head, and network and head together.

    python tests/benchmarks/benchmark_rejection.py ESC50 OUT [--draw N] [--encoder sfx] [flags of the recipe]
"""

import argparse
import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from hf_audio.audio.loading import load_audio
from hf_audio.inference.checkpoint import load_classifier
from hf_audio.models.configuration_audio_cnn import NONE_OF_THESE
from hf_audio.runs.rejection import margins

RECIPE = Path(__file__).parents[2] / "recipes" / "own_sounds.py"


def lay_out(esc50: Path, out: Path, draw: int) -> None:
    """Links: `known/train` and `known/test` with a folder a class, `background` and `strange` with clips of others.

    draw: which of the other classes are the background.
    """
    with open(esc50 / "meta" / "esc50.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    others = sorted({row["category"] for row in rows if row["esc10"] != "True"})
    heard = set(np.random.default_rng(draw).permutation(others)[:20])
    for row in rows:
        if row["esc10"] == "True":
            folder = out / "known" / ("test" if row["fold"] == "5" else "train") / row["category"]
        else:
            folder = out / ("background" if row["category"] in heard else "strange")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / row["filename"]).symlink_to((esc50 / "audio" / row["filename"]).resolve())


def judge(checkpoint: Path, out: Path) -> str:
    """Areas under the ROC curve, by what rejects and by the best class's score, and what the answers are.

    What rejects is how far the best class is ahead of "none of these"; a network without that answer has its best
    class's score alone.
    """
    classifier = load_classifier(checkpoint)
    known = sorted((out / "known" / "test").glob("*/*"))
    files = [*known, *sorted((out / "strange").iterdir())]
    scores = classifier.judge([load_audio(file, classifier.sampling_rate) for file in files])
    classes = [place for place, label in enumerate(classifier.labels) if label != NONE_OF_THESE]
    answers = [classifier.labels[place] for place in scores.argmax(1)]
    right = np.mean([answer == file.parent.name for answer, file in zip(answers, known, strict=False)])
    rejected = np.mean([answer == NONE_OF_THESE for answer in answers[len(known) :]])
    best, is_known = scores[:, classes].max(1), np.arange(len(files)) < len(known)
    areas = [roc_auc_score(is_known, best)]
    if NONE_OF_THESE in classifier.labels:
        none = scores[:, classifier.labels.index(NONE_OF_THESE)]
        areas.insert(0, roc_auc_score(is_known, margins(np.log(np.column_stack([best, none])))))
    told = ", by the best class's score ".join(f"{area:.3f}" for area in areas)
    return f"area {told}, accuracy on known classes {right:.4f}, of never heard ones {rejected:.2f} rejected"


def main() -> None:
    """Train twice and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("esc50", type=Path)
    parser.add_argument("out", type=Path, help="a new folder")
    parser.add_argument("--draw", type=int, default=0, help="number of the draw of the background's classes")
    parser.add_argument("--encoder", help="whose head is fitted and averaged with the network, such as sfx")
    args, flags = parser.parse_known_args()
    lay_out(args.esc50, args.out, args.draw)
    recipe = [sys.executable, str(RECIPE), "--data_dir", str(args.out / "known")]
    background = ["--background", str(args.out / "background")]
    commands = {"with background": [*recipe, *background, *flags]}
    if args.encoder is not None:
        head = ["--model_name_or_path", args.encoder, "--freeze", "encoder"]
        commands["head"] = [*recipe, *background, *head, *flags]
        members = [str(args.out / name) for name in commands]
        commands["network and head"] = [sys.executable, "-m", "hf_audio.cli", "ensemble", *members]
    commands["without background"] = [*recipe, *flags]
    for name, command in commands.items():
        subprocess.run([*command, "--output_dir", str(args.out / name)], check=True)
        print(f"{name}: {judge(args.out / name, args.out)}", flush=True)


if __name__ == "__main__":
    main()
