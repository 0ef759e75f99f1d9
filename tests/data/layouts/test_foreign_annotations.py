"""Annotations in forms that are not read: refused, and read where they are exported as the refusal says."""

import re

import numpy as np
import pytest
import soundfile

from hf_audio.data.annotations.annotated_recordings import Annotation
from hf_audio.data.annotations.finding import find_annotations
from hf_audio.data.layouts.foreign_annotations import explain_foreign
from hf_audio.data.layouts.reading import read_recordings
from hf_audio.errors import DataError

RATE = 1000

# As ELAN exports a tier with one annotation, from 1 to 2 seconds, with a blank behind each value.
OF_ELAN = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 20
tiers? <exists>
size = 1
item []:
    item [1]:
        class = "IntervalTier"
        name = "calls"
        xmin = 0
        xmax = 20
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 1
            text = ""
        intervals [2]:
            xmin = 1
            xmax = 2
            text = "dog"
        intervals [3]:
            xmin = 2
            xmax = 20
            text = ""
"""


def test_files_of_elan_are_refused_with_the_export_that_is_read(tmp_path):
    for name in ("a", "b"):
        soundfile.write(tmp_path / f"{name}.wav", np.random.default_rng(0).standard_normal(20 * RATE) / 10, RATE)
    (tmp_path / "a.eaf").write_text("<ANNOTATION_DOCUMENT/>")
    remedy = r"a\.eaf is a file of ELAN, which is not read: export it in ELAN as a Praat TextGrid, .* a\.TextGrid\.$"
    with pytest.raises(DataError, match=remedy):
        find_annotations(tmp_path / "a.eaf")
    assert find_annotations(tmp_path) is None  # there may be labels of other kinds
    assert re.search(remedy, read_recordings(tmp_path).problem)

    (tmp_path / "a.TextGrid").write_text(OF_ELAN.replace("\n", " \n"))

    (recording,) = find_annotations(tmp_path, unannotated="ignore").recordings
    assert recording.path.name == "a.wav" and recording.annotations == [Annotation(1, 2, "dog")]


LABEL_STUDIO = (
    '[{"data": {"audio": "a.wav"}, "annotations": [{"value": {"start": 1, "end": 2.5, "labels": ["dog"]}}]}]'
)
LABEL_STUDIO_CSV = (
    'audio,id,label\n/data/1-a.wav,1,"[{""start"":1,""end"":2.5,""channel"":0,""labels"":[""dog""]}]"\n'
    '/data/2-b.wav,2,"[{""start"":3,""end"":4,""channel"":0,""labels"":[""cat""]}]"\n'
)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("x.json", LABEL_STUDIO, "as Label Studio exports them, which are not read: .* file,start,end,label"),
        ("x.csv", LABEL_STUDIO_CSV, "as Label Studio exports them, which are not read: .* file,start,end,label"),
        # Regions and instants of Sonic Visualiser, without the header that it can write.
        (
            "a.csv",
            "1.500000000,0,2.25,dog\n3.0,0,0.5,cat\n",
            "has no header, its first line is .1.5.*,dog.: .*above it",
        ),
        ("a.csv", "1.500000000,dog\n3.0,cat\n", "has no header, its first line is .1.5.*,dog.: .*above it"),
        ("a.csv", "1;2;dog\n3;4;cat\n", "has no header, its first line is .1;2;dog.: .*above it"),
    ],
)
def test_other_forms_are_refused_with_the_form_that_is_read(tmp_path, name, text, told):
    for recording in ("a", "b"):
        soundfile.write(tmp_path / f"{recording}.wav", np.random.default_rng(0).standard_normal(9 * RATE) / 10, RATE)
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=f"{name} {'holds regions ' * (name[0] == 'x')}{told}"):
        find_annotations(tmp_path / name)
    with pytest.raises(DataError, match=told):
        assert find_annotations(tmp_path) is None  # else there may be labels of other kinds
        raise DataError(read_recordings(tmp_path).problem)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "1.5,220\n3.0,225\n"),
        ("a.csv", "0,1,a.wav\n"),
        ("a.csv", "1,x\n# end,y\n"),
        ("x.json", '{"start": 1}'),
    ],
)
def test_files_of_other_things_are_no_annotations(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert explain_foreign(tmp_path / name) is None
