from __future__ import annotations

import pytest
from chimes.text import escape, quote, quote_all, shorten


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text", "plain text"),
        ("ü 编鐘", "ü 编鐘"),
        ("two\nlines\r\nand\u2028three", "two lines and three"),
        ("\x1b[2K\x07\x00\x7f", "\\x1b[2K\\x07\\x00\\x7f"),
        ("\u202eright to left\u202c", "\\u202eright to left\\u202c"),
        ("a\u00a0b\u3000c", "a\u00a0b\u3000c"),
        ("\ud800", "\\ud800"),
    ],
)
def test_text_is_shown_on_one_line_without_control_characters(text: str, shown: str) -> None:
    assert escape(text) == shown


def test_long_text_is_shortened() -> None:
    assert shorten("abcdef", 6) == "abcdef"
    assert shorten("abcdefg", 6) == "abc..."
    assert escape("x" * 100, limit=10) == "xxxxxxx..."
    assert quote("x" * 200) == repr("x" * 117 + "...")


def test_values_are_quoted_and_the_rest_is_counted() -> None:
    assert quote_all(["a", "b\n"]) == r"'a', 'b\n'"
    assert quote_all([str(number) for number in range(10)], limit=2) == "'0', '1' and 8 more"
    assert quote_all([]) == ""
