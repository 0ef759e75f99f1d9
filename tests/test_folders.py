"""What lies in folders, searched to any depth."""

import os
import time
from pathlib import Path

import pytest
from helpers.folders import names, touch

from hf_audio.errors import DataError
from hf_audio.folders import RealPaths, find_folders, name_some, search_folder


def told(folder: Path, cases) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): reason for path, reason in cases}


@pytest.mark.usefixtures("libsndfile_alone")
def test_files_come_in_order_by_their_kinds_and_hidden_ones_not(tmp_path):
    sounds = ("a/2.wav", "a/deep er/ünïcode 猫.WAV", "a-b/x.mp3", "b/1.flac")
    touch(tmp_path, *sounds, "a/memo.m4a", "b/clip.WebM", "c.txt", "a/table.csv", "d/suffixless")
    touch(tmp_path, ".Trashes/501/3.wav", "a/._2.wav", "__MACOSX/a/2.wav", "a/.DS_Store")
    touch(tmp_path, "$RECYCLE.BIN/S-1/4.wav", "a/@eaDir/2.wav/SYNO.wav", "lost+found/5.wav")
    found = search_folder(tmp_path)
    assert names(tmp_path, found.audio) == list(sounds)
    assert names(tmp_path, found.unreadable) == ["a/memo.m4a", "b/clip.WebM"]
    assert names(tmp_path, found.others) == ["a/table.csv", "c.txt", "d/suffixless"]
    assert names(tmp_path, found.hidden) == [
        *("$RECYCLE.BIN", ".Trashes", "__MACOSX", "a/.DS_Store", "a/._2.wav", "a/@eaDir", "lost+found"),
    ]
    assert found.unreachable == found.repeated == []
    assert found.files == sorted([*found.audio, *found.unreadable, *found.others]) and len(found.files) == 9
    assert names(tmp_path, find_folders(tmp_path)) == ["a", "a-b", "b", "d"]
    (memo,) = found.left_out()
    assert memo.startswith("2 recordings are left out") and "memo.m4a" in memo
    assert ": convert to WAV or FLAC, or install PyAV" in memo


def test_the_order_is_that_of_the_names_folder_by_folder(tmp_path):
    # As text, "a b/…" comes before "a/…", because a blank comes before a slash.
    touch(tmp_path, "a/1.wav", "a b/2.wav", "a.wav", "B/3.wav")
    assert names(tmp_path, search_folder(tmp_path).audio) == ["B/3.wav", "a/1.wav", "a b/2.wav", "a.wav"]


def test_each_linked_folder_is_searched_once(tmp_path):
    touch(tmp_path / "elsewhere", "1.wav", "inner/2.wav")
    root = touch(tmp_path / "root", "b/3.wav", "a/4.wav")
    (root / "b" / "linked").symlink_to(tmp_path / "elsewhere")
    (root / "a" / "linked").symlink_to(tmp_path / "elsewhere")
    (root / "again").symlink_to(tmp_path / "elsewhere" / "inner")
    found = search_folder(root)
    # The first link by its name is followed, wherever the search began.
    assert names(root, found.audio) == ["a/4.wav", "a/linked/1.wav", "a/linked/inner/2.wav", "b/3.wav"]
    assert set(told(root, found.repeated)) == {"again", "b/linked"} and found.losses() == []
    assert names(root, find_folders(root)) == ["a", "again", "b"]


def test_a_folder_goes_by_its_own_name_rather_than_by_a_link_to_it(tmp_path):
    root = touch(tmp_path, "z/1.wav", "z/deep/2.wav")
    (root / "a").symlink_to(root / "z")
    (root / "b").symlink_to(root / "z" / "deep")
    found = search_folder(root)
    assert names(root, found.audio) == ["z/1.wav", "z/deep/2.wav"]
    assert told(root, found.repeated) == dict.fromkeys(("a", "b"), "a folder that is searched by another name")


