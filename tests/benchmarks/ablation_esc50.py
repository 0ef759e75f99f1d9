"""What each ingredient of the ESC-50 recipe buys: the accuracy without it, on one or more folds.

    python tests/benchmarks/ablation_esc50.py --data_dir DIR --output_dir OUT [--folds 1 2] [--without NAME] [flags]

Further flags are the recipe's, `--num_train_epochs 60` for one: a shorter schedule than the default tells the large
differences from the small ones in a tenth of the time. Every run leaves its folder in OUT and is not repeated, so the
same command goes on after a kill; the table is printed at the end.
"""

import argparse
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from audiomentations import Compose

from hf_audio.augmentation.transforms import AddFastGaussianSNR
from hf_audio.training.general_sounds.presets import SIGNAL
from hf_audio.training.general_sounds.transforms import waveform_transforms

RECIPE = Path(__file__).parents[2] / "recipes" / "esc50.py"
# What is left out: flags, and changes of the recipe's own facts.
FLAGS = {
    "mixing": ["--mixup_alpha", "0"],
    "weight_average": ["--ema_decay", "0"],
    "label_smoothing": ["--label_smoothing_factor", "0"],
    # Pitch shift and stretch drawn anew for every clip and epoch: what serving for several epochs costs.
    "amortised_draws": ["--refresh_epochs", "1"],
}
CHANGES = {
    "spec_augment": {"time_mask_count": 0, "freq_mask_count": 0},
    "filter_augment": {"filter_augment_db": 0},
    "fine_frames": {"hop_length": 512, "time_mask_frames": 24},
}
NOTHING = "nothing"
CHOICES = [NOTHING, *FLAGS, *CHANGES, "pitch_and_stretch", "noise", "excerpts"]


def run(without: str, flags: list[str]) -> None:
    """One training, in this process."""
    spec = importlib.util.spec_from_file_location("esc50", RECIPE)
    recipe = importlib.util.module_from_spec(spec)
    sys.modules["esc50"] = recipe
    spec.loader.exec_module(recipe)
    for preset in recipe.PRESETS.values():
        preset.update(CHANGES.get(without, {}))
    if without == "pitch_and_stretch":
        recipe.slow_transforms = lambda: None
    elif without == "noise":
        kept = [part for part in waveform_transforms().transforms if not isinstance(part, AddFastGaussianSNR)]
        recipe.waveform_transforms = lambda: Compose(kept)
    elif without == "excerpts":
        recipe.waveform_transforms = lambda: waveform_transforms(SIGNAL["clip_seconds"])
    sys.argv = [str(RECIPE), *flags, *FLAGS.get(without, [])]
    recipe.run_recipe(recipe.make_task, recipe.ESC50Arguments)


def main() -> None:
    """Train whatever is not there yet, and print the table."""
    # Without abbreviations: the recipe's --fold is another flag than --folds.
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--folds", nargs="+", default=["1", "2"])
    parser.add_argument("--without", nargs="+", default=CHOICES, choices=CHOICES)
    parser.add_argument("--only", help=argparse.SUPPRESS)  # the process of one training
    known, flags = parser.parse_known_args()
    if known.only:
        run(known.only, ["--data_dir", known.data_dir, "--output_dir", str(known.output_dir), *flags])
        return
    scores = {}
    for without in known.without:
        for fold in known.folds:
            out = known.output_dir / f"without_{without}_fold_{fold}"
            results = out / "all_results.json"
            if not results.exists():
                command = [sys.executable, __file__, "--only", without, "--data_dir", known.data_dir]
                resume = ["--resume_from_checkpoint", "last"] if list(out.glob("checkpoint-*")) else []
                subprocess.run([*command, "--output_dir", str(out), "--fold", fold, *resume, *flags], check=True)
            scores[without, fold] = json.loads(results.read_text())["eval_accuracy"]
    print(f"| Without | Mean | {' | '.join(f'Fold {fold}' for fold in known.folds)} |")
    print("|---" * (2 + len(known.folds)) + "|")
    for without in known.without:
        values = [scores[without, fold] for fold in known.folds]
        print(f"| {without} | {np.mean(values):.4f} | {' | '.join(f'{value:.4f}' for value in values)} |")


if __name__ == "__main__":
    main()
