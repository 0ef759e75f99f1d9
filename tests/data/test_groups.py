"""Groups by names, folders and patterns: what belongs together is found, and unremarkable names are left alone."""

import random
import uuid
from collections.abc import Callable
from itertools import product

import pytest

from hf_audio.data.groups import Grouping, group_by_folders, group_by_names, group_by_pattern, join_groups
from hf_audio.errors import ArgumentError

CLASSES = ("low", "high")
Namer = Callable[[random.Random, str, int], str]


def lay_out(namer: Namer, n: int = 40) -> tuple[list[str], list[str]]:
    """Paths in class folders, and their classes."""
    random_numbers = random.Random(0)
    rows = [(f"/m/{label}/{namer(random_numbers, label, i)}.wav", label) for label in CLASSES for i in range(n)]
    return [path for path, _ in rows], [label for _, label in rows]


UNREMARKABLE: dict[str, Namer] = {
    "class and number": lambda r, c, i: f"{c}{i}",
    "number": lambda r, c, i: f"{i:03d}",
    "number in brackets": lambda r, c, i: f"{c} ({i})",
    "number of a camera": lambda r, c, i: f"IMG_{1000 + i}",
    "kinds of the class": lambda r, c, i: f"{c[:2]}_{'abc'[i % 3] * 4}_{i // 3}",
    "conditions": lambda r, c, i: f"{['loud', 'quiet'][i % 2]}_{i // 2}",
    "notes": lambda r, c, i: f"{'CDEFGAB'[i % 7]}{i // 7}",
    "uuid": lambda r, c, i: str(uuid.UUID(int=r.getrandbits(128))),
    "hash": lambda r, c, i: f"{r.getrandbits(64):016x}",
    "short hash": lambda r, c, i: f"{r.getrandbits(32):08x}",
    "seconds": lambda r, c, i: str(1430742197 + 1000 * i),
    "letters": lambda r, c, i: "".join(r.choice("abcdefghijkl0123456789") for _ in range(11)),
    "version": lambda r, c, i: f"v2_{c}_{i:03d}",
    "one day": lambda r, c, i: f"20230102_{c}_{i:03d}",
    "sounds of Freesound": lambda r, c, i: f"{r.randrange(10**6)}__user{i % 7}__thing-{i}",
}


@pytest.mark.parametrize("namer", UNREMARKABLE.values(), ids=UNREMARKABLE)
def test_unremarkable_names_are_no_groups(namer):
    assert group_by_names(*lay_out(namer)) is None


# What namers give, and how many groups that are: of both classes together where speakers and days are shared.
REMARKABLE: dict[str, tuple[Namer, int]] = {
    "last number": (lambda r, c, i: f"B_S2_D1_{i // 5 + 60:03d}-{c}_{i % 5:03d}_", 16),
    "piece of a recording": (lambda r, c, i: f"{c}_rec{i // 8}_seg{i % 8}", 10),
    "times of a piece": (lambda r, c, i: f"rec{i // 8}_{i % 8}.5_{i % 8 + 1}.5", 5),
    "letter of a piece": (lambda r, c, i: f"{c}_{i // 2}{'ab'[i % 2]}", 40),
    "speaker in words": (lambda r, c, i: f"{['anna', 'bob', 'eve'][i % 3]}_{i // 3:02d}", 3),
    "class, speaker, number": (lambda r, c, i: f"{c}_jo{'abcde'[i % 5]}_{i // 5}", 5),
    "class, numbered speaker, number": (lambda r, c, i: f"{c}_s{i % 5:02d}_{i // 5}", 5),
    "Speech Commands": (lambda r, c, i: f"{i // 4:08x}_nohash_{i % 4}", 10),
    "ESC-50": (lambda r, c, i: f"1-{100 + i // 4 + 50 * (c == 'low')}-{'ABCD'[i % 4]}-{CLASSES.index(c)}", 20),
    "pieces of ESC-50": (lambda r, c, i: f"1-{100 + i // 4 + 50 * (c == 'low')}-A-{i % 4:02d}", 20),
    "UrbanSound8K": (lambda r, c, i: f"{7000 + i // 4 + 50 * (c == 'low')}-{CLASSES.index(c)}-0-{i % 4}", 20),
    "Xeno-canto": (lambda r, c, i: f"Hyla_arborea_XC{1234 + i // 8 + 100 * (c == 'low')}_{i % 8}", 10),
    "days of a recorder": (lambda r, c, i: f"202301{i // 8 + 1:02d}_03{i % 8:02d}00", 5),
    "recordings of one day": (lambda r, c, i: f"20230102_03{i // 8:02d}00_{i % 8}", 5),
    "speaker and words": (lambda r, c, i: f"{1001 + i // 5}_{'ABCDE'[i % 5] * 3}_ANG_XX", 8),
    "speaker by that word": (lambda r, c, i: f"{c}_{i // 5}_Subject_{i % 5}_x", 5),
    "versions of a recording": (lambda r, c, i: f"{c}{i // 4:03d}{['', '_pitch', '_noise', ' - Copy'][i % 4]}", 20),
    "identifier of a device": (lambda r, c, i: f"{uuid.UUID(int=i // 4)}-{1430742197 + i}-1.0-m-04-hu", 10),
    "folders of sessions": (lambda r, c, i: f"session{i // 8}/{i}", 5),
}


