"""Findings as they are read: what has one cause stands together, and what a plugin chose is cut short."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Alike", "group", "printable"]

ORDER = {"error": 0, "warning": 1, "info": 2}
LONGEST = 500
PLACES = 12
GROUPS = 200


@dataclass(frozen=True, kw_only=True)
class Alike:
    """Findings that say the same. ``more``: how many places are not shown."""

    severity: str
    blocks: str | None
    codes: tuple[str, ...]
    message: str
    fix: str
    said: str
    places: tuple[str, ...]
    more: int


def group(findings: Iterable[Mapping[str, Any]]) -> list[Alike]:
    """Errors first; one cause fails many checks and cases, and is read once."""
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for each in findings:
        key = (each.get("severity"), each.get("blocks"), each.get("message"), each.get("fix"), each.get("said"))
        groups.setdefault(key, []).append(each)
    alike = [_alike(each) for each in list(groups.values())[:GROUPS]]
    return sorted(alike, key=lambda each: (ORDER.get(each.severity, 0), each.codes))


def printable(text: object, longest: int = LONGEST) -> str:
    """One line of it, without what would move or hide the text around it."""
    line = str(text or "")
    cut = line if len(line) <= longest else f"{line[: longest - 1]}…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in cut)


def _alike(findings: list[Mapping[str, Any]]) -> Alike:
    first = findings[0]
    places = list(dict.fromkeys(printable(each["where"]) for each in findings if each.get("where")))
    said = str(first.get("said") or "").strip().splitlines()
    return Alike(
        severity=printable(first.get("severity")),
        blocks=first.get("blocks"),
        codes=tuple(dict.fromkeys(printable(each.get("code"), 20) for each in findings)),
        message=printable(first.get("message")),
        fix=printable(first.get("fix")),
        said=printable(said[-1]) if said else "",
        places=tuple(places[:PLACES]),
        more=max(0, len(places) - PLACES),
    )
