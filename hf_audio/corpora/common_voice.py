"""Common Voice's language folders: clips with the speaker's gender, and speakers that are never on two sides."""

import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from datasets import Dataset
from sklearn.model_selection import StratifiedGroupKFold

from ..data.rows import from_rows
from ..data.tables.text_tables import read_table
from ..data.tables.voice_tables import NEEDED_COLUMNS, SPEAKER_COLUMN, read_voice_table
from ..errors import DataError

logger = logging.getLogger(__name__)

CLASSES = ("female", "male")
SPLITS = ("train", "dev", "test")
WHOLE_TABLES = ("validated", "train")  # of which one is split where the folder has no named split


def load_voices(data_dir: Path, seed: int = 0) -> tuple[Dataset, dict[str, np.ndarray]]:
    """The clips with a gender of a language folder, and which are in each of its splits, (clips,) of bool by name.

    The splits are `train`, `dev` and `test`. They are those of `train.tsv`, `dev.tsv` and `test.tsv`; of a folder
    without `test.tsv`, a tenth and a fifth of the speakers of `validated.tsv`, or else of `train.tsv`, are `dev` and
    `test`. Without `dev.tsv`, that split is empty. Rows without a gender are left out: `hf-audio pseudo-label` finds
    them. Columns: `path`, `label` and `speaker`.

    Args:
        data_dir: a language folder, with tables and `clips/`.
        seed: of the split of one table; not that of a training, whose pseudo-labels another one may learn from.

    Raises:
        DataError: no such layout, a table that cannot be read, a speaker in two splits, one gender only, or too few
            speakers to split.
    """
    if not (data_dir / "clips").is_dir():
        raise DataError(f"{data_dir} holds no clips/: give a language folder of Common Voice{_languages(data_dir)}.")
    if (data_dir / "test.tsv").is_file() and (data_dir / "train.tsv").is_file():
        tables = {name: _read_labelled(data_dir / f"{name}.tsv") for name in SPLITS if _exists(data_dir, name)}
        table = pd.concat(tables.values(), ignore_index=True)
        origin = np.repeat(list(tables), [len(part) for part in tables.values()])
    else:
        whole = next((name for name in WHOLE_TABLES if _exists(data_dir, name)), None)
        if whole is None:
            raise DataError(
                f"{data_dir} holds neither train.tsv and test.tsv nor validated.tsv: give a language folder of Common "
                f"Voice{_languages(data_dir)}."
            )
        logger.info(
            "Without train.tsv and test.tsv, a tenth of the speakers of %s.tsv validates, a fifth tests.", whole
        )
        table = _read_labelled(data_dir / f"{whole}.tsv")
        origin = split_speakers(table["client_id"].to_numpy(), table["gender"].to_numpy(), seed)
    check_speakers_apart({name: table["client_id"][origin == name] for name in SPLITS})
    table, origin = _without_contradictions(table, origin)
    # `from_rows` drops rows that repeat another; its splits must be found again.
    columns = {SPEAKER_COLUMN: table["client_id"].tolist(), "split": origin.tolist()}
    dataset = from_rows(table["path"].tolist(), table["gender"].tolist(), columns, CLASSES)
    if len(set(dataset["label"][:])) < 2:
        raise DataError(
            f"{data_dir} has clips of one gender only, {table['gender'].iloc[0]}: there is nothing to tell."
        )
    split = np.asarray(dataset["split"])
    return dataset.remove_columns("split"), {name: split == name for name in SPLITS}


def find_unlabelled(data_dir: Path, held_out: Collection[str]) -> list[str]:
    """The clips of a language folder whose speakers have said nothing of their gender.

    Of `train.tsv`, or where there is none of `validated.tsv`. Who has said anything else than female or male is in no
    class, and shall be given none by a model: those clips are left out.

    Args:
        data_dir: as `load_voices` has read it.
        held_out: speakers who are not learnt from.

    Raises:
        DataError: the table cannot be read.
    """
    name = next(name for name in reversed(WHOLE_TABLES) if _exists(data_dir, name))
    table = read_table(data_dir / f"{name}.tsv", NEEDED_COLUMNS)
    silent = (table["gender"].str.strip() == "") & ~table["client_id"].isin(list(held_out))
    return [str(data_dir / "clips" / clip.strip()) for clip in table["path"][silent]]


def check_speakers_apart(splits: Mapping[str, Sequence[str]]) -> None:
    """Refuse splits of which two share a speaker. splits: the speaker of every clip, by the split's name.

    Raises:
        DataError: there is such a speaker.
    """
    names = list(splits)
    for place, first in enumerate(names):
        for second in names[place + 1 :]:
            both = set(splits[first]) & set(splits[second])
            if both:
                raise DataError(
                    f"{len(both)} speakers are in both {first} and {second}, {min(both)[:16]} for one: a score on "
                    "voices that were trained on means nothing; move their rows to one table."
                )


def split_speakers(speakers: np.ndarray, genders: np.ndarray, seed: int) -> np.ndarray:
    """The split of every clip, "train", "dev" or "test", whole speakers, both genders in each.

    speakers, genders: (clips,). A tenth of the speakers is for `dev`, a fifth for `test`.

    Raises:
        DataError: fewer than three speakers of a gender.
    """
    for gender in CLASSES:
        n_speakers = len(set(speakers[genders == gender]))
        if n_speakers < len(SPLITS):
            raise DataError(
                f"{n_speakers} speakers are {gender}: training, validation and test need at least one each; add more, "
                "or give a folder with train.tsv, dev.tsv and test.tsv."
            )
    n_folds = min(10, *(len(set(speakers[genders == gender])) for gender in CLASSES))
    # Speakers and not clips in proportion: some have recorded hundreds.
    who, first = np.unique(speakers, return_index=True)
    folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed).split(who, genders[first], who)
    fold = np.empty(len(who), dtype=int)
    for number, (_, members) in enumerate(folds):
        fold[members] = number
    split = np.full(len(who), "train", dtype=object)
    split[fold == 0] = "dev"
    split[(fold > 0) & (fold <= max(n_folds // 5, 1))] = "test"
    return split[np.searchsorted(who, speakers)]


def _read_labelled(path: Path) -> pd.DataFrame:
    table = read_voice_table(path)[list(NEEDED_COLUMNS)]
    if table.empty:
        raise DataError(f"{path} has no rows: give a language folder with recordings.")
    labelled = table[table["gender"] != ""]
    if len(labelled) < len(table):
        logger.info("%d of %d clips of %s have no gender: set aside.", len(table) - len(labelled), len(table), path)
    if labelled.empty:
        raise DataError(f"None of the {len(table)} clips of {path} has a gender: there is nothing to learn from.")
    return labelled


def _without_contradictions(table: pd.DataFrame, origin: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    """Without the clips of those whose gender differs between clips: which of them is right is not known."""
    several = table.groupby("client_id")["gender"].transform("nunique") > 1
    if several.any():
        logger.warning("%d clips are left out: their speakers have clips of either gender.", several.sum())
    return table[~several], origin[~several.to_numpy()]


def _exists(data_dir: Path, name: str) -> bool:
    return (data_dir / f"{name}.tsv").is_file()


def _languages(data_dir: Path) -> str:
    """Which folder of those inside was probably meant, in words."""
    inside = sorted(path.parent for path in data_dir.glob("*/*.tsv"))
    return f", such as {inside[0]}" if inside else ", such as cv-corpus/en"
