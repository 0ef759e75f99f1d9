"""Commands that judge a checkpoint by annotated or labelled recordings, or fit it to them."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..errors import ArgumentError
from .paths import File, check_writable, several

if TYPE_CHECKING:
    from ..evaluation.evaluation import Comparison, Evaluation
    from ..inference.events import EventRule


def evaluate(
    checkpoints: Sequence[File],
    *,
    data: File | None = None,
    output: File | None = None,
    path_column: str | None = None,
    label_column: Sequence[str] = (),
    group_column: str | None = None,
    split_column: str | None = None,
    audio_dir: File | None = None,
    unannotated: Literal["background", "ignore"] | None = None,
    dataset_config: str | None = None,
    threshold: float | None = None,
    collar: float = 0.2,
    offset_share: float = 0.5,
    segment_seconds: float = 1.0,
    num_workers: int | None = None,
) -> "Evaluation | Comparison":
    """Judge a checkpoint on further recordings.

    The figures, intervals, tables and pictures that a training tells of its test clips, of recordings that it has not
    heard: labelled clips, in any layout that training reads, or recordings with annotated events. With --data, two
    checkpoints can be given, which are told side by side, with the interval of their difference.

    Args:
        checkpoints: a finished folder, a Hub id or an ONNX file, and behind it the data; or two, with --data
        data: a folder or a table of labelled clips or of annotations; or a data set of the Hub, a folder that one was
            saved to, or one of Parquet files or tars
        output: folder for figures, report, tables and pictures
        path_column: of a table: names of files, of a data set: recordings; by default one with a usual name
        label_column: of a table: labels; by default one with a usual name
        group_column: of a table: what clips belong together by (recording, speaker), for intervals and the worst group
        split_column: of a table: train and test, whose test clips are judged; by default one with a usual name
        audio_dir: where a table's files are; by default beside it
        unannotated: of recordings with annotations, what is not annotated
        dataset_config: of a data set that has several
        threshold: of events, in the place of the checkpoint's own
        collar: seconds that an event's onset, and offset, may be off
        offset_share: of an event's length that its offset may be off, if that is more
        segment_seconds: length of the segments in which labels sound or do not
        num_workers: processes that decode; by default one for two cores

    Returns:
        The figures, with `results` and what they are of; of two checkpoints, a comparison.

    Raises:
        ArgumentError: arguments that do not go together.
        CheckpointError: a checkpoint cannot be used.
        DataError: there is nothing to judge by, or the checkpoint knows none of the labels.
    """
    given = list(several(checkpoints))
    if data is None:
        *given, data = given
    if len(given) not in (1, 2):
        told = "evaluate needs a checkpoint and data" if not given else f"{len(given)} checkpoints are given"
        raise ArgumentError(f"{told}: give a checkpoint and the data, or two checkpoints and --data.")
    if output is not None:
        check_writable(output)
    if num_workers is not None and num_workers < 0:
        raise ArgumentError(f"--num_workers {num_workers} must be 0 or more.")
    from ..data.columns import Columns
    from ..evaluation.evaluation import Data, Options, compare_checkpoints, evaluate_checkpoint  # loads torch
    from ..evaluation.events import Collars
    from ..evaluation.report import check_output, write_evaluation

    if output is not None:
        check_output(Path(output))
    columns = Columns(path_column, several(label_column), group_column, split_column)
    place = None if audio_dir is None else os.fspath(audio_dir)
    judged_by = Data(os.fspath(data), columns, place, unannotated, dataset_config)
    options = Options(Collars(collar, offset_share, segment_seconds), threshold, num_workers)
    evaluation = (
        evaluate_checkpoint(given[0], judged_by, options)
        if len(given) == 1
        else compare_checkpoints(given, judged_by, options)
    )
    if output is not None:
        write_evaluation(evaluation, Path(output))
    return evaluation


def fit_events(
    checkpoint: File,
    data: File,
    *,
    precision: float | None = None,
    false_alarms_per_hour: float | None = None,
    path_column: str | None = None,
    label_column: Sequence[str] = (),
    split_column: str | None = None,
    audio_dir: File | None = None,
    unannotated: Literal["background", "ignore"] | None = None,
) -> "EventRule":
    """Fit thresholds of events to annotated recordings.

    From which confidence on something is an event, a label each, and what ends one, in the checkpoint's config.json
    and so in detect, stream, serve, evaluate, and what is exported from now on. By default for the best F1 of events.

    Args:
        checkpoint: a finished folder
        data: annotated recordings that it was not trained on, as hf-audio train own_sounds reads them
        precision: the share of found events that shall be right, for as many as can be found so
        false_alarms_per_hour: how many found events of each label may be wrong, for as many as can be found so
        path_column: of a table: names of files; by default one with a usual name
        label_column: of a table: labels; by default one with a usual name
        split_column: of a table: the parts, of which that to validate on is taken; by default one with a usual name
        audio_dir: where a table's files are; by default beside it
        unannotated: what is not annotated

    Returns:
        The rule, with `thresholds` in the order of the labels, `release`, `min_seconds` and `gap_seconds`.

    Raises:
        ArgumentError: arguments that do not go together, or a checkpoint that reads numbers.
        CheckpointError: the checkpoint is no folder.
        DataError: there are no annotations with times, or none of a label that the checkpoint knows.
    """
    if precision is not None and false_alarms_per_hour is not None:
        raise ArgumentError("--precision and --false_alarms_per_hour are two aims: leave one out.")
    from ..data.columns import Columns
    from ..evaluation.evaluation import Data  # loads torch
    from ..evaluation.fitting import fit_events as fit

    objective: str | tuple[str, float] = "f1"
    if precision is not None:
        objective = "precision", precision
    elif false_alarms_per_hour is not None:
        objective = "false_alarms_per_hour", false_alarms_per_hour
    columns = Columns(path_column, several(label_column), None, split_column)
    place = None if audio_dir is None else os.fspath(audio_dir)
    return fit(os.fspath(checkpoint), Data(os.fspath(data), columns, place, unannotated), objective)
