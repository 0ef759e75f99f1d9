"""The layouts in which Freesound's tagging challenges were published, as one data set."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from datasets import Dataset, concatenate_datasets

from ..data.rows import UNVERIFIED_COLUMN, from_rows, from_tagged_rows
from ..data.tables.tags import SEPARATOR
from ..data.tables.text_tables import read_table
from ..errors import DataError

# Of FSDKaggle2018, https://zenodo.org/records/2552860.
TAGS = (
    "Acoustic_guitar",
    "Applause",
    "Bark",
    "Bass_drum",
    "Burping_or_eructation",
    "Bus",
    "Cello",
    "Chime",
    "Clarinet",
    "Computer_keyboard",
    "Cough",
    "Cowbell",
    "Double_bass",
    "Drawer_open_or_close",
    "Electric_piano",
    "Fart",
    "Finger_snapping",
    "Fireworks",
    "Flute",
    "Glockenspiel",
    "Gong",
    "Gunshot_or_gunfire",
    "Harmonica",
    "Hi-hat",
    "Keys_jangling",
    "Knock",
    "Laughter",
    "Meow",
    "Microwave_oven",
    "Oboe",
    "Saxophone",
    "Scissors",
    "Shatter",
    "Snare_drum",
    "Squeak",
    "Tambourine",
    "Tearing",
    "Telephone",
    "Trumpet",
    "Violin_or_fiddle",
    "Writing",
)
# Table and audio folder of the training and the test clips: as on Zenodo, and as on Kaggle.
LAYOUTS = {
    "train": (
        ("FSDKaggle2018.meta/train_post_competition.csv", "FSDKaggle2018.audio_train"),
        ("train_post_competition.csv", "audio_train"),
        ("train.csv", "audio_train"),
    ),
    "test": (
        ("FSDKaggle2018.meta/test_post_competition_scoring_clips.csv", "FSDKaggle2018.audio_test"),
        ("test_post_competition_scoring_clips.csv", "audio_test"),
        ("test_post_competition.csv", "audio_test"),
    ),
}
VERIFIED_COLUMN = "manually_verified"
# Of verified clips, where no table tells the test clips' labels.
TEST_SHARE = 5


def load_tagged_sounds(data_dir: Path) -> tuple[Dataset, np.ndarray]:
    """The labelled clips of a folder in the layout of Zenodo or of Kaggle, and which are test clips, (clips,) of bool.

    Clips that nobody has verified are marked in `UNVERIFIED_COLUMN`. Where no table has the labels of test clips (as
    on Kaggle during the competition), every fifth verified clip is one. A table with a column `labels`, of several
    tags with commas between (FSDKaggle2019, FSD50K), gives lists of tags.

    Raises:
        DataError: no such layout, a label that is none of the 41, or as `load_table`.
    """
    tables = {name: _read_part(data_dir, layouts) for name, layouts in LAYOUTS.items()}
    tags = sorted({tag for table in tables.values() if table is not None for tag in _all_tags(table)})
    parts = {name: None if table is None else _load_part(table, tags) for name, table in tables.items()}
    train, test = parts["train"], parts["test"]
    if train is None:
        raise DataError(
            f"{data_dir} holds neither {LAYOUTS['train'][0][0]}, as on Zenodo, nor train.csv, as on Kaggle: give "
            "the folder above it."
        )
    if test is None:
        verified = np.flatnonzero(~np.asarray(train[UNVERIFIED_COLUMN][:]))
        held_out = np.zeros(len(train), dtype=bool)
        held_out[verified[TEST_SHARE - 1 :: TEST_SHARE]] = True
        return train, held_out
    dataset = concatenate_datasets([train, test])
    return dataset, np.arange(len(dataset)) >= len(train)


def is_tagged_sounds(data_dir: Path) -> bool:
    """Whether a folder has the layout of Zenodo or of Kaggle."""
    return any((data_dir / table).is_file() and (data_dir / folder).is_dir() for table, folder in LAYOUTS["train"])


def _read_part(data_dir: Path, layouts: Sequence[tuple[str, str]]) -> pd.DataFrame | None:
    """The table that there is, with the files' full names as `path`."""
    for name, folder in layouts:
        if (data_dir / name).is_file():
            table = read_table(data_dir / name, ["fname"])
            if "labels" not in table and "label" not in table:
                columns = ", ".join(table.columns)
                raise DataError(f"{data_dir / name} has no column 'label': its columns are {columns}.")
            table["path"] = [str(data_dir / folder / file.strip()) for file in table["fname"]]
            # Without Kaggle's padding, which has no labels.
            return table[table["usage"] != "Ignored"] if "usage" in table else table
    return None


def _all_tags(table: pd.DataFrame) -> set[str]:
    """All tags of a table whose clips have several each."""
    return {tag.strip() for row in table.get("labels", []) for tag in row.split(SEPARATOR)} - {""}


def _load_part(table: pd.DataFrame, tags: Sequence[str]) -> Dataset:
    checked = table[VERIFIED_COLUMN].str.strip() if VERIFIED_COLUMN in table else ["1"] * len(table)
    columns = {VERIFIED_COLUMN: list(checked)}
    files = table["path"].tolist()
    if "labels" in table:
        dataset = from_tagged_rows(files, [row.split(SEPARATOR) for row in table["labels"]], columns, tags)
    else:
        dataset = from_rows(files, table["label"].tolist(), columns, TAGS)
    unverified = np.array([value == "0" for value in dataset[VERIFIED_COLUMN][:]])
    return dataset.remove_columns(VERIFIED_COLUMN).add_column(UNVERIFIED_COLUMN, unverified)
