"""Parsers made of functions, and flags that are none."""

from collections.abc import Sequence
from typing import Literal

import pytest

from hf_audio.errors import ArgumentError
from hf_audio.flags import FunctionParser, find_neighbour, read_docstring


def answer(
    names: Sequence[str],
    place: str | None = None,
    *,
    count: int,
    rate: float | None = None,
    kind: Literal["a", "b"] = "a",
    loud: bool = False,
    columns: Sequence[str] = (),
) -> None:
    """Answer at once.

    Or a little later,
    100 % sure.

    Args:
        names: of those who ask,
            all of them
        place: where
        count: how often
        rate: how fast
        kind: which
        loud: whether it is heard
        columns: several

    Raises:
        ValueError: never.
    """


def test_a_docstring_is_read_in_its_parts():
    summary, description, told = read_docstring(answer)
    assert (summary, description) == ("Answer at once.", "Or a little later,\n100 % sure.")
    assert told["names"] == "of those who ask, all of them" and told["columns"] == "several" and len(told) == 7


def test_a_signature_becomes_flags():
    parser = FunctionParser("answer", answer)
    assert parser.read(["x", "--count", "3"]) == {
        "names": ["x"],
        "place": None,
        "count": 3,
        "rate": None,
        "kind": "a",
        "loud": False,
        "columns": (),
    }
    read = parser.read(["--rate", "1e-3", "--loud", "--count=2", "--columns", "p", "q", "--kind", "b", "--", "x", "y"])
    assert (read["rate"], read["loud"], read["columns"], read["kind"]) == (0.001, True, ["p", "q"], "b")
    assert [read["names"], read["place"]] == [["x", "y"], None]
    page = parser.format_help()
    assert "100 % sure." in page and "which (default: a)" in page and "how fast\n" in page


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["x"], r"required: --count; see answer --help\."),
        (["x", "--count", "1", "--kind", "c"], "--kind: invalid choice: 'c'"),
        (["x", "--count", "1.5"], "--count: invalid int value: '1.5'"),
        (["--counts", "1"], "--counts: no such argument; you may mean --count; see answer --help"),
        (
            ["x", "--count", "1", "--lound", "--kinds", "b"],
            "--lound, --kinds: no such argument; you may mean --loud",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_sentence(words, says):
    with pytest.raises(ArgumentError, match=says):
        FunctionParser("answer", answer).read(words)


def test_neighbours():
    known = ["audio_column", "path_column", "freeze", "top_k", "clip_seconds", "held_out_speaker", "data_dir"]
    assert find_neighbour("audio_column_name", known) == "audio_column"
    assert find_neighbour("audio_column_name", known[1:]) == "path_column"
    assert find_neighbour("freeze_feature_encoder", known) == "freeze front"
    assert find_neighbour("Top-K", known) == find_neighbour("topk", known) == "top_k"
    assert find_neighbour("max_length_seconds", known) == "clip_seconds"
    assert find_neighbour("held_out", known) == "held_out_speaker"
    assert find_neighbour("datadir", known) == find_neighbour("dta_dir", known) == "data_dir"
    assert find_neighbour("max_length_seconds", ["max_seconds"]) is None, "it does something else"
    assert find_neighbour("zebra", known) is None


def test_flags_are_known_where_python_leaves_docstrings_out(monkeypatch):
    monkeypatch.setattr(answer, "__doc__", None)  # as python -OO does
    assert FunctionParser("x", answer).read(["a", "--count", "2"])["count"] == 2
