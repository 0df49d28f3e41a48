"""A run on the report page: the results of its checks, the lock, the end of the log, the documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chimes.checks.catalogue import FILE_CHECKS
from chimes.conformance.catalogue import CHECKS

from chimes_marketplace.catalog.tables import File
from chimes_marketplace.pages.findings import printable
from chimes_marketplace.validation.tables import Run

__all__ = ["DOCUMENTS", "Cell", "Part", "Ran", "make_ran"]

TITLES: Mapping[str, str] = {check.code: check.title() for check in (*FILE_CHECKS, *CHECKS)}
DOCUMENTS: Mapping[str, str] = {
    "verdict.json": "verdict_sha256",
    "run.json": "record_sha256",
    "pylock.toml": "lock_sha256",
    "log.txt": "log_sha256",
    "rules.toml": "rules_sha256",
}
"""Name of a document to the field of a run that has its digest."""

PARTS = 100
CELLS = 200
LOCK_LINES = 500
LOG_CHARACTERS = 20_000


@dataclass(frozen=True)
class Cell:
    """One check: its code, its question and its result."""

    code: str
    title: str
    verdict: str
    cause: str


@dataclass(frozen=True)
class Part:
    """The checks of one component, or, without a kind, of the file itself."""

    kind: str
    name: str
    cells: tuple[Cell, ...]

    def count(self, *verdicts: str) -> int:
        """How many cells have one of these verdicts."""
        return sum(cell.verdict in verdicts for cell in self.cells)


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A run, ready to be shown. ``queued`` and ``took`` are seconds."""

    id: int
    filename: str
    lane: str
    state: str
    reason: str
    at: datetime
    queued: float | None
    took: float | None
    parts: tuple[Part, ...]
    lock: tuple[tuple[str, ...], ...]
    log: str
    documents: tuple[tuple[str, str], ...]
    rules: str
    sdk: str


def make_ran(run: Run, file: File | None, verdict: Mapping[str, Any] | None, log: str) -> Ran:
    """From what is stored of it. Malformed parts of the documents are left out: they come from a plugin's run."""
    verdict = verdict or {}
    named = [(name, getattr(run, field)) for name, field in DOCUMENTS.items()]
    rules = verdict.get("rules")
    return Ran(
        id=run.id or 0,
        filename="" if file is None else file.filename,
        lane=run.lane,
        state=run.outcome or run.state,
        reason=printable(run.reason),
        at=run.created_at,
        queued=_between(run.created_at, run.admitted_at),
        took=_between(run.started_at, run.ended_at),
        parts=tuple(_parts(verdict)),
        lock=tuple(tuple(printable(word, 80) for word in str(line).split()[:3]) for line in _list(verdict, "lock"))[
            :LOCK_LINES
        ],
        log=_tail(log),
        documents=tuple((name, digest) for name, digest in named if digest),
        rules=printable(rules.get("name")) if isinstance(rules, dict) else "",
        sdk=printable(verdict.get("sdk"), 40),
    )


def _parts(verdict: Mapping[str, Any]) -> Iterator[Part]:
    cells = _cells(_list(verdict, "checks"))
    if cells:
        yield Part("", "", cells)
    for component in _list(verdict, "components")[:PARTS]:
        if isinstance(component, dict):
            name, kind = printable(component.get("name"), 100), printable(component.get("kind"), 20)
            yield Part(kind, name, _cells(_list(component, "checks")))


def _cells(checks: Sequence[Any]) -> tuple[Cell, ...]:
    return tuple(_cell(each) for each in checks[:CELLS] if isinstance(each, dict))


def _cell(check: Mapping[str, Any]) -> Cell:
    code = printable(check.get("code"), 20)
    return Cell(code, TITLES.get(code, ""), printable(check.get("verdict"), 20), printable(check.get("cause"), 40))


def _list(value: Mapping[str, Any], key: str) -> list[Any]:
    found = value.get(key)
    return found if isinstance(found, list) else []


def _tail(log: str) -> str:
    lines = log[-LOG_CHARACTERS:].splitlines()
    if len(log) > LOG_CHARACTERS:
        lines = ["…", *lines[1:]]
    return "\n".join(printable(line.replace("\t", "    "), 2000) for line in lines)


def _between(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else max(0.0, (end - start).total_seconds())
