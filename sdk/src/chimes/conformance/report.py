"""The report of a run: the results and facts of every check, and the files that a run writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chimes import __version__
from chimes.checks.engine import Outcome
from chimes.evidence.finding import Finding, sort_findings
from chimes.evidence.record import ComponentRecord, RunRecord
from chimes.evidence.verdict import CheckResult, ComponentVerdict, RuleSet, VerdictDocument
from chimes.kinds.descriptors import Kind

__all__ = ["ComponentReport", "Report"]


@dataclass(frozen=True, kw_only=True)
class ComponentReport:
    """The outcomes of one component in all its cases, and the codes of the planned checks."""

    kind: Kind
    name: str
    cases: tuple[str, ...]
    planned: tuple[str, ...]
    outcomes: tuple[Outcome, ...]

    @property
    def results(self) -> tuple[CheckResult, ...]:
        """The results of the checks."""
        return tuple(outcome.result for outcome in self.outcomes)

    @property
    def is_complete(self) -> bool:
        """Whether exactly the planned checks were run, and at least one."""
        return bool(self.planned) and self.planned == tuple(result.code for result in self.results)


@dataclass(frozen=True, kw_only=True)
class Report:
    """The results of one file, or of one installed distribution (then ``sha256`` is None)."""

    file: str
    sha256: str | None
    sandboxed: bool
    rules: RuleSet
    nonce_sha256: str
    lock: tuple[str, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    components: tuple[ComponentReport, ...] = ()
    logs: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def checks(self) -> tuple[CheckResult, ...]:
        """The results of the file, of its environment and of its entry module."""
        return tuple(outcome.result for outcome in self.outcomes)

    @property
    def results(self) -> Iterator[CheckResult]:
        """Every result: those of the file, then those of each component."""
        yield from self.checks
        for component in self.components:
            yield from component.results

    @property
    def findings(self) -> list[Finding]:
        """Every finding, sorted, with the quoted text of the plugin."""
        return sort_findings(finding for result in self.results for finding in result.findings)

    @property
    def is_clean(self) -> bool:
        """Whether all planned checks were run, and none failed."""
        complete = all(component.is_complete for component in self.components)
        return complete and not any(result.verdict in ("fail", "infra") for result in self.results)

    def verdict_document(self) -> VerdictDocument:
        """The verdict document: the same for the same file, rules, lock and nonce."""
        return VerdictDocument(
            file=self.file,
            sha256=self.sha256,
            sdk=__version__,
            sandboxed=self.sandboxed,
            rules=self.rules,
            nonce_sha256=self.nonce_sha256,
            lock=self.lock,
            checks=self.checks,
            components=tuple(
                ComponentVerdict(kind=each.kind, name=each.name, cases=each.cases, checks=each.results)
                for each in self.components
            ),
        )

    def run_record(self) -> RunRecord:
        """The run record: facts, times, and text of the plugin."""
        return RunRecord(
            check_s=round(self.seconds, 3),
            checks=tuple(outcome.record for outcome in self.outcomes),
            components=tuple(
                ComponentRecord(
                    kind=each.kind, name=each.name, checks=tuple(outcome.record for outcome in each.outcomes)
                )
                for each in self.components
            ),
        )

    def write(self, folder: Path) -> None:
        """Write ``plan.json``, ``verdict.json``, ``run.json`` and ``logs/`` below ``folder``."""
        plan = {
            "checks": [result.code for result in self.checks],
            "components": [
                {"kind": each.kind, "name": each.name, "cases": each.cases, "checks": each.planned}
                for each in self.components
            ],
        }
        (folder / "logs").mkdir(parents=True, exist_ok=True)
        (folder / "plan.json").write_text(json.dumps(plan), "utf-8")
        (folder / "verdict.json").write_bytes(self.verdict_document().to_bytes())
        (folder / "run.json").write_bytes(self.run_record().to_bytes())
        for number, log in enumerate(self.logs):
            (folder / "logs" / f"{number:03}.log").write_text(log, "utf-8", errors="replace")
