"""Reads the text of an ``entry_points.txt``."""

from __future__ import annotations

import configparser
import re
from dataclasses import dataclass

__all__ = ["EntryPoint", "EntryPoints", "parse_entry_points"]

PLUGIN_SECTION = re.compile(r"^\s*\[chimes\]", re.MULTILINE)
LINE_END = re.compile(r"\r\n?")


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """One line: ``name = value`` in ``[group]``."""

    group: str
    name: str
    value: str


@dataclass(frozen=True)
class EntryPoints:
    """The lines, or the ``problem`` that makes the text unreadable. ``plugin``: there is a group ``chimes``."""

    points: tuple[EntryPoint, ...] = ()
    problem: str | None = None
    plugin: bool = False


def parse_entry_points(data: bytes) -> EntryPoints:
    """The entry points of a file's bytes; never raises."""
    try:
        # The same line ends as when the installed file is read in text mode.
        text = LINE_END.sub("\n", data.decode("utf-8"))
    except UnicodeDecodeError:
        return EntryPoints(problem="is not UTF-8")
    # Searched in the text itself, so that a plugin with a broken file does not count as a library.
    plugin = bool(PLUGIN_SECTION.search(text))
    parser = configparser.RawConfigParser(delimiters=("=",), interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(text)
    except configparser.Error as error:
        line = getattr(error, "lineno", None)
        return EntryPoints(problem=_describe(error, line), plugin=plugin)
    points = [
        EntryPoint(group, name, value or "") for group in parser.sections() for name, value in parser.items(group)
    ]
    return EntryPoints(tuple(points), plugin=plugin)


def _describe(error: configparser.Error, line: int | None) -> str:
    where = "" if line is None else f" in line {line}"
    match error:
        case configparser.DuplicateSectionError():
            return f"has the group {error.section!r} twice{where}"
        case configparser.DuplicateOptionError():
            return f"has the name {error.option!r} twice in group {error.section!r}{where}"
        case configparser.MissingSectionHeaderError():
            return f"has an entry before the first group{where}"
        case _:
            return "has a line that is neither a group nor name = value"
