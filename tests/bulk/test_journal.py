"""What a killed run has found out is neither lost nor found out twice."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hf_audio.bulk.journal import Entry, Journal
from hf_audio.errors import DataError

REQUEST = {"checkpoint": "abc", "--top_k": 1}


def entry(clip: int, ended: bool = True, problem: str | None = None, start: float = 0.0) -> Entry:
    return Entry(clip, [[start, start + 1]], [[["dög", 0.5]]], ended, problem)


def open_journal(path, resume=True, **changes) -> Journal:
    journal = Journal(path, {**REQUEST, **changes}, resume)
    journal.begin()
    return journal


def test_entries_come_in_the_order_of_clips_and_time(tmp_path):
    journal = open_journal(tmp_path / "j")
    parts = [entry(1), entry(0, ended=False), entry(3, ended=False), entry(0, start=1.0)]
    for part in parts:
        journal.append(part)
    assert journal.finished == {0, 1}
    assert list(journal.entries()) == [parts[1], parts[3], parts[0]]


def test_of_a_clip_that_cannot_be_read_only_the_problem_counts(tmp_path):
    journal = open_journal(tmp_path / "j")
    journal.append(entry(0, ended=False))
    journal.append(Entry(0, [], [], True, "cut off"))
    assert [part.problem for part in journal.entries()] == ["cut off"] and journal.n_problems == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(kill=st.integers(0, 800))
def test_wherever_a_kill_cuts_the_file_off_nothing_counts_twice(tmp_path, kill):
    whole = [entry(2), entry(0, ended=False), entry(1), entry(0, start=1.0), entry(3)]
    path = tmp_path / "j"
    path.unlink(missing_ok=True)
    journal = open_journal(path)
    for part in whole:
        journal.append(part)
    journal.close()
    path.write_bytes(path.read_bytes()[:kill])
    again = open_journal(path)
    known = again.finished
    for part in whole:
        if part.clip not in known:
            again.append(part)
    again.close()
    for journal in (again, open_journal(path)):
        assert list(journal.entries()) == [whole[1], whole[3], whole[2], whole[0], whole[4]]


def test_what_a_killed_run_left_of_its_first_clip_is_not_in_the_next_ones_answers(tmp_path):
    journal = open_journal(tmp_path / "j")
    journal.append(entry(0, ended=False))
    journal.append(entry(0, ended=False, start=1.0))
    journal.close()
    for resume in (False, True):
        journal = open_journal(tmp_path / "j", resume=resume)
        journal.append(entry(0, ended=False, start=5.0))
        journal.close()
    journal = open_journal(tmp_path / "j")
    parts = [entry(0, ended=False), entry(0, start=1.0)]
    for part in parts:
        journal.append(part)
    assert list(journal.entries()) == parts


def test_another_request_is_refused(tmp_path):
    open_journal(tmp_path / "j").append(entry(0))
    with pytest.raises(DataError, match=r"j was begun with other checkpoint and --top_k: give what was given then"):
        open_journal(tmp_path / "j", checkpoint="other", **{"--top_k": 2})
    with pytest.raises(DataError, match=r"holds 1 clips of a run that did not end: go on with --resume"):
        open_journal(tmp_path / "j", resume=False)
    assert open_journal(tmp_path / "j").finished == {0}


def test_a_run_that_found_out_nothing_is_begun_anew(tmp_path):
    open_journal(tmp_path / "j").close()
    journal = open_journal(tmp_path / "j", resume=False, checkpoint="other")
    journal.close()
    assert json.loads((tmp_path / "j").read_text().splitlines()[0])["checkpoint"] == "other"


@pytest.mark.parametrize("resume", [False, True])
def test_one_run_at_a_time_writes(tmp_path, resume):
    first = open_journal(tmp_path / "j")
    first.append(entry(0))
    with pytest.raises(DataError, match=r"j is being written by another run with the same --output: wait"):
        open_journal(tmp_path / "j", resume=resume)
    first.append(entry(1))
    first.close()
    assert open_journal(tmp_path / "j").finished == {0, 1}


def test_a_run_that_could_not_begin_leaves_what_was_there(tmp_path):
    journal = Journal(tmp_path / "j", REQUEST, resume=False)
    journal.abandon()
    assert not (tmp_path / "j").exists()
    journal = open_journal(tmp_path / "j")
    journal.append(entry(0))
    journal.close()
    Journal(tmp_path / "j", REQUEST, resume=True).abandon()
    assert open_journal(tmp_path / "j").finished == {0}


def test_a_foreign_file_is_no_journal(tmp_path):
    (tmp_path / "j").write_text("path,label\na.wav,dog\n")
    with pytest.raises(DataError, match="is no journal of hf-audio, or is damaged"):
        open_journal(tmp_path / "j")