def test_links_that_lead_in_a_circle_end(tmp_path):
    touch(tmp_path / "elsewhere", "1.wav")
    root = touch(tmp_path / "root", "a/2.wav")
    (root / "a" / "up").symlink_to(root)
    (root / "a" / "itself").symlink_to(root / "a")
    (root / "above").symlink_to(tmp_path)
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(root / "a")
    (tmp_path / "elsewhere" / "above").symlink_to(tmp_path)
    found = search_folder(root)
    assert names(root, found.audio) == ["a/2.wav", "linked/1.wav"]
    circles = dict.fromkeys(("a/up", "a/itself", "above", "linked/above"), "a link to a folder that it lies in")
    assert told(root, found.repeated) == {**circles, "linked/back": "a folder that is searched by another name"}
    # A folder is searched by a link to it, too.
    assert names(tmp_path / "to", search_folder(_link(tmp_path / "to", root)).audio) == ["a/2.wav", "linked/1.wav"]


def test_links_to_files_are_files_and_links_to_nothing_are_told_of(tmp_path):
    touch(tmp_path / "elsewhere", "object-8f3a", "1.wav")
    root = touch(tmp_path / "root", "a/1.wav", ".store/2.wav")
    _link(root / "a" / "2.wav", root / ".store" / "2.wav")  # as git-annex and DVC keep recordings
    _link(root / "a" / "3.wav", tmp_path / "elsewhere" / "object-8f3a")
    _link(root / "a" / "4.wav", root / "a" / "1.wav")
    _link(root / "a" / "gone.wav", tmp_path / "gone.wav")
    _link(root / "a" / "loop.wav", root / "a" / "loop.wav")
    found = search_folder(root)
    assert names(root, found.audio) == [f"a/{number}.wav" for number in (1, 2, 3, 4)]
    assert told(root, found.unreachable) == dict.fromkeys(("a/gone.wav", "a/loop.wav"), "a link that leads nowhere")
    assert found.losses() == [
        f"2 links or folders are left out, {root}/a/gone.wav for one: a link that leads nowhere."
    ]


def test_a_folder_that_cannot_be_read_is_told_of_and_the_searched_one_is_refused(tmp_path, monkeypatch):
    touch(tmp_path, "closed/1.wav", "open/2.wav")
    scandir = os.scandir

    def deny(place):
        if Path(place).name == "closed":
            raise PermissionError(13, "Permission denied", str(place))
        return scandir(place)

    monkeypatch.setattr(os, "scandir", deny)
    found = search_folder(tmp_path)
    assert names(tmp_path, found.audio) == ["open/2.wav"]
    assert told(tmp_path, found.unreachable) == {"closed": "Permission denied"}
    with pytest.raises(DataError, match=r"closed cannot be searched \(Permission denied\): give a folder"):
        search_folder(tmp_path / "closed")
    for name in ("gone", "open/2.wav"):
        with pytest.raises(DataError, match=f"{name} cannot be searched"):
            search_folder(tmp_path / name)


def test_thousands_of_files_are_found_quickly(tmp_path):
    for folder in range(50):
        (tmp_path / f"{folder}").mkdir()
        for file in range(100):
            (tmp_path / f"{folder}" / f"{file}.wav").touch()
    begun = time.process_time()
    assert len(search_folder(tmp_path).audio) == 5000
    assert time.process_time() - begun < 2


def test_a_few_names_stand_for_many():
    paths = [Path(f"{number}.wav") for number in range(5)]
    assert name_some(paths) == "0.wav, 1.wav, 2.wav and 2 more" and name_some(paths[:2]) == "0.wav, 1.wav"


def test_real_paths_are_those_of_the_system(tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "a.wav").write_bytes(b"RIFF")
    (tmp_path / "linked").symlink_to(tmp_path / "own")
    (tmp_path / "own" / "b.wav").symlink_to("a.wav")
    names = ["own/a.wav", "linked/a.wav", "linked/b.wav", "own/none.wav", "own", "linked", "linked/..", "own/", "no/x"]
    real_path = RealPaths()
    for path in [*(os.path.join(tmp_path, name) for name in names), tmp_path / "linked" / "b.wav", "a.wav"]:
        assert real_path(path) == os.path.realpath(path)


def _link(place: Path, target: Path) -> Path:
    place.symlink_to(target)
    return place
