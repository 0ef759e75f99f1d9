"""Common Voice's tables, as they really come, and speakers who are never on two sides."""

from pathlib import Path

import numpy as np
import pytest
from helpers.recordings import real
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_audio.corpora.common_voice import find_unlabelled, load_voices, split_speakers
from hf_audio.data.tables.voice_tables import is_voice_table, read_voice_table
from hf_audio.errors import DataError

HEADER = "client_id\tpath\tsentence\tup_votes\tdown_votes\tage\tgender\taccents\tlocale\tsegment"


def row(speaker, clip, gender, sentence="Yes."):
    return f"{speaker}\t{clip}.mp3\t{sentence}\t2\t0\t\t{gender}\t\ten\t"


def write(folder: Path, **tables) -> Path:
    (folder / "clips").mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        (folder / f"{name}.tsv").write_text("\n".join([HEADER, *rows, ""]), encoding="utf-8")
    return folder


def both(name, n=2):
    return [
        row(f"{name}{gender}{speaker}", f"{name}{gender}{speaker}{clip}", gender)
        for gender in ("female", "male")
        for speaker in range(n)
        for clip in range(2)
    ]


def test_the_named_splits_and_both_generations_of_names(tmp_path):
    newer = [line.replace("female", "female_feminine").replace("\tmale", "\tmale_masculine") for line in both("b")]
    other = [row("x", "x", ""), row("y", "y", "other"), row("z", "z", "non-binary"), row("u", "u", "transgender")]
    dataset, splits = load_voices(write(tmp_path, train=both("a") + other, dev=newer, test=both("c")))
    assert {name: mask.sum() for name, mask in splits.items()} == {"train": 8, "dev": 8, "test": 8}
    assert dataset.features["label"].names == ["female", "male"] and sum(dataset["label"]) == 12
    assert dataset[0]["path"] == str(tmp_path / "clips" / "afemale00.mp3") and dataset[0]["speaker"] == "afemale0"
    unlabelled = read_voice_table(tmp_path / "train.tsv")
    assert list(unlabelled["client_id"][unlabelled["gender"] == ""]) == ["x", "y", "z", "u"]


def test_who_has_said_nothing_is_unlabelled_and_who_has_said_something_else_is_left_alone(tmp_path):
    others = [row("x", "x", ""), row("y", "y", "non-binary"), row("cmale0", "z", " ")]
    write(tmp_path, train=both("a") + others, test=both("c"))
    assert find_unlabelled(tmp_path, {"cmale0"}) == [str(tmp_path / "clips" / "x.mp3")]
    (tmp_path / "train.tsv").rename(tmp_path / "validated.tsv")
    assert len(find_unlabelled(tmp_path, ())) == 2


@pytest.mark.parametrize(
    "sentence", ['He said "no', '"Quoted ""twice""."', "A tab\there", '"\t\t"', "'", "\u2028", "NA", ""]
)
def test_a_gender_is_read_whatever_the_sentence_holds(tmp_path, sentence):
    rows = [*both("a"), row("s", "s", "male_masculine", sentence), *both("b")]
    table = read_voice_table(write(tmp_path, train=rows) / "train.tsv")
    assert len(table) == 17 and table["gender"][8] == "male"
    assert table["path"][8].endswith("s.mp3") and table["sentence"][8] == sentence


def test_a_line_break_in_a_sentence_is_told_with_its_line(tmp_path):
    write(tmp_path, train=[*both("a"), row("s", "s", "male", "One\ntwo.")], test=both("b"))
    with pytest.raises(DataError, match=r"train\.tsv has 3 cells in line 10 and 10 columns: .* mend that line"):
        load_voices(tmp_path)


def test_a_speaker_in_two_splits_is_refused(tmp_path):
    write(tmp_path, train=both("a"), dev=both("b"), test=[*both("c"), row("afemale0", "new", "female")])
    with pytest.raises(DataError, match=r"1 speakers are in both train and test, afemale0 for one"):
        load_voices(tmp_path)


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.tuples(st.sampled_from(["female", "male"]), st.integers(1, 9)), min_size=6, max_size=60),
    st.integers(0, 99),
)
def test_one_table_is_split_by_speakers(speakers, seed):
    speakers += [(gender, 1) for gender in ("female", "male") for _ in range(3)]
    who = np.array([f"{number}" for number, (_, clips) in enumerate(speakers) for _ in range(clips)])
    genders = np.array([gender for gender, clips in speakers for _ in range(clips)])
    split = split_speakers(who, genders, seed)
    parts = {name: set(who[split == name]) for name in ("train", "dev", "test")}
    assert sum(map(len, parts.values())) == len(speakers)  # nobody is on two sides, and nobody is left out
    for name in parts:
        assert set(genders[split == name]) == {"female", "male"}
    assert len(parts["train"]) > len(parts["test"]) or len(speakers) < 20
    assert (split == split_speakers(who, genders, seed)).all()


def test_a_table_alone_is_split_and_the_seed_decides(tmp_path):
    write(tmp_path, validated=both("a", 20))
    first, again, other = (load_voices(tmp_path, seed)[1]["test"] for seed in (1, 1, 2))
    assert first.sum() == 16 and (first == again).all() and (first != other).any()


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ({}, r"holds neither train\.tsv and test\.tsv nor validated\.tsv: give a language folder"),
        ({"test": both("a")}, r"holds neither train\.tsv"),
        ({"train": both("a"), "test": []}, r"test\.tsv has no rows"),
        ({"train": [row("a", "a", "")], "test": both("b")}, r"None of the 1 clips of .*train\.tsv has a gender"),
        ({"train": [row("a", "a", "male")], "test": [row("b", "b", "male")]}, r"clips of one gender only, male"),
        ({"validated": both("a", 2)}, r"2 speakers are female: training, validation and test need at least one"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(tmp_path, tables, says):
    with pytest.raises(DataError, match=says):
        load_voices(write(tmp_path, **tables))


def test_other_folders_and_tables_are_refused(tmp_path):
    write(tmp_path / "corpus" / "ru", validated=both("a"))
    with pytest.raises(DataError, match=r"corpus holds no clips/: give a language folder .*, such as .*corpus.ru\."):
        load_voices(tmp_path / "corpus")
    folder = write(tmp_path / "commas", test=both("b"))
    (folder / "train.tsv").write_text("client,path,gender\n")
    with pytest.raises(DataError, match=r"train\.tsv has no column 'client_id': its columns are client, path, gender"):
        load_voices(folder)
    (folder / "train.tsv").write_bytes(HEADER.encode() + b"\n\xff\xfe")
    with pytest.raises(DataError, match=r"train\.tsv is not a UTF-8 table"):
        load_voices(folder)
    assert not is_voice_table(folder / "train.tsv") and is_voice_table(folder / "test.tsv")


def test_speakers_of_both_genders_are_left_out(tmp_path, caplog):
    rows = [*both("a"), row("s", "1", "male"), row("s", "2", "female")]
    dataset, _ = load_voices(write(tmp_path, train=rows, test=both("b")))
    assert len(dataset) == 16 and "2 clips are left out: their speakers have clips of either gender" in caplog.text


def test_the_real_excerpt():
    dataset, splits = load_voices(real("common_voice_excerpt"))
    assert {name: mask.sum() for name, mask in splits.items()} == {"train": 415, "dev": 57, "test": 177}
    assert sum(1 for path in dataset["path"] if Path(path).is_file()) == len(dataset) == 649
