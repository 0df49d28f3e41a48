"""The verdict document: what was decided on which digest under which rules, without a clock or a measurement."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import rfc8785
from pydantic import AfterValidator

from chimes.evidence.finding import Finding
from chimes.evidence.plain import Text
from chimes.kinds.component import Value
from chimes.kinds.descriptors import Kind

__all__ = ["Cause", "CheckResult", "ComponentVerdict", "RuleSet", "Verdict", "VerdictDocument"]

Verdict = Literal["pass", "warn", "fail", "not_applicable", "not_run", "infra"]
"""``fail``: a finding of severity error; ``warn``: of severity warning; ``pass``: neither. ``not_applicable``: the
question makes no sense for this subject. ``not_run``: it could not be asked. ``infra``: the check itself failed."""
Cause = Literal["own", "memory", "time", "processes", "disk", "killed", "crashed", "infra"]
"""How a check came to its verdict: ``own`` by what the plugin answered, else by what ended the plugin's process."""


class CheckResult(Value):
    """What one check concluded. ``inputs``: the sha256 (hex) of each input that the suite generated for it."""

    code: Text
    verdict: Verdict
    cause: Cause | None = None
    findings: tuple[Finding, ...] = ()
    inputs: tuple[str, ...] = ()

    def without_said(self) -> CheckResult:
        """The same result as the verdict document holds it."""
        return self.model_copy(update={"findings": tuple(finding.without_said() for finding in self.findings)})


def _strip(results: tuple[CheckResult, ...]) -> tuple[CheckResult, ...]:
    return tuple(result.without_said() for result in results)


Results = Annotated[tuple[CheckResult, ...], AfterValidator(_strip)]
"""Results whose findings have no text of the plugin."""


class ComponentVerdict(Value):
    """The results of one component over all its cases."""

    kind: Kind
    name: Text
    cases: tuple[Text, ...]
    checks: Results


class RuleSet(Value):
    """The name and the sha256 (hex) of the rules of a run."""

    name: Text
    sha256: str


class VerdictDocument(Value):
    """The same bytes for the same file, rules, lock and nonce: text that the plugin itself printed is left out.

    ``sha256`` is None for an installed distribution. ``lock``: a line of name, version and sha256 for each
    distribution of the environment, sorted.
    """

    format: Literal["chimes.verdict/1"] = "chimes.verdict/1"
    file: Text
    sha256: str | None
    sdk: str
    sandboxed: bool
    rules: RuleSet
    nonce_sha256: str
    lock: tuple[Text, ...] = ()
    checks: Results = ()
    components: tuple[ComponentVerdict, ...] = ()

    @property
    def results(self) -> Iterator[CheckResult]:
        """Every result: of the file and its entry module, then of each component."""
        yield from self.checks
        for component in self.components:
            yield from component.checks

    @property
    def findings(self) -> Iterator[Finding]:
        """Every finding, in the order of the results."""
        for result in self.results:
            yield from result.findings

    def to_bytes(self) -> bytes:
        """The document as canonical JSON (RFC 8785)."""
        return rfc8785.dumps(self.model_dump(mode="json"))
