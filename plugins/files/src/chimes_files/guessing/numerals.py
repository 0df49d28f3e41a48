"""Whether a number written in digits comes back from the float64 that is nearest to it."""

from __future__ import annotations

import math
from decimal import Decimal, InvalidOperation

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["SAFE_DIGITS", "are_exact", "is_exact"]

SAFE_DIGITS = 15
"""Every decimal number of so few digits, with an exponent of at most two digits, comes back from a float64."""

_LARGEST_EXACT = 2**53
_HUGE_EXPONENT = "[eE][+-]?[0-9]{3}"


def are_exact(texts: pa.Array, values: pa.Array) -> bool:
    """Whether each of ``texts``, parsed as the float64 in ``values``, comes back from it with all its digits."""
    risky = pc.greater(pc.binary_length(texts), SAFE_DIGITS)
    if pc.any(pc.match_substring(texts, "e", ignore_case=True)).as_py():
        risky = pc.or_(risky, pc.match_substring_regex(texts, _HUGE_EXPONENT))
    if not pc.any(risky).as_py():
        return True
    texts, values = texts.filter(risky), values.filter(risky)
    # Most long numerals are the shortest ones of their float64, which Arrow writes as well.
    others = texts.filter(pc.not_equal(values.cast(pa.string()), texts))
    return all(is_exact(text) for text in others.to_pylist())


def is_exact(numeral: str) -> bool:
    """Whether the float64 nearest to ``numeral`` gives its number back, in the shortest or the same number of digits.

    True for a text that is not a number. An integer of more than 53 bits is more likely an identifier: False.
    """
    try:
        value = float(numeral)
    except ValueError:
        return True
    if repr(value) == numeral:
        return True
    try:
        number = Decimal(numeral)
    except InvalidOperation:
        # The exponent has more digits than Decimal can hold.
        return False
    if not number.is_finite() or not math.isfinite(value):
        return not number.is_finite()
    if numeral.lstrip("-").isdigit():
        return abs(number) <= _LARGEST_EXACT
    if number == Decimal(repr(value)):
        return True
    mantissa, _, exponent = numeral.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    return f"{value:.{decimals}{'e' if exponent else 'f'}}" == numeral.lower()