@pytest.mark.parametrize(("namer", "n_groups"), REMARKABLE.values(), ids=REMARKABLE)
def test_names_that_fall_into_groups(namer, n_groups):
    found = group_by_names(*lay_out(namer))
    assert found is not None
    assert (found.n_groups, found.sparse) == (n_groups, [])


def test_spoken_digits_are_grouped_by_speaker():
    rows = [(f"/m/{d}/{d}_{s}_{i}.wav", str(d)) for d, s, i in product(range(3), ("jackson", "theo"), range(5))]
    found = group_by_names([path for path, _ in rows], [label for _, label in rows])
    assert found is not None
    assert set(found.keys) == {"jackson", "theo"}


@pytest.mark.parametrize("others", ["XC{}_1", "rec{}_seg_1"])
def test_clips_with_a_number_beside_recordings_in_pieces_are_no_recording(others):
    names = [*(others.format(f"{1000 + i // 3}") + f"{i % 3}" for i in range(12)), *(f"new_{i}" for i in range(4))]
    rows = [(f"/m/{label}/{name}.wav", label) for label in CLASSES for name in names]
    found = group_by_names([path for path, _ in rows], [label for _, label in rows])
    assert found is not None and found.n_groups == 4 + 8


def test_the_name_of_a_class_is_no_recording_even_if_it_is_a_number():
    rows = [(f"/m/{key}/{key}_{i}.wav", key) for key in "abc0123" for i in range(25)]
    assert group_by_names([path for path, _ in rows], [label for _, label in rows]) is None


def test_classes_are_named_whose_files_are_all_of_one_recording():
    paths = [*(f"/m/a/XC1230_{i}.wav" for i in range(9)), *(f"/m/b/XC{2000 + i // 3}_{i}.wav" for i in range(9))]
    found = group_by_names(paths, ["a"] * 9 + ["b"] * 9)
    assert found is not None
    assert (found.sparse, found.n_groups) == (["a"], 4)


def test_each_class_is_grouped_in_its_own_way_and_plain_ones_not_at_all():
    paths = [
        *(f"/m/drone/B_S2_{i // 4}-bebop_{i % 4:03d}_.wav" for i in range(12)),
        *(f"/m/other/1-{100032 + i // 4}-A-{i % 4:02d}.wav" for i in range(12)),
        *(f"/m/plain/{i}.wav" for i in range(12)),
    ]
    found = group_by_names(paths, ["drone"] * 12 + ["other"] * 12 + ["plain"] * 12)
    assert found is not None
    assert (found.n_groups, found.keys[24:]) == (3 + 3 + 12, [None] * 12)


def test_words_are_believed_where_classes_share_them_or_the_user_says_so():
    def kinds(_: random.Random, label: str, i: int) -> str:
        return f"{label}_{['bark', 'growl', 'yelp'][i % 3]}x{label}_{i // 3}"

    assert group_by_names(*lay_out(kinds)) is None
    assert isinstance(group_by_names(*lay_out(kinds), asked=True), Grouping)


def test_by_pattern_and_what_is_wrong_with_one():
    paths, labels = lay_out(lambda r, c, i: f"S{i // 10}x{c}x{i}")
    assert group_by_pattern(paths, labels, r"^(S\d)x").n_groups == 4
    assert group_by_pattern(paths, labels, r"^S\d").example == "S0"
    with pytest.raises(ArgumentError, match="no regular expression"):
        group_by_pattern(paths, labels, "(")
    with pytest.raises(ArgumentError, match="finds nothing in 60 of 80 names, S1xlowx10 for one"):
        group_by_pattern(paths, labels, "S0")


def test_by_folders_below_the_classes():
    paths, labels = lay_out(lambda r, c, i: f"{'ab'[i % 2]}/{i // 20}/{i}")
    assert group_by_folders(paths, labels).n_groups == 4
    with pytest.raises(ArgumentError, match=r"there are none, /m/low/0\.wav for one"):
        group_by_folders(*lay_out(lambda r, c, i: str(i)))


def test_groupings_are_joined_directly_and_by_way_of_others():
    keys = join_groups(["a", "b", "c", "d", "e", "x"], [["x", "x", None, None, "y", None]], copies=[(1, 2), (3, 5)])
    assert keys[0] == keys[1] == keys[2] == "x"
    assert keys[3] == keys[5] == "d"
    assert len(set(keys)) == 3
