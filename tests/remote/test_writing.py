"""What is put into a store, and where nothing can be put."""

import errno

import pytest

from hf_audio.errors import DataError
from hf_audio.files import write_text, written_whole
from hf_audio.remote.paths import as_path
from hf_audio.remote.writing import check_output


def test_files_are_put_into_a_store_whole_or_not_at_all(memory):
    write_text(as_path("memory://out/x.txt"), "ä")
    assert memory.cat("/out/x.txt").decode() == "ä"
    with pytest.raises(DataError, match=r"x\.txt cannot be written"), written_whole("memory://out/x.txt"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert memory.cat("/out/x.txt").decode() == "ä"


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("memory://me:word@b/a.csv", r"--output memory://b/a\.csv holds credentials"),
        ("https://host/a.csv", "is on a web server, which takes no files"),
    ],
)
def test_outputs_that_cannot_be_are_refused(address, says):
    with pytest.raises(DataError, match=says):
        check_output(address)
