"""Quotes and escapes text for people and terminals; reads small text files with a size limit."""

from __future__ import annotations

import errno
import os
import stat
import tomllib
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from chimes.errors import ChimesError, ConfigError

__all__ = ["escape", "open_regular", "parse_toml", "quote", "quote_all", "read_text", "read_toml", "shorten"]

MAX_BYTES = 1 << 20
MAX_DEPTH = 64
NUMBERS = range(-(1 << 63), 1 << 63)
"""The range of integers in TOML."""


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file to read, unbuffered; raises OSError, also for a pipe or a device, without waiting for it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return os.fdopen(descriptor, "rb", buffering=0)
    os.close(descriptor)
    raise OSError(errno.EINVAL, "it is not a regular file", str(path))


def read_text(
    path: Path,
    what: str,
    *,
    limit: int = MAX_BYTES,
    refusal: type[ChimesError] = ConfigError,
    absent: type[ChimesError] | None = None,
) -> str:
    """The text of ``path``, which messages call ``what``. Raises ``refusal``; ``absent`` where it cannot be opened."""
    try:
        with open_regular(path) as stream:
            data = _read(stream, limit + 1)
    except OSError as error:
        why = error.strerror or error
        raise (absent or refusal)(f"{what} {str(path)!r} cannot be read: {why}", hint="check the path") from error
    if len(data) > limit:
        raise refusal(f"{what} {str(path)!r} is larger than {limit} bytes", hint="keep data in other files")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        where = f"{error.reason} at byte {error.start}"
        raise refusal(f"{what} {str(path)!r} is not UTF-8 text: {where}", hint="save it as UTF-8") from error


def _read(stream: BinaryIO, count: int) -> bytes:
    data = b""
    while len(data) < count and (more := stream.read(count - len(data))):
        data += more
    return data


def read_toml(
    path: Path, what: str, *, refusal: type[ChimesError] = ConfigError, absent: type[ChimesError] | None = None
) -> dict[str, Any]:
    """The tables of ``path``; raises as ``read_text``, and ``refusal`` if it is not valid TOML."""
    return parse_toml(read_text(path, what, refusal=refusal, absent=absent), f"{what} {str(path)!r}", refusal=refusal)


def parse_toml(text: str, what: str, *, refusal: type[ChimesError] = ConfigError) -> dict[str, Any]:
    """The tables in ``text``; raises ``refusal`` if it is not valid TOML, or nested more than 64 levels deep."""
    try:
        found = tomllib.loads(text)
        _check_values(found)
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise refusal(f"{what} is not valid TOML: {why}", hint="correct that line") from error
    return found


def _check_values(found: dict[str, Any]) -> None:
    # Level by level instead of recursively: the text may be nested deeper than the stack allows.
    level: list[Any] = [found]
    for _ in range(MAX_DEPTH):
        inner: list[Any] = []
        for value in level:
            if isinstance(value, int) and value not in NUMBERS:
                raise ValueError("a whole number has more than 64 bits")
            if isinstance(value, str) and "\0" in value:
                raise ValueError("a string contains the character U+0000, which no path or name can contain")
            inner += value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        level = inner
        if not level:
            return
    raise RecursionError


def shorten(text: str, limit: int) -> str:
    """``text``; if it has more than ``limit`` characters, its start and three dots."""
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def escape(text: str, *, limit: int | None = None) -> str:
    """``text`` as one line for a person, at most ``limit`` characters of it.

    Characters that control a terminal or that UTF-8 cannot encode are escaped; spaces of any kind are kept.
    """
    line = " ".join(text.splitlines())
    line = line if limit is None else shorten(line, limit)
    return "".join(c if _is_harmless(c) else c.encode("unicode_escape").decode("ascii") for c in line)


def _is_harmless(character: str) -> bool:
    return character.isprintable() or unicodedata.category(character) == "Zs"


def quote(value: str, *, limit: int = 120) -> str:
    """At most ``limit`` characters of ``value`` in quotes; those that are not printable are escaped."""
    return repr(shorten(value, limit))


def quote_all(values: Sequence[str], *, limit: int = 8) -> str:
    """The first ``limit`` values in quotes, and how many more there are."""
    shown = ", ".join(quote(value) for value in values[:limit])
    return shown if len(values) <= limit else f"{shown} and {len(values) - limit} more"
