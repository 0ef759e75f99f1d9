"""Files of ELAN: refused, and read where they are exported as the refusal says."""

import re

import numpy as np
import pytest
import soundfile

from hf_audio.data.annotations.annotated_recordings import Annotation
from hf_audio.data.annotations.finding import find_annotations
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
