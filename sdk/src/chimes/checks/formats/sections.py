"""Reads the headings of a Markdown or reStructuredText document, and the text below each."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Section", "read_sections"]

NUMBERED = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*")
UNDERLINE = re.compile(r"([=\-~^\"'*+#.:_`])\1{2,}[ \t]*")
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
UNWRITTEN = frozenset({"", "todo", "tbd", "tba", "fixme", "xxx"})
"""Texts that count as empty, compared by their letters and digits."""
LONGEST_TEXT, LONGEST_TITLE, MOST = 1 << 20, 300, 2000


@dataclass(frozen=True)
class Section:
    """A heading (``level`` 1 is the highest), and the lines below it up to the next one of its level or above."""

    level: int
    title: str
    text: str

    @property
    def is_written(self) -> bool:
        """Whether there is any text beside headings, and not just a note that it is still to be written."""
        own = [line for line in self.text.splitlines() if not NUMBERED.fullmatch(line)]
        return re.sub(r"[\W_]", "", "".join(own)).casefold() not in UNWRITTEN


def read_sections(text: str) -> list[Section]:
    """Every section in the order of their headings; a section holds those below it, too.

    Only the first MiB and the first 2,000 headings are looked at.
    """
    lines = text[:LONGEST_TEXT].splitlines()
    headings = list(itertools.islice(_headings(lines), MOST))
    found = []
    for number, (_, start, level, title) in enumerate(headings):
        ends = (at for at, _, other, _ in headings[number + 1 :] if other <= level)
        found.append(Section(level, title, "\n".join(lines[start : next(ends, len(lines))])))
    return found


def _headings(lines: list[str]) -> Iterator[tuple[int, int, int, str]]:
    """(line of the heading, first line of the text, level, title)."""
    styles: list[str] = []
    fence = ""
    for at, line in enumerate(lines):
        if len(line) > LONGEST_TITLE:
            continue
        if marker := FENCE.match(line):
            if not fence:
                fence = marker[1]
            elif marker[1].startswith(fence):
                fence = ""
        elif fence:
            continue
        elif numbered := NUMBERED.fullmatch(line):
            yield at, at + 1, len(numbered[1]), numbered[2]
        elif line.strip() and at + 1 < len(lines) and (under := UNDERLINE.fullmatch(lines[at + 1])):
            if UNDERLINE.fullmatch(line) or line[:1].isspace():
                continue
            if under[1] not in styles:
                styles.append(under[1])
            yield at, at + 2, styles.index(under[1]) + 1, line.strip()
