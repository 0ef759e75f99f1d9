"""How own recordings are divided: groups and copies whole, every class tested that can be, nothing said in vain."""

import logging
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from hf_audio.data.collection import Collection, hold_out
from hf_audio.data.rows import from_rows, from_tagged_rows
from hf_audio.data.tables.columns import TEST, TRAIN, VALIDATION, Columns
from hf_audio.division import recording_groups
from hf_audio.division.annotated import can_validate
from hf_audio.division.division import (
    KNOWN,
    UNHEARD,
    WITHOUT_COPIES,
    divide_by_folds,
    divide_collection,
    divide_normal,
)
from hf_audio.division.recording_groups import Wishes
from hf_audio.division.same_sounds import SameSounds
from hf_audio.errors import ArgumentError

CLASSES = ("high", "low")


@pytest.fixture
def found(monkeypatch):
    """Says what the search for copies finds: nothing, unless a test asks for more."""

    def find(unusable: Sequence[int] = (), copies: Sequence[Sequence[int]] = ()) -> None:
        sounds = SameSounds(dict.fromkeys(unusable, "broken"), [list(rows) for rows in copies])
        monkeypatch.setattr(recording_groups, "search_same_sounds", lambda dataset: sounds)

    find()
    return find


def collect(namer: Callable[[str, int], str], n: int = 40, parts: Callable[[int], str] | None = None) -> Collection:
    """`n` clips a class, by their names and perhaps by what part each is."""
    rows = [(f"/m/{label}/{namer(label, i)}.wav", label, i) for label in CLASSES for i in range(n)]
    dataset = from_rows([path for path, _, _ in rows], [label for _, label, _ in rows])
    return hold_out("m", dataset, [TRAIN if parts is None else parts(i) for _, _, i in rows], None)


def plain(label: str, i: int) -> str:
    return f"{i:03d}"


def sessions(label: str, i: int) -> str:
    return f"S{i // 5}_D1-{label}_{i % 5:03d}_"


def groups_of(division) -> np.ndarray:
    return np.asarray(division.collection.dataset[division.collection.group_column])


def test_of_unremarkable_recordings_the_draw_is_what_it_was(found, caplog):
    collection = collect(plain)
    with caplog.at_level(logging.INFO):
        division = divide_collection(collection, Wishes())
    drawn = hold_out("m", collection.dataset, collection.parts, 0)
    assert division.collection.parts.tolist() == drawn.parts.tolist()
    assert division.collection.group_column is None and division.collection.dataset is collection.dataset
    assert division.hears_known and not division.further_tests and division.folds is None
    assert not caplog.records


def test_what_cannot_be_read_is_not_drawn(found):
    plain_draw = divide_collection(collect(plain), Wishes()).collection.rows(TEST)
    found(unusable=np.flatnonzero(plain_draw)[:8])
    division = divide_collection(collect(plain), Wishes())
    tested = division.collection.rows(TEST)
    assert not tested[np.flatnonzero(plain_draw)[:8]].any() and tested.sum() == round(0.2 * 72)


def test_recordings_by_their_names_stay_whole_and_are_counted(found, caplog):
    with caplog.at_level(logging.INFO):
        division = divide_collection(collect(sessions, n=100), Wishes())
    assert "200 files are 40 recordings by their names, S0_D1-high for one" in caplog.text
    groups, tested = groups_of(division), division.collection.rows(TEST)
    assert not set(groups[tested]) & set(groups[~tested])
    assert 30 <= tested.sum() <= 50 and not division.hears_known and "never heard" in division.tells
    assert "their names" in division.collection.split


def test_known_recordings_are_tested_beside_unheard_ones_where_that_costs_little(found):
    division = divide_collection(collect(sessions, n=300), Wishes())
    known, collection = division.further_tests[KNOWN], division.collection
    assert known.sum() == round(0.05 * (600 - collection.rows(TEST).sum()))
    names = np.array([path.rsplit("_", 2)[0] for path in collection.dataset["path"]])
    assert set(names[known]) <= set(names[collection.rows(TRAIN)])
    assert not set(groups_of(division)[known]) & set(groups_of(division)[~known])  # or these would not be trained on
    assert not divide_collection(collect(sessions, n=100), Wishes()).further_tests


def test_every_class_that_has_two_is_tested(found, caplog):
    rows = [(f"{label}/{i}", label) for label, n in (("many", 100), ("two", 2), ("one", 1)) for i in range(n)]
    dataset = from_rows([path for path, _ in rows], [label for _, label in rows])
    division = divide_collection(hold_out("m", dataset, [TRAIN] * 103, None), Wishes())
    tested = division.collection.rows(TEST)
    assert tested[100:102].sum() == 1 and not tested[102]
    assert "not tested: one" in caplog.text


