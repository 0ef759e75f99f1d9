"""Words of users in Markdown, shown as they are."""

import pytest

from hf_audio.runs.markdown import code, escape, escape_rows, write_table


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("dog_bark", "dog_bark"),
        ("a|b", r"a\|b"),
        ("<b>", r"\<b\>"),
        ("$x_1$ & y", r"\$x_1\$ \& y"),
        ("_x_ *y* `z`", r"\_x\_ \*y\* \`z\`"),
        ("[a](b)", r"\[a\](b)"),
        ("back\\slash", r"back\\slash"),
        ("two\n lines", "two lines"),
        (3, "3"),
    ],
)
def test_no_letter_means_more_than_itself(text, escaped):
    assert escape(text) == escaped


@pytest.mark.parametrize(
    ("text", "shown"), [("dog", "`dog`"), ("a`b", "``a`b``"), ("`a``", "``` `a`` ```"), ("two\nlines", "`two lines`")]
)
def test_code_holds_backticks_and_no_lines(text, shown):
    assert code(text) == shown


def test_a_row_is_a_line_with_as_many_cells_as_the_header():
    table = write_table(["Class", "Clips"], escape_rows([["a|b\nc", 3]]))
    assert table.splitlines() == ["| Class | Clips |", "| --- | --- |", r"| a\|b c | 3 |"]
