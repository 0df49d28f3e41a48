"""The judge: fixes the plan from what the plugin registers, then executes exactly that plan."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from chimes.checks.check import Check, Facts, Finding
from chimes.conformance.catalogue import COMPONENT_CHECKS, ENTRY_CHECKS
from chimes.conformance.check import ComponentCheck
from chimes.conformance.child.remote import Children, Place
from chimes.conformance.nonce import Nonce
from chimes.conformance.report import ComponentReport, Result, printable
from chimes.conformance.rules import Rules
from chimes.conformance.subject import ComponentSubject, EntrySubject
from chimes.conformance.told import read_cases, read_entry, read_offers
from chimes.kinds.descriptors import Kind
from chimes.rpc.failure import StepFailedError, failure_words

__all__ = ["Judge", "judge_one"]

IMPORTING, CASES = "importing the entry module", "the harness's cases"
Progress = Callable[[str], None]


@dataclass(kw_only=True)
class Judge:
    """One run of the suite over one plugin in one place."""

    place: Place
    env: dict[str, str]
    top_levels: tuple[str, ...]
    rules: Rules
    nonce: Nonce
    readme: str = ""
    progress: Progress = lambda _: None
    logs: Sequence[str] = ()

    def run(self) -> tuple[list[Result], list[ComponentReport]]:
        """Entry checks, then every component's."""
        subject = self.entry()
        results = [self.measure(check, subject, check.__name__) for check in ENTRY_CHECKS]
        registered = subject.entry.get("components", [])
        components = [found for item in registered for found in self.component(item)]
        return results, components

    def entry(self) -> EntrySubject:
        """Import the entry module in two fresh children: a plan can only be made of what stays the same."""
        self.progress("importing the entry module")
        subject = self.imported()
        again = self.imported()
        events = tuple(sorted({*subject.events, *again.events}))
        failure = subject.failure or again.failure
        if failure is None and subject.entry["components"] != again.entry["components"]:
            failure = StepFailedError(IMPORTING, answer="changing")
        return replace(subject, entry=subject.entry if failure is None else {}, events=events, failure=failure)

    def imported(self) -> EntrySubject:
        """Import the entry module in a fresh child."""
        entry: dict[str, Any] = {}
        failure = None
        with self.children() as children:
            try:
                entry = read_entry(IMPORTING, children.entry(IMPORTING, self.rules.call_s))
            except StepFailedError as failed:
                failure = failed
            children.stop()
            own = {children.root, *(f"{children.root}/{name}" for name in ("tmp", "cache", "artifacts"))}
            events = {(event.kind, event.action, event.target) for event in children.seen() if event.target not in own}
        self.logs = [*self.logs, *children.logs]
        return EntrySubject(
            distribution=self.place.distribution,
            top_levels=self.top_levels,
            entry=entry,
            events=tuple(events),
            failure=failure,
            readme=self.readme,
        )

    def component(self, item: dict[str, Any]) -> Iterator[ComponentReport]:
        """The report of one registered component; nothing for one that this SDK cannot use (S01 says so)."""
        if item["failure"]:
            return
        kind, registration = item["kind"], item["registration"]
        with self.children() as children:
            cases, offers, failure = self.prepare(children, kind, registration["name"])
            planned = [check for check in COMPONENT_CHECKS if _is_planned(check, kind, registration)]
            results = [
                self.over_cases(check(), cases, failure, children, kind, registration, offers) for check in planned
            ]
        self.logs = [*self.logs, *children.logs]
        names = tuple(case["name"] for case in cases)
        codes = tuple(check.code for check in planned)
        name = registration["name"]
        yield ComponentReport(kind=kind, name=name, cases=names, planned=codes, results=tuple(results))

    def prepare(
        self, children: Children, kind: Kind, name: str
    ) -> tuple[list[dict[str, Any]], frozenset[str], StepFailedError | None]:
        """The harness's cases and what it offers, or how it failed; asked twice, in fresh processes."""
        found = []
        try:
            for _ in range(2):
                with children.session(self.rules.call_s) as session:
                    cases = read_cases(CASES, session.do("cases", step=CASES, kind=kind, name=name))
                    offers = read_offers(CASES, session.do("offers", step=CASES, kind=kind, name=name))
                found.append(([(case["name"], case["device"]) for case in cases], offers))
            if found[0] != found[1]:
                raise StepFailedError(CASES, answer="changing")
        except StepFailedError as failure:
            return [], frozenset(), failure
        return cases, offers, None

    def over_cases(
        self,
        check: ComponentCheck,
        cases: list[dict[str, Any]],
        failure: StepFailedError | None,
        children: Children,
        kind: Kind,
        registration: dict[str, Any],
        offers: frozenset[str],
    ) -> Result:
        """One check in every case, as one result."""
        if failure is not None and check.code not in ("S05", "S22"):
            return self.unprepared(check, failure)
        if check.seeded and "seed" not in offers:
            return Result(code=check.code, verdict="not_run")
        found = []
        for case in cases or [{"name": "default", "config": {}, "device": "cpu"}]:
            subject = ComponentSubject(
                kind=kind,
                name=registration["name"],
                distribution=self.place.distribution,
                registration=registration,
                case=case,
                offers=offers,
                children=children,
                nonce=self.nonce,
            )
            address = f"{self.place.distribution}:{registration['name']}[{case['name']}]"
            found.append(self.measure(type(check), subject, address))
            self.tidy(children, kind, registration["name"])
        return _join(check.code, found)

    def tidy(self, children: Children, kind: Kind, name: str) -> None:
        """End what a check left running; make the harness's files anew where the child was replaced."""
        children.sweep()
        if children.is_fresh:
            self.prepare(children, kind, name)

    def unprepared(self, check: ComponentCheck, failure: StepFailedError) -> Result:
        """The result of a check for which there is no case, because the harness failed."""
        words, fix = failure_words(failure.to_json())
        finding = check.finding(words, fix, said=failure.said or None)
        return Result(code=check.code, verdict="fail", cause=failure.cause, findings=(finding,))

    def measure(self, kind: type[Check[Any]], subject: Any, where: str) -> Result:
        """One check on one subject, with its time."""
        self.progress(f"{kind.code} {where}")
        started = time.monotonic()
        check = kind()
        timeout = getattr(check, "timeout_s", self.rules.call_s)
        check.timeout_s = min(timeout, self.rules.call_s)  # type: ignore[attr-defined]
        result = judge_one(check, subject, where if isinstance(subject, ComponentSubject) else None)
        inputs = tuple(getattr(subject, "inputs", ()))
        return replace(result, inputs=inputs, seconds=time.monotonic() - started)

    def children(self) -> Children:
        """Children in this run's place."""
        return Children(self.place, self.env)