def test_copies_stay_on_one_side(found, caplog):
    copies = [[i, i + 20] for i in range(20)] + [[39, 79]]
    found(copies=copies)
    division = divide_collection(collect(plain), Wishes())
    parts = division.collection.parts
    assert all(len(set(parts[rows])) == 1 for rows in copies) and division.hears_known
    assert "42 files are copies or parts of others, and hold 21 sounds" in caplog.text
    assert "1 sounds lie under several labels, /m/high/039.wav for one, under high and low" in caplog.text
    assert division.folds is None  # few test clips, and still no recordings by their names


def test_a_class_of_one_sound_is_tested_all_the_same(found, caplog):
    found(copies=[list(range(40))])
    division = divide_collection(collect(plain), Wishes())
    assert division.collection.group_column is None
    assert "All recordings of high hold one sound" in caplog.text


def test_few_recordings_are_all_held_out_once(found, caplog):
    found(unusable=[3])
    with caplog.at_level(logging.INFO):
        division = divide_collection(collect(sessions, n=20), Wishes())
    assert division.folds is not None and len(division.folds) == 5
    masks, groups = np.stack(list(division.folds.values())), groups_of(division)
    assert masks.sum(0).tolist() == [1] * 3 + [0] + [1] * 36
    labels = np.asarray(division.collection.dataset["label"])
    for mask in masks:
        assert not set(groups[mask]) & set(groups[~mask & masks.any(0)]) and set(labels[~mask]) == {0, 1}
    assert division.collection.rows(TRAIN).all() and "These are 6 trainings" in caplog.text
    assert divide_collection(collect(sessions, n=20), Wishes(refits=False)).folds is None
    assert divide_collection(collect(sessions, n=20), Wishes(may_refit=False)).folds is None
    assert divide_collection(collect(plain, n=20), Wishes()).folds is None
    assert divide_collection(collect(plain, n=20), Wishes(refits=True)).folds is not None


def test_few_speakers_of_many_clips_are_all_held_out_once_where_that_is_bearable(found, monkeypatch):
    def spoken(label: str, i: int) -> str:
        return f"{label}_{['anna', 'bert', 'cleo', 'dora', 'emil', 'fred'][i % 6]}_{i // 6}"

    division = divide_collection(collect(spoken, n=120), Wishes())
    assert division.folds is not None and {
        len(set(groups_of(division)[mask])) for mask in division.folds.values()
    } == {1, 2}
    monkeypatch.setattr("hf_audio.division.division.MOST_FOLDED", 100)
    division = divide_collection(collect(spoken, n=120), Wishes())
    assert division.folds is None and division.collection.rows(TEST).sum() == 40  # one speaker, and not two


def one_recording(label: str, i: int) -> str:
    return f"XC{2000 if label == 'low' else 1000 + i // 5}_{i % 5}_{i}"


def test_a_class_of_one_recording_is_tested_on_what_is_known_unless_the_user_says_otherwise(found, caplog):
    division = divide_collection(collect(one_recording), Wishes())
    assert division.hears_known and division.collection.group_column is None
    assert "80 files are 9 recordings by their names" in caplog.text and "one recording only: low" in caplog.text
    assert "new clips of known recordings" in division.tells
    division = divide_collection(collect(one_recording), Wishes(by="name", refits=False))
    low = np.asarray(division.collection.dataset["label"]) == 1
    assert not division.collection.rows(TEST)[low].any() and not division.hears_known
    assert "not tested: low (XC2000)" in caplog.text


def test_the_user_says_what_groups(found):
    division = divide_collection(collect(sessions), Wishes(pattern=r"^S(\d)", refits=False))
    assert len(set(groups_of(division))) == 8  # of both classes together
    division = divide_collection(collect(lambda label, i: f"{'abcdefgh'[i // 5]}/{i}"), Wishes(by="folder"))
    assert division.collection.group_column is not None
    assert divide_collection(collect(sessions), Wishes(by="none")).collection.group_column is None
    with pytest.raises(ArgumentError, match="--group_by name: the names fall into no groups"):
        divide_collection(collect(plain), Wishes(by="name"))


def test_a_column_wins_over_names_and_copies_are_joined_to_it(found):
    rows = [(f"/m/{label}/{sessions(label, i)}.wav", label, f"p{i % 10}") for label in CLASSES for i in range(100)]
    paths, labels, people = map(list, zip(*rows, strict=True))
    dataset = from_rows(paths, labels, {"who": people})
    own = np.asarray(dataset["who"])
    collection = hold_out("m", dataset, [TRAIN] * 200, None, Columns(group="who"))
    division = divide_collection(collection, Wishes(refits=False))
    assert set(groups_of(division)) >= {f"p{i}" for i in range(10)}
    parts = division.collection.parts
    assert not set(own[parts == TEST]) & set(own[parts == TRAIN])
    pair = [int(np.flatnonzero(own == "p0")[0]), int(np.flatnonzero(own == "p1")[0])]
    found(copies=[pair])
    division = divide_collection(collection, Wishes(refits=False))
    assert len(set(division.collection.parts[pair])) == 1


