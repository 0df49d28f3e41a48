"""Asks all checks of one file and gathers what they found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from chimes.checks.catalogue import FILE_CHECKS, find_check
from chimes.checks.check import Facts, Finding
from chimes.checks.filecheck import FileCheck
from chimes.checks.formats.fields import parse_headers
from chimes.checks.rules import DEFAULT_RULES, FileRules
from chimes.checks.subject import Form, Subject
from chimes.errors import NotFoundError

__all__ = ["CheckResult", "FileReport", "Verdict", "judge_again", "run_checks"]

Verdict = Literal["pass", "fail", "warn", "not_applicable", "not_run", "infra"]


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """What one check said. ``facts`` are plain JSON and enough to judge again; empty where it was not asked.

    Verdicts: fail (a finding of severity error), warn (of severity warning), pass (neither);
    not_applicable (the question makes no sense for this file); not_run (the archive has no members to
    look at; A01 says why); infra (the check itself failed).
    """

    code: str
    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    facts: Facts

    def to_json(self, *, said: bool = False) -> dict[str, Any]:
        """Without facts; with what the file itself said only on demand."""
        findings = [finding if said else replace(finding, said=None) for finding in self.findings]
        return {"code": self.code, "verdict": self.verdict, "findings": [finding.to_json() for finding in findings]}


@dataclass(frozen=True, kw_only=True)
class FileReport:
    """All checks of one file. ``name`` and ``version`` are those of its metadata, as written, if readable."""

    file: str
    sha256: str
    size_bytes: int
    form: Form
    type: Literal["plugin", "library"] | None
    name: str | None
    version: str | None
    results: tuple[CheckResult, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings of all checks, in the order of the checks."""
        return tuple(finding for result in self.results for finding in result.findings)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings of severity error."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def clean(self) -> bool:
        """Whether there is no finding of severity error."""
        return not self.errors

    def result(self, code: str) -> CheckResult:
        """The result of one check; raises NotFoundError if it was not asked."""
        for result in self.results:
            if result.code == code:
                return result
        raise NotFoundError(f"check {code!r} was not asked", hint="name one of the checks of files")


def run_checks(
    subject: Subject, checks: Iterable[type[FileCheck[Any]]] = FILE_CHECKS, rules: FileRules | None = None
) -> FileReport:
    """Ask ``checks`` of an open subject. Never raises for what is in the file or for a check that crashes."""
    rules = rules or DEFAULT_RULES
    results = tuple(_run_one(kind, subject, rules) for kind in checks)
    fields = parse_headers(subject.metadata or b"") if subject.frame.readable else parse_headers(b"")
    return FileReport(
        file=subject.filename,
        sha256=subject.sha256,
        size_bytes=subject.source.size,
        form=subject.form,
        type=subject.type,
        name=next(iter(fields.all("Name")), None),
        version=next(iter(fields.all("Version")), None),
        results=results,
    )


def judge_again(result: CheckResult, rules: FileRules | None = None) -> CheckResult:
    """The result that the kept facts give under (other) rules; nothing is read or run.

    Raises NotFoundError for a code that is not among the checks of files.
    """
    kind = find_check(result.code)
    if kind is None:
        raise NotFoundError(f"there is no file check {result.code!r}")
    if result.verdict in ("not_applicable", "not_run", "infra"):
        return result
    return _guarded(kind(rules or DEFAULT_RULES), lambda: result.facts)


def _run_one(kind: type[FileCheck[Any]], subject: Subject, rules: FileRules) -> CheckResult:
    check = kind(rules)

    def observe() -> Facts | None:
        return check.observe(subject) if kind.applies_to(subject) else None

    if kind.needs_members and not subject.frame.readable:
        asked = subject.form in kind.forms
        return CheckResult(code=kind.code, verdict="not_run" if asked else "not_applicable", facts={})
    return _guarded(check, observe)


def _guarded(check: FileCheck[Any], observe: Callable[[], Facts | None]) -> CheckResult:
    # A crash is our fault, never a pass, and never the end of the run.
    facts: Facts = {}
    try:
        observed = observe()
        if observed is None:
            return CheckResult(code=check.code, verdict="not_applicable", facts={})
        facts = observed
        findings = tuple(check.judge(facts))
    except Exception as error:
        return CheckResult(code=check.code, verdict="infra", findings=(_crash(check, error),), facts=facts)
    return CheckResult(code=check.code, verdict=_verdict(findings), findings=findings, facts=facts)


def _crash(check: FileCheck[Any], error: Exception) -> Finding:
    said = f"{type(error).__name__}: {error}"[:500]
    finding = check.finding(
        f"the check {check.code} itself failed with {type(error).__name__}",
        "nothing is wrong with your file as far as we know; report this with the file",
        said=said,
    )
    return replace(finding, severity="error")


def _verdict(findings: tuple[Finding, ...]) -> Verdict:
    severities = {finding.severity for finding in findings}
    return "fail" if "error" in severities else "warn" if "warning" in severities else "pass"
