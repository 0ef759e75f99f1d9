"""Public data sets and recorders that are known by tables or names of files, and what those mean: facts alone."""

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import NamedTuple

from ..tables.columns import Columns

# Of Speech Commands: recordings of minutes beside a folder a word, which are no word.
NOISE_FOLDER = "_background_noise_"


class TableLayout(NamedTuple):
    """A data set that is known by the name of its table."""

    name: str
    table: str
    """Name of the file, in small letters, in whichever folder."""
    columns: Columns
    note: str = ""
    """What else is said aloud."""


class NameLayout(NamedTuple):
    """A data set whose files' names say what they hold."""

    name: str
    pattern: re.Pattern[str]
    """Of a file's path; `label`, `group` and perhaps `fold` are taken, and `above`, one folder for all files."""
    group: str
    """What the clips of one group share."""
    labels: Mapping[str, str] = {}
    """What the codes mean; without it, the label is as it stands."""
    crossed: bool = False
    """Whether every group has every label, for a pattern that other names may fit too."""


TABLE_LAYOUTS = (
    TableLayout(  # https://urbansounddataset.weebly.com/urbansound8k.html
        "UrbanSound8K",
        "urbansound8k.csv",
        Columns("slice_file_name", ("class",), "fsID"),
        "its start and end are places in the original recordings, and each clip is read whole",
    ),
    TableLayout(  # https://github.com/karolpiczak/ESC-50
        "ESC-50", "esc50.csv", Columns("filename", ("category",), "src_file")
    ),
)


def _pattern(expression: str) -> re.Pattern[str]:
    return re.compile(rf"(?P<above>.*/)?{expression}\.(?i:wav|flac|ogg|mp3)")


NAME_LAYOUTS = (
    NameLayout(  # https://arxiv.org/abs/1804.03209
        "Speech Commands",
        _pattern(r"(?P<label>[^/]+)/(?P<group>[0-9a-f]{8})_nohash_\d+"),
        "speaker",
    ),
    NameLayout(  # https://urbansounddataset.weebly.com/urbansound8k.html, without its table
        "UrbanSound8K",
        _pattern(r"fold(?P<fold>\d+)/(?P<group>\d+)-(?P<label>\d)-\d+-\d+"),
        "fsID",
        {
            "0": "air_conditioner",
            "1": "car_horn",
            "2": "children_playing",
            "3": "dog_bark",
            "4": "drilling",
            "5": "engine_idling",
            "6": "gun_shot",
            "7": "jackhammer",
            "8": "siren",
            "9": "street_music",
        },
    ),
    NameLayout(  # https://github.com/Jakobovski/free-spoken-digit-dataset
        "Free Spoken Digit Dataset", _pattern(r"(?P<label>\d)_(?P<group>[a-z]+)_\d+"), "speaker", crossed=True
    ),
    NameLayout(  # https://github.com/soerenab/AudioMNIST
        "AudioMNIST", _pattern(r"(?P<group>\d\d)/(?P<label>\d)_(?P=group)_\d+"), "speaker"
    ),
    NameLayout(  # https://zenodo.org/records/1188976
        "RAVDESS",
        _pattern(r"Actor_(?P<group>\d\d)/\d\d-\d\d-(?P<label>0[1-8])-\d\d-\d\d-\d\d-(?P=group)"),
        "actor",
        {
            "01": "neutral",
            "02": "calm",
            "03": "happy",
            "04": "sad",
            "05": "angry",
            "06": "fearful",
            "07": "disgust",
            "08": "surprised",
        },
    ),
    NameLayout(  # https://github.com/CheyneyComputerScience/CREMA-D
        "CREMA-D",
        _pattern(r"(?P<group>1\d{3})_[A-Z]{3}_(?P<label>ANG|DIS|FEA|HAP|NEU|SAD)_(?:LO|MD|HI|XX|X)"),
        "actor",
        {"ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happy", "NEU": "neutral", "SAD": "sad"},
    ),
    NameLayout(  # http://emodb.bilderbar.info
        "EmoDB",
        _pattern(r"(?P<group>\d\d)[ab]\d\d(?P<label>[WLEAFTN])[a-z]"),
        "speaker",
        {
            "W": "anger",
            "L": "boredom",
            "E": "disgust",
            "A": "fear",
            "F": "happiness",
            "T": "sadness",
            "N": "neutral",
        },
    ),
)

# Names of public data sets and of recorders, from whose `group` (speaker, recording, uploader) the figure must not
# learn. What a name says of the class, `label`, is one thing within a class, or it is no such name.
UUID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
NAME_SCHEMES = {
    "Speech Commands": re.compile(r"(?P<group>[0-9a-f]{6,10})_nohash_\d+"),
    "ESC-50": re.compile(r"[1-5]-(?P<group>\d+)-[A-Z]-(?P<label>\d+)\b.*"),
    "pieces of ESC-50": re.compile(r"[1-5]-(?P<group>\d+)-[A-Z](?:-\d+)?"),
    "UrbanSound8K": re.compile(r"(?P<group>\d{2,6})-(?P<label>\d)-\d+-\d+"),
    "Xeno-canto": re.compile(r"(?:.*[^A-Za-z])?(?P<group>XC\d{4,7})(?:\D.*)?"),
    "digit, speaker, number": re.compile(r"(?P<label>\d)_(?P<group>[a-z]+|\d\d)_\d+"),
    "RAVDESS": re.compile(r"0[1-3]-0[12]-0[1-8]-0[12]-0[12]-0[12]-(?P<group>\d\d)"),
    "CREMA-D": re.compile(r"(?P<group>1\d{3})_[A-Z]{3}_[A-Z]{3}_[A-Z]{2}"),
    "EmoDB": re.compile(r"(?P<group>\d\d)[ab]\d\d[A-Z][a-z]?"),
    "LibriSpeech": re.compile(r"(?P<group>\d{2,5})-\d{3,6}-\d{4}"),
    "NSynth": re.compile(r"(?P<group>[a-z]+_[a-z]+_\d{3})-\d{3}-\d{3}"),
    "AudioSet": re.compile(r"Y?(?P<group>[\w-]{11})_\d+\.\d+_\d+\.\d+"),
    "speaker by that word": re.compile(
        r"(?:.*[^a-z])?(?P<group>(?:speaker|spk|subject|subj|person|patient|actor|participant)[-_ ]?\d+)(?:\D.*)?",
        re.I,
    ),
    "identifier first": re.compile(rf"(?P<group>{UUID})[-_ ].+"),
}


def find_name_layout(directory: PurePath, files: Sequence[PurePath]) -> tuple[NameLayout, list[re.Match[str]]] | None:
    """The data set whose files are called so, every one of them in a directory, and what each name says."""
    for layout in NAME_LAYOUTS:
        found = []
        for file in files:
            match = layout.pattern.fullmatch("/".join(file.parts[len(directory.parts) :]))
            if match is None:
                break
            found.append(match)
        if len(found) == len(files) and _is_whole(layout, found):
            return layout, found
    return None


def _is_whole(layout: NameLayout, found: Sequence[re.Match[str]]) -> bool:
    """Whether names that fit a pattern are those of such a data set."""
    labels = {match["label"] for match in found}
    pairs = {(match["group"], match["label"]) for match in found}
    n_groups = len({group for group, _ in pairs})
    return (
        len(labels) > 1
        and len({match["above"] for match in found}) == 1
        and (not layout.crossed or len(pairs) == len(labels) * n_groups)
    )
