"""A trained checkpoint as the teacher of a smaller model, refused where it has heard the clips that are held out."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch
from transformers import AutoModelForAudioClassification

from .arguments import ArgumentError
from .models import AudioCNNConfig
from .reports import PREDICTIONS_NAME, relative_paths


def load_teacher(folder: str, config: AudioCNNConfig, held_out: Sequence[str]) -> torch.nn.Module:
    """The model of a finished folder, frozen and in evaluation mode.

    Args:
        folder: of a run, or of a cross-validation; of the latter, the fold is taken that held out the same clips.
        config: of the student, which must hear the same sampling rate and know the same classes.
        held_out: files that the student will be judged on; the teacher must have held them out too.

    Raises:
        ArgumentError: no such folder, or a teacher of other classes, another rate or other training clips.
    """
    root = Path(folder)
    runs = [file.parent for file in (root / PREDICTIONS_NAME, *sorted(root.glob(f"fold_*/{PREDICTIONS_NAME}")))]
    runs = [run for run in runs if (run / "model.safetensors").is_file() and (run / PREDICTIONS_NAME).is_file()]
    if not runs:
        raise ArgumentError(f"--teacher {folder} holds no finished run: give the --output_dir of one.")
    clips = set(relative_paths(held_out))
    judged = {run: set(pd.read_csv(run / PREDICTIONS_NAME, dtype=str)["path"]) for run in runs}
    run = next((run for run in runs if clips <= judged[run]), None)
    if run is None:
        unheard = sorted(clips - judged[runs[0]])[0]
        raise ArgumentError(
            f"--teacher {folder} was trained on clips that are held out here, {unheard} for one: give a teacher that "
            "held out the same ones."
        )
    teacher = AutoModelForAudioClassification.from_pretrained(run)
    if teacher.config.sampling_rate != config.sampling_rate or teacher.config.id2label != config.id2label:
        raise ArgumentError(
            f"--teacher {folder} hears {teacher.config.sampling_rate} Hz and knows {teacher.config.num_labels} "
            f"classes, not the {config.num_labels} of this task at {config.sampling_rate} Hz: give a teacher of the "
            "same task."
        )
    return teacher.to(memory_format=torch.channels_last).eval().requires_grad_(False)