def test_of_data_that_came_divided_copies_and_known_recordings_are_counted(found, caplog):
    found(copies=[[0, 1], [2, 4]])

    def divided(i: int) -> str:
        return TEST if i % 5 == 0 else TRAIN

    division = divide_collection(collect(plain, parts=divided), Wishes())
    assert "1 of 16 test clips are copies, or parts, of clips that are trained on" in caplog.text
    assert division.further_tests[WITHOUT_COPIES].sum() == 15 and "1 of 16 test clips are copies" in division.tells
    found()
    division = divide_collection(collect(sessions, parts=divided), Wishes())
    assert "By their names, 16 of 16 test clips are of recordings that are trained on too" in caplog.text
    assert division.hears_known and not division.further_tests and division.collection.group_column is None
    division = divide_collection(collect(sessions, parts=lambda i: TEST if i < 10 else TRAIN), Wishes())
    assert not division.hears_known and "none of 20 test clips" in division.tells
    division = divide_collection(collect(sessions, n=100, parts=lambda i: TEST if i < 22 else TRAIN), Wishes())
    assert division.further_tests[UNHEARD].sum() == 40


def test_names_across_a_validation_part_are_not_gone_by(found, caplog):
    collection = collect(sessions, parts=lambda i: VALIDATION if i % 5 == 0 else TRAIN)
    division = divide_collection(collection, Wishes())
    assert division.collection.group_column is None and "the validation part is not divided by them" in caplog.text


def test_what_an_earlier_run_held_out_stays_held_out(found):
    kept = np.arange(80) % 7 == 0
    division = divide_collection(collect(plain), Wishes(), kept=kept)
    assert division.collection.rows(TEST).tolist() == kept.tolist() and division.folds is None
    assert "stayed held out" in division.collection.split and division.keeps_groups is False
    whole = np.array([i % 40 < 10 for i in range(80)])
    division = divide_collection(collect(sessions), Wishes(), kept=whole)
    assert division.keeps_groups and not division.hears_known


def test_each_fold_of_the_data_is_held_out_once():
    paths, labels, folds = (
        [f"/m/{i}.wav" for i in range(30)],
        [CLASSES[i % 2] for i in range(30)],
        [i % 10 for i in range(30)],
    )
    columns = {"fold": [str(fold + 1) for fold in folds]}
    collection = hold_out("m", from_rows(paths, labels, columns), [TEST] * 3 + [TRAIN] * 27, None)

    division = divide_by_folds(collection)

    assert list(division.folds) == [str(number) for number in range(1, 11)]
    assert np.flatnonzero(division.folds["10"]).tolist() == [9, 19, 29]
    assert (division.collection.parts == TRAIN).all() and "10 folds" in division.collection.split
    with pytest.raises(ArgumentError, match="no column of the data"):
        divide_by_folds(hold_out("m", from_rows(paths, labels), [TRAIN] * 30, None))


def test_folds_of_tags_go_by_a_column_or_by_whole_groups():
    tags = [["a"], ["b"], ["a", "b"], []] * 10
    paths = [f"/m/{row}.wav" for row in range(40)]
    columns = {"fold": [str(row % 3) for row in range(40)], "site": [f"s{row // 4}" for row in range(40)]}
    told = hold_out("m", from_tagged_rows(paths, tags, columns), [TRAIN] * 40, None, Columns(group="site"))
    division = divide_by_folds(told)
    assert [rows.tolist() for rows in division.folds.values()] == [
        [row % 3 == fold for row in range(40)] for fold in range(3)
    ]
    site = {"site": columns["site"]}
    grouped = divide_by_folds(
        hold_out("m", from_tagged_rows(paths, tags, site), [TRAIN] * 40, None, Columns(group="site"))
    )
    masks = np.stack(list(grouped.folds.values()))
    assert (
        len(masks) == 5 and (masks.sum(0) == 1).all() and "10 groups of clips, by `site`" in grouped.collection.split
    )
    for mask in masks:
        assert not set(groups_of(grouped)[mask]) & set(groups_of(grouped)[~mask])
    assert can_validate(grouped)
    with pytest.raises(ArgumentError, match="name what clips belong together by, with --group_column"):
        divide_by_folds(hold_out("m", from_tagged_rows(paths, tags), [TRAIN] * 40, None))


def test_of_normal_clips_a_fifth_is_held_out_with_all_anomalies(found):
    labels = ["normal"] * 30 + ["anomaly"] * 5
    paths = [f"/m/{label}/{row}.wav" for row, label in enumerate(labels)]
    dataset = from_rows(paths, labels, classes=["normal", "anomaly"])
    parts = [TRAIN] * 30 + [TEST] * 5
    division = divide_normal(Collection("m", dataset, np.array(parts, dtype=object), "", Columns()), Wishes())
    tested = division.collection.rows(TEST)
    assert tested[30:].all() and tested[:30].sum() == 6 and "all 5 anomalies" in division.collection.split
    parts[0] = TEST
    given = divide_normal(Collection("m", dataset, np.array(parts, dtype=object), "", Columns()), Wishes())
    assert given.collection.rows(TEST).sum() == 6
