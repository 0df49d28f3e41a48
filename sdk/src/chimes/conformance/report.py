"""What a run leaves: results, the verdict document (no clock, no measurement), the run record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from chimes import __version__
from chimes.checks.check import Finding
from chimes.text import escape

__all__ = ["ComponentReport", "Report", "Result", "Verdict", "printable"]

LONGEST = 500
Verdict = Literal["pass", "fail", "warn", "not_applicable", "waived", "not_run", "infra", "stale"]


def printable(text: str) -> str:
    """``text`` on one line of bounded length, safe for a terminal."""
    return escape(text, limit=LONGEST)


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one check concluded; ``inputs`` are the sha256 (hex) of what the suite generated for it."""

    code: str
    verdict: Verdict
    cause: str | None = None
    findings: tuple[Finding, ...] = ()
    inputs: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    def verdict_json(self) -> dict[str, Any]:
        """As it stands in the verdict document: nothing that the plugin said, nothing measured."""
        findings = [{k: v for k, v in finding.to_json().items() if k != "said"} for finding in self.findings]
        return {
            "code": self.code,
            "verdict": self.verdict,
            "cause": self.cause,
            "findings": findings,
            "inputs": list(self.inputs),
        }

    def run_json(self) -> dict[str, Any]:
        """As it stands in the run record."""
        said = [finding.said for finding in self.findings if finding.said]
        return {"code": self.code, "seconds": round(self.seconds, 3), "facts": self.facts, "said": said}


@dataclass(frozen=True, kw_only=True)
class ComponentReport:
    """The results of one component over all its cases, and the codes that were planned beforehand."""

    kind: str
    name: str
    cases: tuple[str, ...]
    planned: tuple[str, ...]
    results: tuple[Result, ...]

    @property
    def is_complete(self) -> bool:
        """Whether exactly what was planned was executed, and anything at all."""
        return bool(self.planned) and self.planned == tuple(result.code for result in self.results)


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that was found out about one file, or about one installed distribution (no ``sha256`` then)."""

    file: str
    sha256: str | None
    sandboxed: bool
    rules: str
    rules_sha256: str
    nonce_sha256: str
    lock: tuple[str, ...] = ()
    checks: tuple[Result, ...] = ()
    components: tuple[ComponentReport, ...] = ()
    logs: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def results(self) -> Iterator[Result]:
        """Every result."""
        yield from self.checks
        for component in self.components:
            yield from component.results

    @property
    def findings(self) -> list[Finding]:
        """Every finding, errors first."""
        order = {"error": 0, "warning": 1, "info": 2}
        found = [finding for result in self.results for finding in result.findings]
        return sorted(found, key=lambda finding: (order[finding.severity], finding.code))

    @property
    def is_clean(self) -> bool:
        """Whether all that was planned was executed, and nothing failed, for whatever reason."""
        complete = all(component.is_complete for component in self.components)
        return complete and not any(result.verdict in ("fail", "infra") for result in self.results)

    def plan_json(self) -> dict[str, Any]:
        """The plan: which checks on what."""
        return {
            "checks": [result.code for result in self.checks],
            "components": [
                {"kind": c.kind, "name": c.name, "cases": list(c.cases), "checks": list(c.planned)}
                for c in self.components
            ],
        }

    def verdict_json(self) -> dict[str, Any]:
        """The verdict document: the same bytes for the same file, rules, lock and nonce."""
        return {
            "format": "chimes.verdict/1",
            "file": self.file,
            "sha256": self.sha256,
            "sdk": __version__,
            "sandboxed": self.sandboxed,
            "rules": {"name": self.rules, "sha256": self.rules_sha256},
            "nonce_sha256": self.nonce_sha256,
            "lock": list(self.lock),
            "checks": [result.verdict_json() for result in self.checks],
            "components": [
                {
                    "kind": component.kind,
                    "name": component.name,
                    "cases": list(component.cases),
                    "checks": [result.verdict_json() for result in component.results],
                }
                for component in self.components
            ],
        }

    def run_json(self) -> dict[str, Any]:
        """The run record: facts, times, and what the plugin said."""
        return {
            "format": "chimes.run/1",
            "seconds": round(self.seconds, 3),
            "checks": [result.run_json() for result in self.checks],
            "components": [
                {"kind": c.kind, "name": c.name, "checks": [result.run_json() for result in c.results]}
                for c in self.components
            ],
        }
