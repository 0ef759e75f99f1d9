"""TextGrids in the forms in which Praat writes them."""

import pytest

from hf_audio.data.annotations.annotated_recordings import Annotation
from hf_audio.data.annotations.text_grids import choose_tiers, read_text_grid
from hf_audio.errors import DataError

LONG = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 2.5
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "birds 2"
        xmin = 0
        xmax = 2.5
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.5
            text = ""
        intervals [2]:
            xmin = 0.5
            xmax = 1.25
            text = "the ""blue"" one, 3 [4]"
        intervals [3]:
            xmin = 1.25
            xmax = 2.5
            text = "été"
    item [2]:
        class = "TextTier"
        name = "points"
        xmin = 0
        xmax = 2.5
        points: size = 1
        points [1]:
            number = 1e-1
            mark = "H*"
"""
SHORT = """File type = "ooTextFile"
Object class = "TextGrid"

0
2.5
<exists>
2
"IntervalTier"
"birds 2"
0
2.5
3
0
0.5
""
0.5
1.25
"the ""blue"" one, 3 [4]"
1.25
2.5
"été"
"TextTier"
"points"
0
2.5
1
1e-1
"H*"
"""


@pytest.mark.parametrize("text", [LONG, SHORT, LONG.replace("\n", "\r\n")], ids=["long", "short", "windows"])
@pytest.mark.parametrize("coding", ["utf-8", "utf-16", "utf-16-be", "latin-1"])
def test_all_forms_of_a_grid_are_read_alike(tmp_path, text, coding):
    path = tmp_path / "a.TextGrid"
    path.write_bytes(b"\xfe\xff" * (coding == "utf-16-be") + text.encode(coding))

    grid = read_text_grid(path)

    birds = [Annotation(0.5, 1.25, 'the "blue" one, 3 [4]'), Annotation(1.25, 2.5, "été")]
    assert (grid.start, grid.end) == (0, 2.5)
    assert [(tier.name, tier.annotations) for tier in grid.tiers] == [
        ("birds 2", birds),
        ("points", [Annotation(0.1, 0.1, "H*")]),
    ]
    assert [tier.name for tier in choose_tiers(path, grid, ["points"])] == ["points"]
    with pytest.raises(DataError, match="has no tier 'words': its tiers are 'birds 2', 'points'"):
        choose_tiers(path, grid, ["words"])


@pytest.mark.parametrize("text", [LONG[:400], "hello", LONG.replace('"TextGrid"', '"PitchTier"')])
def test_what_is_no_grid_or_cut_off_is_refused(tmp_path, text):
    (tmp_path / "a.TextGrid").write_text(text)
    with pytest.raises(DataError, match=r"is no TextGrid, or is cut off"):
        read_text_grid(tmp_path / "a.TextGrid")
