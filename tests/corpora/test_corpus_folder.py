"""Corpora made on the spot: whole or not at all, once, and where they belong."""

import re
from pathlib import Path

import pytest

from hf_audio.corpora import corpus_folder
from hf_audio.corpora.corpus_folder import make_corpus
from hf_audio.errors import DataError


def write_one(folder: Path) -> None:
    (folder / "recordings").mkdir()
    (folder / "recordings" / "0.wav").write_text(folder.name)


def test_loser_of_a_race_takes_the_corpus_of_the_winner(tmp_path: Path) -> None:
    def write(folder: Path) -> None:
        (folder / "recordings").mkdir()
        (folder / "recordings" / "0.wav").write_text(folder.name)

    def write_after_the_winner(folder: Path) -> None:
        write(folder)
        make_corpus(tmp_path / "digits", "", 1, write)
        losers.append(folder.name)

    losers: list[str] = []
    folder = make_corpus(tmp_path / "digits", "", 1, write_after_the_winner)
    assert list(tmp_path.iterdir()) == [folder]
    assert (folder / "recordings" / "0.wav").read_text() not in losers


def test_default_folder_is_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus_folder.constants, "HF_HOME", str(tmp_path))
    folder = make_corpus(None, "sounds", 1, write_one)
    assert folder == tmp_path / "hf_audio" / "demo" / f"sounds-v{corpus_folder.VERSION}"
    assert list(folder.parent.iterdir()) == [folder]
    assert folder.stat().st_mode == folder.parent.stat().st_mode, "as any folder, for others to read"


def test_a_whole_corpus_is_not_made_again_and_a_part_of_one_is_refused(tmp_path: Path) -> None:
    folder = make_corpus(tmp_path / "one", "", 1, write_one, {"recordings/0.wav": None})
    assert make_corpus(folder, "", 1, None, {"recordings/0.wav": None}) == folder
    for n_clips, other_files in ((2, {}), (1, {"table.csv": None}), (1, {"recordings/0.wav": b"other"})):
        with pytest.raises(DataError, match="it holds something else, or only a part of the corpus"):
            make_corpus(folder, "", n_clips, write_one, other_files)


@pytest.mark.parametrize("failure", [KeyboardInterrupt, RuntimeError])
def test_failed_making_leaves_nothing(failure: type[BaseException], tmp_path: Path) -> None:
    def write_then_fail(folder: Path) -> None:
        write_one(folder)
        raise failure

    with pytest.raises(failure):
        make_corpus(tmp_path / "corpus", "", 1, write_then_fail)
    assert not list(tmp_path.iterdir())


def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=re.escape(f"cannot be made in {tmp_path / 'file' / 'digits'}")):
        make_corpus(tmp_path / "file" / "digits", "", 1, write_one)
    with pytest.raises(DataError, match=re.escape(f"cannot be made in {tmp_path}: it holds something else")):
        make_corpus(tmp_path, "", 1, write_one)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
