"""Shows values of an upload in messages: on one line, escaped, cut to a length a person reads."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

__all__ = ["escaped", "listed", "quote"]


def escaped(text: str) -> str:
    """``text`` on one line; what a terminal would obey, and what no UTF-8 can hold, is escaped. Spaces stay."""
    line = " ".join(text.splitlines())
    return "".join(c if _is_harmless(c) else c.encode("unicode_escape").decode("ascii") for c in line)


def _is_harmless(character: str) -> bool:
    return character.isprintable() or unicodedata.category(character) == "Zs"


def quote(value: str, *, limit: int = 120) -> str:
    """``value`` in quotes, everything unprintable escaped, at most ``limit`` characters of it."""
    text = value if len(value) <= limit else value[: limit - 1] + "…"
    return repr(text)


def listed(values: Sequence[str], *, limit: int = 8) -> str:
    """The first ``limit`` values in quotes, and how many more there are."""
    shown = ", ".join(quote(value) for value in values[:limit])
    return shown if len(values) <= limit else f"{shown} and {len(values) - limit} more"
