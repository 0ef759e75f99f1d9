"""The command that judges checkpoints by recordings whose labels or events are known."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..errors import ArgumentError
from .paths import File, check_writable, several

if TYPE_CHECKING:
    from ..evaluation.evaluation import Comparison, Evaluation


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
        problem = "evaluate needs a checkpoint and data" if not given else f"{len(given)} checkpoints are given"
        raise ArgumentError(f"{problem}: give a checkpoint and the data, or two checkpoints and --data.")
    if output is not None:
        check_writable(output)
    if num_workers is not None and num_workers < 0:
        raise ArgumentError(f"--num_workers {num_workers} must be 0 or more.")
    from ..data.tables.columns import Columns
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
