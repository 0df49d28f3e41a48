"""JSON Lines parsed by Arrow, and whether it kept the digits of all numbers in a text.

Arrow gives an integer beyond 64 bits, or one in a column with fractions, as the nearest float64.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pajson
import pyarrow.types as pt

from chimes_files.guessing.numerals import SAFE_DIGITS, is_exact

__all__ = ["keeps_digits", "parse"]

_LARGEST_EXACT = 2**53
_NEGATIVE_ZERO = r"[:\[,\s]-0[,\]}\s]"
_HUGE_EXPONENT = r"[0-9][eE][+-]?[0-9]{3,}[,\]}\s]"
_MANY_DIGITS = rf"[0-9.]{{{SAFE_DIGITS + 1}}}"
_NUMERALS_ONLY = bytes(byte if chr(byte) in "0123456789+-.eE" else ord(" ") for byte in range(256))


def parse(text: bytes, schema: pa.Schema | None, unexpected: Literal["infer", "error", "ignore"]) -> pa.RecordBatch:
    """The rows of whole lines, as one batch. Raises ArrowInvalid."""
    table = pajson.read_json(
        pa.BufferReader(text),
        read_options=pajson.ReadOptions(block_size=len(text) + 1, use_threads=False),
        parse_options=pajson.ParseOptions(explicit_schema=schema, unexpected_field_behavior=unexpected),
    )
    return table.combine_chunks().to_batches()[0]


def keeps_digits(text: bytes, batch: pa.RecordBatch, columns: Iterable[str]) -> bool:
    """Whether the numbers in these columns of ``batch``, parsed from ``text``, surely have all their digits.

    False may be wrong: whether digits are lost is then to be found value by value.
    """
    leaves = [leaf for name in columns for leaf in _leaves(batch.column(name))]
    floats = [leaf for leaf in leaves if pt.is_floating(leaf.type)]
    whole = pa.array([text], pa.binary())
    if len(floats) < len(leaves) and _is_found(_NEGATIVE_ZERO, whole):
        return False
    if not floats:
        return True
    if _is_found(_HUGE_EXPONENT, whole) or any(map(_has_large, floats)):
        return False
    if not _is_found(_MANY_DIGITS, whole):
        return True
    # An integer of many digits is large, and was seen above.
    numerals = {word for word in text.translate(_NUMERALS_ONLY).split() if len(word) > SAFE_DIGITS and b"." in word}
    return all(is_exact(word.decode()) for word in numerals)


def _leaves(array: pa.Array) -> Iterator[pa.Array]:
    """The arrays of numbers in an array of any type."""
    if pt.is_struct(array.type):
        for child in array.flatten():
            yield from _leaves(child)
    elif pt.is_list(array.type):
        yield from _leaves(array.flatten())
    elif pt.is_integer(array.type) or pt.is_floating(array.type):
        yield array


def _is_found(pattern: str, whole: pa.Array) -> bool:
    return bool(pc.match_substring_regex(whole, pattern)[0].as_py())


def _has_large(floats: pa.Array) -> bool:
    # Infinity included: Arrow's parser gives it for an integer of more than 308 digits.
    return bool(pc.any(pc.greater_equal(pc.abs(floats), float(_LARGEST_EXACT))).as_py())
