"""Public data sets that are known by the names of their files."""

from pathlib import PurePath

import pytest

from hf_audio.data.layouts.known_layouts import find_name_layout


def read(*names: str):
    """Name of the layout, labels and groups."""
    found = find_name_layout(PurePath("set"), [PurePath("set", name) for name in names])
    if found is None:
        return None
    layout, matches = found
    labels = [layout.labels.get(match["label"], match["label"]) for match in matches]
    return layout.name, labels, [match["group"] for match in matches]


@pytest.mark.parametrize(
    ("names", "layout", "labels", "groups"),
    [
        (
            ["yes/0a7c2a8d_nohash_0.wav", "no/0a7c2a8d_nohash_1.wav"],
            "Speech Commands",
            ["yes", "no"],
            ["0a7c2a8d", "0a7c2a8d"],
        ),
        (
            ["fold5/100032-3-0-0.wav", "fold10/99812-9-2-0.wav"],
            "UrbanSound8K",
            ["dog_bark", "street_music"],
            ["100032", "99812"],
        ),
        (
            ["recordings/7_jackson_32.wav", "recordings/8_jackson_0.wav"],
            "Free Spoken Digit Dataset",
            ["7", "8"],
            ["jackson", "jackson"],
        ),
        (["01/0_01_0.wav", "02/9_02_49.wav"], "AudioMNIST", ["0", "9"], ["01", "02"]),
        (
            ["Actor_01/03-01-05-01-02-01-01.wav", "Actor_12/03-01-04-01-02-01-12.wav"],
            "RAVDESS",
            ["angry", "sad"],
            ["01", "12"],
        ),
        (
            ["x/1001_DFA_ANG_XX.wav", "x/1091_WSI_SAD_HI.wav"],
            "CREMA-D",
            ["anger", "sad"],
            ["1001", "1091"],
        ),
        (["wav/03a01Fa.wav", "wav/16b10Wb.wav"], "EmoDB", ["happiness", "anger"], ["03", "16"]),
    ],
)
def test_names_as_they_are_published(names, layout, labels, groups):
    assert read(*names) == (layout, labels, groups)


@pytest.mark.parametrize(
    "names",
    [
        ["cat/1.wav", "dog/2.wav"],
        ["yes/0a7c2a8d_nohash_0.wav", "no/mine.wav"],  # not all of them
        ["angry/1001_DFA_ANG_XX.wav", "sad/1001_DFA_SAD_XX.wav"],  # sorted by somebody, who may mean something else
        ["1_dog_0.wav", "2_cat_0.wav"],  # a number, and no digit that every speaker says
        ["7_jackson_1.wav", "7_jackson_2.wav"],  # one label
        [],
    ],
)
def test_other_names(names):
    assert read(*names) is None
