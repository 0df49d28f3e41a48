"""Splits the header text of METADATA, PKG-INFO and WHEEL into fields, and notes lines that a mail parser misreads."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["LONGEST", "Headers", "parse_headers", "values_of"]

LINE_END = re.compile(r"\r\n|\r|\n")
FIELD = re.compile(r"([!-9;-~]+):[ \t]*(.*)", re.DOTALL)
MAX_LINES = 20_000
MAX_HEADER_CHARACTERS = 2 << 20
MAX_DISTINCT = 100
MAX_REPEATED = 2_000
LONGEST = MappingProxyType(
    {
        **dict.fromkeys(("metadata-version", "version"), 128),
        **dict.fromkeys(("name", "provides-extra", "dynamic", "classifier", "description-content-type"), 256),
        **dict.fromkeys(("requires-python", "license-expression", "tag"), 1_000),
        **dict.fromkeys(("requires-dist", "provides-dist", "obsoletes-dist"), 2_000),
    }
)
"""The most characters of values whose grammar is slow to parse."""


@dataclass(frozen=True)
class Headers:
    """The fields in order (name as written, value with its folds), the text below them, and defects.

    A defect is (kind, line number, the line's beginning). ``fields`` is empty where the text is not
    UTF-8 or exceeds a limit.
    """

    fields: tuple[tuple[str, str], ...] = ()
    body: str = ""
    defects: tuple[tuple[str, int, str], ...] = ()

    def all(self, name: str) -> list[str]:
        """The values of a field, whatever the case of its name."""
        return values_of(self.fields, name)


def values_of(fields: Sequence[Sequence[str]], name: str) -> list[str]:
    """The values of the field ``name`` among (name, value) pairs, whatever the case."""
    return [value for key, value in fields if key.lower() == name.lower()]


def parse_headers(data: bytes) -> Headers:
    """Parse the bytes of a header file; never raises."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return Headers(defects=(("encoding", data[: error.start].count(b"\n") + 1, ""),))
    head, body = _split(text)
    lines = LINE_END.split(head)
    if not lines[-1]:
        lines.pop()
    if len(lines) > MAX_LINES or len(head) > MAX_HEADER_CHARACTERS:
        return Headers(defects=(("too-long", len(lines), ""),))
    fields: list[tuple[str, str]] = []
    defects: list[tuple[str, int, str]] = []
    for number, line in enumerate(lines, start=1):
        found = FIELD.fullmatch(line)
        if line.startswith((" ", "\t")):
            if fields:
                fields[-1] = (fields[-1][0], f"{fields[-1][1]}\n{line}")
            else:
                defects.append(("folded-first", number, line[:80]))
        elif found:
            fields.append((found[1], found[2]))
        else:
            defects.append(("no-colon", number, line[:80]))
        if any(character < " " and character != "\t" for character in line):
            defects.append(("control", number, line[:80]))
    if len({name.lower() for name, _ in fields}) > MAX_DISTINCT:
        return Headers(defects=(("too-many", len(fields), ""),))
    if excess := tuple(_excess(fields)):
        return Headers(defects=excess)
    return Headers(tuple(fields), body, tuple(defects[:20]))


def _excess(fields: Sequence[tuple[str, str]]) -> Iterator[tuple[str, int, str]]:
    """A defect for each field that is repeated too often or has too long a value."""
    counts = Counter(name.lower() for name, _ in fields)
    for name in sorted(name for name, count in counts.items() if count > MAX_REPEATED):
        yield "too-often", counts[name], name
    longest: dict[str, int] = {}
    for name, value in fields:
        longest[name.lower()] = max(longest.get(name.lower(), 0), len(value))
    for name in sorted(name for name, length in longest.items() if length > LONGEST.get(name, length)):
        yield "too-large", longest[name], name


def _split(text: str) -> tuple[str, str]:
    """The header part and what follows the first empty line."""
    place = 0
    while True:
        found = LINE_END.search(text, place)
        if found is None:
            return text, ""
        if found.start() == place:
            return text[:place], text[found.end() :]
        place = found.end()
