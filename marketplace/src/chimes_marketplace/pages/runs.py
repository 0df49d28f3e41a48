"""Prepares a run for the report page: the results of its checks, the lock, the end of the log, the documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from chimes.checks.catalogue import FILE_CHECKS
from chimes.conformance.catalogue import CHECKS
from chimes.evidence.verdict import CheckResult, VerdictDocument

from chimes_marketplace.catalog.tables import File
from chimes_marketplace.lanes.tables import Run
from chimes_marketplace.pages.findings import printable

__all__ = ["DOCUMENTS", "Cell", "Part", "RunView", "make_run_view"]

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
    """The checks of one component; without a kind, those of the file itself."""

    kind: str
    name: str
    cells: tuple[Cell, ...]

    def count(self, *verdicts: str) -> int:
        """The number of cells with one of these verdicts."""
        return sum(cell.verdict in verdicts for cell in self.cells)


@dataclass(frozen=True, kw_only=True)
class RunView:
    """A run as the page shows it."""

    id: int
    filename: str
    lane: str
    state: str
    reason: str
    at: datetime
    waited_s: float | None
    duration_s: float | None
    parts: tuple[Part, ...]
    lock: tuple[tuple[str, ...], ...]
    log: str
    documents: tuple[tuple[str, str], ...]
    rules: str
    sdk: str


def make_run_view(run: Run, file: File | None, verdict: VerdictDocument | None, log: str) -> RunView:
    """The run as the page shows it. Plugins can write text into its documents, so all of it is made printable."""
    named = [(name, getattr(run, field)) for name, field in DOCUMENTS.items()]
    lock = () if verdict is None else verdict.lock[:LOCK_LINES]
    return RunView(
        id=run.id or 0,
        filename="" if file is None else file.filename,
        lane=run.lane,
        state=run.outcome or run.state,
        reason=printable(run.reason),
        at=run.created_at,
        waited_s=_between(run.created_at, run.admitted_at),
        duration_s=_between(run.started_at, run.ended_at),
        parts=() if verdict is None else tuple(_parts(verdict)),
        lock=tuple(tuple(printable(word, 80) for word in line.split()[:3]) for line in lock),
        log=_tail(log),
        documents=tuple((name, digest) for name, digest in named if digest),
        rules="" if verdict is None else printable(verdict.rules.name),
        sdk="" if verdict is None else printable(verdict.sdk, 40),
    )


def _parts(verdict: VerdictDocument) -> Iterator[Part]:
    if verdict.checks:
        yield Part("", "", _cells(verdict.checks))
    for component in verdict.components[:PARTS]:
        yield Part(component.kind, printable(component.name, 100), _cells(component.checks))


def _cells(results: Sequence[CheckResult]) -> tuple[Cell, ...]:
    return tuple(_cell(each) for each in results[:CELLS])


def _cell(result: CheckResult) -> Cell:
    code = printable(result.code, 20)
    return Cell(code, TITLES.get(code, ""), result.verdict, result.cause or "")


def _tail(log: str) -> str:
    lines = log[-LOG_CHARACTERS:].splitlines()
    if len(log) > LOG_CHARACTERS:
        lines = ["…", *lines[1:]]
    return "\n".join(printable(line.replace("\t", "    "), 2000) for line in lines)


def _between(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else max(0.0, (end - start).total_seconds())
