"""Prepares findings for a page: groups those with the same cause, and makes every text short and printable."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chimes.evidence.finding import Blocks, Finding, Severity, group_findings, sort_findings
from chimes.text import escape

__all__ = ["FindingGroup", "group", "printable"]

LONGEST = 500
PLACES = 12
GROUPS = 200


@dataclass(frozen=True, kw_only=True)
class FindingGroup:
    """Findings that differ only in code and place. ``more``: how many places are not shown."""

    severity: Severity
    blocks: Blocks
    codes: tuple[str, ...]
    message: str
    fix: str
    said: str
    places: tuple[str, ...]
    more: int


def group(findings: Iterable[Finding]) -> list[FindingGroup]:
    """The groups, errors first."""
    return [_group(each) for each in group_findings(sort_findings(findings))[:GROUPS]]


def printable(text: object, longest: int = LONGEST) -> str:
    """The text on one line, shortened, with every control and format character escaped."""
    return escape(str(text or ""), limit=longest)


def _group(findings: tuple[Finding, ...]) -> FindingGroup:
    first = findings[0]
    places = list(dict.fromkeys(printable(each.where) for each in findings if each.where))
    said = (first.said or "").strip().splitlines()
    return FindingGroup(
        severity=first.severity,
        blocks=first.blocks,
        codes=tuple(dict.fromkeys(printable(each.code, 20) for each in findings)),
        message=printable(first.message),
        fix=printable(first.fix),
        said=printable(said[-1]) if said else "",
        places=tuple(places[:PLACES]),
        more=max(0, len(places) - PLACES),
    )
