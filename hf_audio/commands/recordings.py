"""Commands on recordings, without a checkpoint: inspected, or made."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ArgumentError
from ..remote.paths import as_path
from .paths import File, check_writable, several

if TYPE_CHECKING:
    from ..inspection.report import Inspection


def inspect(
    data: File,
    *,
    audio_dir: File | None = None,
    path_column: str | None = None,
    label_column: Sequence[str] = (),
    split_column: str | None = None,
    group_column: str | None = None,
    json: File | None = None,
    png: File | None = None,
    groups: File | None = None,
    encoder: File | None = None,
) -> "Inspection":
    """Find what is wrong with recordings, before training.

    Reads every file of a collection once and tells what would spoil training or its score: broken, silent, clipped and
    narrow-band files, copies and parts of one recording (in other formats, levels and rates too), also across splits
    and under two labels, and classes that are told by their microphone. Findings are no failure: the exit code is 0.

    Args:
        data: a folder with a folder a class, also below train/ and test/, or without classes; or a .csv or .tsv
        audio_dir: where the table's files are; by default beside it
        path_column: of the table: names of files; by default one with a usual name
        label_column: of the table: labels; by default one with a usual name, if any
        split_column: of the table: splits or folds; by default one of train and test
        group_column: of the table: speakers or recordings, which no split should share
        json: all findings and measurements, to write
        png: classes, lengths, levels and rates, to draw; with an encoder, the clips in the plane too
        groups: a .csv of path, label and group, to write and train on; a group is one sound or recording
        encoder: a folder, Hub id or name, such as sfx, by whose embeddings clips are found whose label is doubtful

    Returns:
        The findings and measurements; printed, it is the report.

    Raises:
        CheckpointError: the encoder cannot be used.
        DataError: there is nothing to inspect, or nothing to draw.
    """
    for option, output in (("--json", json), ("--png", png), ("--groups", groups)):
        if output is not None:
            check_writable(output, option, [data])
    from ..data.tables.columns import Columns
    from ..inspection import report

    named = None if encoder is None else os.fspath(encoder)
    columns = Columns(path_column, several(label_column), group_column, split_column)
    inspection = report.inspect(data, columns, audio_dir, named)
    if json is not None:
        report.write_report(inspection, as_path(json))
    if groups is not None:
        report.write_groups(inspection, as_path(groups))
    if png is not None:
        report.draw_report(inspection, as_path(png))
    return inspection


def make_numbers(
    out: File, *, language: str = "ru", count: int = 9000, seed: int = 0, prompts: File | None = None
) -> Path:
    """Speak numbers by synthetic voices, as a corpus to train on.

    Makes a corpus of spoken numbers from 0 to 999,999 in the layout of numbers2, by eSpeak NG; or, to judge by, out of
    people's prompts.

    Args:
        out: folder of the corpus, a new one
        language: a language tag of eSpeak NG, such as ru, en-us or en-gb
        count: training clips; either test has a tenth as many
        seed: of all draws; equal seeds give equal files
        prompts: folder of a telephone system's Russian prompts, of which test clips are put together

    Returns:
        The folder.

    Raises:
        DataError: the folder holds something else, or an argument cannot be.
        MissingExtraError: eSpeak NG is not installed.
    """
    if prompts is not None:
        from ..corpora.prompted_numbers import make_prompted_numbers  # loads the audio libraries

        if language.lower() != "ru":
            raise ArgumentError("--prompts are of numbers in Russian: leave --language out.")
        return make_prompted_numbers(Path(prompts), Path(out), count=count, seed=seed)
    from ..corpora.synthetic_numbers import make_spoken_numbers  # loads the audio libraries

    return make_spoken_numbers(Path(out), language=language, count=count, seed=seed)


def make_soundscapes(
    out: File, *, esc50: File | None = None, fold: str = "5", count: int = 100, seed: int = 0
) -> Path:
    """Make recordings with annotated events, to train and judge by.

    Events of known classes over backgrounds, at stated signal-to-noise ratios, some of them overlapping: train.csv and
    test.csv say from when to when. Out of formulas, or of ESC-50's short sounds over its long ones, the test
    recordings then made of one fold and the training recordings of the others.

    Args:
        out: folder of the corpus, a new one
        esc50: the folder of ESC-50, which has audio and meta in it
        fold: of ESC-50, from which the test recordings are made, 1 to 5
        count: training recordings of 10 s; there are a third as many to test on
        seed: of all draws; equal seeds give equal files

    Returns:
        The folder.

    Raises:
        ArgumentError: an argument that cannot be.
        AudioError: a clip of ESC-50 cannot be read.
        DataError: the folder holds something else, or that is not ESC-50's.
    """
    from ..corpora.soundscapes import ESC50Sounds  # loads the audio libraries
    from ..corpora.soundscapes import make_soundscapes as make

    sounds = None if esc50 is None else ESC50Sounds(esc50, fold)
    return make(Path(out), sounds=sounds, count=count, seed=seed)