def judge_one(check: Check[Any], subject: Any, where: str | None) -> Result:
    """Observe and judge; a check that crashes is our fault and stops nothing."""
    facts: Facts = {}
    try:
        facts = check.observe(subject)
        findings = check.judge(facts)
    except Exception as error:
        finding = Finding(
            code=check.code,
            severity="error",
            blocks=None,
            message=f"the check {check.code} itself failed",
            fix="report this to the authors of Chimes; it is not the plugin's fault",
            where=where,
            said=f"{type(error).__name__}: {error}",
        )
        return Result(code=check.code, verdict="infra", cause="infra", findings=(finding,), facts=facts)
    placed = tuple(
        replace(f, where=f"{where} {f.where}" if f.where and where else (f.where or where)) for f in findings
    )
    if not placed:
        return Result(code=check.code, verdict="pass", facts=facts)
    placed = tuple(replace(f, message=printable(f.message), where=f.where and printable(f.where)) for f in placed)
    cause = _cause(facts)
    verdict = "fail" if any(finding.severity == "error" for finding in placed) else "warn"
    return Result(
        code=check.code,
        verdict="infra" if cause == "infra" else verdict,  # type: ignore[arg-type]
        cause=cause,
        findings=placed,
        facts=facts,
    )


def _cause(facts: Facts) -> str:
    """How the step ended, if it was ended; else what the check itself knows; else it is the plugin's own."""
    ended = facts["failed"]["cause"] if "failed" in facts else "own"
    return str(ended if ended != "own" else facts.get("cause", "own"))


def _join(code: str, results: Sequence[Result]) -> Result:
    worst = ("infra", "fail", "warn", "not_run", "pass")
    verdict = min((result.verdict for result in results), key=worst.index)
    causes = [result.cause for result in results if result.verdict == verdict and result.cause]
    return Result(
        code=code,
        verdict=verdict,
        cause=causes[0] if causes else None,
        findings=tuple(finding for result in results for finding in result.findings),
        inputs=tuple(digest for result in results for digest in result.inputs),
        facts={"cases": [result.facts for result in results]},
        seconds=sum(result.seconds for result in results),
    )


def _is_planned(check: type[ComponentCheck], kind: Kind, registration: dict[str, Any]) -> bool:
    if check.kind not in (None, kind):
        return False
    return check.needs is None or check.needs in registration["capabilities"]
