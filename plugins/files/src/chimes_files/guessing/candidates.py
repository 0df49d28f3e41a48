"""Guesses the form of a column from texts of it: each candidate in order, the first that gives all texts back.

What is one way of writing, and what is not:

==============  ===============================================================================================
type            one form
==============  ===============================================================================================
int64           no leading zeros, no ``+``, no ``-0``, within 64 bits
bool            one spelling: ``true false``, ``True False`` or ``TRUE FALSE``
date32          ``2026-01-31``
time32[s]       ``23:59:59`` or ``23:59``
timestamp       the same separator (space or ``T``), seconds or none, the same offset or none, fractions as below;
                in microseconds, or in nanoseconds where a fraction has more than six digits
float64         all digits come back; whole numbers always with ``.0`` or always without; fractions as below;
                ``1e5``, ``nan`` and ``inf`` only where no other text stands for the same value
a fraction      never ends in a zero, or has the same number of digits in every text
padding         none, or the same number of spaces before each text
==============  ===============================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from chimes_files.guessing.forms import Form

__all__ = ["guess_form", "guess_time"]

_HEAD = 64
_INTEGER = "-?[1-9][0-9]*|0"
_BOOLEANS = ("true|false", "True|False", "TRUE|FALSE")
_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_MINUTES = "[0-9]{2}:[0-9]{2}"
_SECONDS = "[0-9]{2}:[0-9]{2}:[0-9]{2}"
_TIMESTAMP = re.compile(rf"{_DATE}([ T]){_MINUTES}(:[0-9]{{2}}(?:\.[0-9]+)?)?(Z|[+-][0-9]{{2}}(?::?[0-9]{{2}})?)?")
_WHOLE = "(?:0|[1-9][0-9]*)"
_EXPONENT = "[eE][+-]?[0-9]+"
_SCIENTIFIC = rf"[0-9](?:\.0|\.[0-9]*[1-9])?{_EXPONENT}"
_SPECIAL = r"nan|NaN|NAN|-?(?:inf|Inf|INF|Infinity)"


def guess_form(texts: pa.ChunkedArray) -> Form | None:
    """The form of all ``texts`` that are not null; None where the column has to stay text."""
    texts = texts.drop_null()
    return _first(texts, _candidates(texts)) if len(texts) else None


def guess_time(texts: pa.ChunkedArray) -> Form | None:
    """The form of a date or timestamp in all ``texts``; None where the column has to stay text."""
    texts = texts.drop_null()
    return _first(texts, _times(texts)) if len(texts) else None


def _first(texts: pa.ChunkedArray, candidates: Iterator[Form]) -> Form | None:
    # Most candidates are excluded by one text, and then by few.
    first, head = texts[0].as_py(), texts.slice(0, _HEAD)
    likely = (form for form in candidates if re.fullmatch(form.pattern, first))
    return next((form for form in likely if (len(head) == len(texts) or form.reads(head)) and _fits(form, texts)), None)


def _fits(form: Form, texts: pa.ChunkedArray) -> bool:
    if not form.reads(texts):
        return False
    if not pt.is_floating(form.dtype) or not pc.any(pc.match_substring_regex(texts, "[A-Za-z]")).as_py():
        return True
    # Letters (1e5, nan) can write the same number in several ways.
    return bool(pc.count_distinct(texts).as_py() == pc.count_distinct(form.read(texts)).as_py())


def _candidates(texts: pa.ChunkedArray) -> Iterator[Form]:
    first: str = texts[0].as_py()
    padding = " " * (len(first) - len(first.lstrip(" ")))
    yield Form(f"{padding}(?:{_INTEGER})", pa.int64())
    for booleans in _BOOLEANS:
        yield Form(booleans, pa.bool_())
    yield from _times(texts)
    yield Form(_SECONDS, pa.time32("s"))
    yield Form(_MINUTES, pa.time32("s"))
    if re.fullmatch(rf" *-?[0-9.]+(?:{_EXPONENT})?|{_SPECIAL}", first) and _has_digits(texts):
        yield from _floats(texts, padding)


def _times(texts: pa.ChunkedArray) -> Iterator[Form]:
    yield Form(_DATE, pa.date32())
    match = _TIMESTAMP.fullmatch(texts[0].as_py())
    if match is None:
        return
    offset = match[3] or ""
    start = f"{_DATE}{match[1]}{_SECONDS if match[2] else _MINUTES}"
    for fraction, digits in _fractions(texts, _last_decimals(texts)) if match[2] else [("", 0)]:
        unit = "us" if digits <= 6 else "ns"
        yield Form(f"{start}{fraction}{re.escape(offset)}", pa.timestamp(unit, _zone(offset)))


def _zone(offset: str) -> str | None:
    """An offset as the name of a time zone of Arrow."""
    if not offset:
        return None
    digits = offset.lstrip("Z+-").replace(":", "").ljust(4, "0")
    return "UTC" if digits == "0000" else f"{offset[0]}{digits[:2]}:{digits[2:]}"


def _fractions(texts: pa.ChunkedArray, decimals: int) -> Iterator[tuple[str, int]]:
    """The ways to write fractions of a second, each with the largest number of digits."""
    yield r"(?:\.[0-9]{0,5}[1-9])?", 6
    yield r"(?:\.[0-9]{0,8}[1-9])?", 9
    if 0 < decimals <= 9:
        # No fraction where it would be zero, as Python's isoformat writes.
        nonzero = "|".join(rf"[0-9]{{{n}}}[1-9]0{{{decimals - 1 - n}}}" for n in range(decimals))
        yield rf"(?:\.(?:{nonzero}))?", decimals
        yield rf"\.[0-9]{{{decimals}}}", decimals


def _floats(texts: pa.ChunkedArray, padding: str) -> Iterator[Form]:
    decimals = rf"[0-9]{{{_last_decimals(texts)}}}"
    has_bare_point = pc.any(pc.match_substring_regex(texts, r"\A *-?\.")).as_py()
    before_point = "(?:[1-9][0-9]*)?" if has_bare_point else _WHOLE
    point_zero = rf"{before_point}\.(?:0|[0-9]*[1-9])|{_SCIENTIFIC}"
    no_point = rf"{_WHOLE}|{before_point}\.[0-9]*[1-9]|{_SCIENTIFIC}"
    fixed = rf"{before_point}\.{decimals}(?:{_EXPONENT})?"
    # Where no text is a whole number, later ones may be written in both ways.
    has_whole = pc.any(pc.match_substring_regex(texts, r"\A *-?[0-9]*(?:\.0)?\z")).as_py()
    for number in (point_zero, no_point, fixed) if has_whole else (f"{point_zero}|{_WHOLE}", fixed):
        yield Form(f"{padding}(?:-?(?:{number})|{_SPECIAL})", pa.float64())


def _has_digits(texts: pa.ChunkedArray) -> bool:
    return bool(pc.any(pc.match_substring_regex(texts, "[0-9]")).as_py())


def _last_decimals(texts: pa.ChunkedArray) -> int:
    """The number of digits after the last point of the first text that has one."""
    with_point = texts.filter(pc.match_substring(texts, "."))
    if not len(with_point):
        return 0
    digits = re.match("[0-9]*", with_point[0].as_py().rpartition(".")[2])
    return len(digits[0]) if digits else 0
