"""What several processes count together."""

import os

import pytest

from hf_audio.serving.tally import HELD_BYTES, STREAMS, WAITING, SharedTally, Tally


def test_one_process_counts_to_its_limits():
    tally = Tally()
    assert tally.take(STREAMS, 1, 2) and tally.take(STREAMS, 1, 2) and not tally.take(STREAMS, 1, 2)
    tally.give_back(STREAMS, 1)
    assert tally.own(STREAMS) == tally.total(STREAMS) == 1 and tally.take(WAITING, 1, 1)
    assert tally.processes() == {}


@pytest.mark.skipif(os.name != "posix", reason="there, a server has one process")
def test_workers_count_together_and_the_dead_do_not_count(tmp_path):
    supervisor = SharedTally(tmp_path / "tally", None, 3)
    one, two = (SharedTally(tmp_path / "tally", row, 3) for row in range(2))
    assert one.take(HELD_BYTES, 700, 1000) and two.take(HELD_BYTES, 300, 1000)
    assert not one.take(HELD_BYTES, 1, 1000) and two.take(STREAMS, 1, 1)
    assert (one.own(HELD_BYTES), two.own(HELD_BYTES), supervisor.total(HELD_BYTES)) == (700, 300, 1000)
    assert supervisor.processes() == dict.fromkeys(("1", "2", "supervisor"), os.getpid())
    supervisor.clear(0)
    assert list(supervisor.processes()) == ["2", "supervisor"] and two.total(HELD_BYTES) == 300
    assert two.take(HELD_BYTES, 700, 1000)
    assert SharedTally(tmp_path / "tally", 1, 3).total(HELD_BYTES) == 0, "a worker that was started again"
