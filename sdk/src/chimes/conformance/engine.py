"""The conformance engine: plans the checks from a plugin's registrations, and runs exactly that plan."""

from __future__ import annotations

from dataclasses import dataclass, replace

from chimes.checks.engine import Outcome, join_outcomes, judge_facts, run_check, skip_check
from chimes.conformance.catalogue import COMPONENT_CHECKS, ENTRY_CHECKS
from chimes.conformance.child import plugin
from chimes.conformance.entry import (
    Entry,
    HarnessAnswer,
    RegisteredComponent,
    read_cases,
    read_entry,
    read_offers,
)
from chimes.conformance.harness import Case
from chimes.conformance.options import Nonce, Progress
from chimes.conformance.report import ComponentReport
from chimes.conformance.rules import Rules
from chimes.conformance.subject import ComponentSubject, EntrySubject
from chimes.conformance.suites.check import ConformanceCheck
from chimes.rpc.children import Children
from chimes.rpc.failure import StepFailedError, failure_facts
from chimes.rpc.process import Place

__all__ = ["PLUGIN", "PluginRun"]

PLUGIN = plugin.__name__
"""The program of a plugin's children."""

IMPORTING, CASES = "importing the entry module", "the harness's cases"
WITHOUT_HARNESS = frozenset({"S05", "S22"})
"""Checks that are also run if the harness failed, with an empty configuration."""


@dataclass(kw_only=True)
class PluginRun:
    """One run of the suite over one plugin in one place."""

    place: Place
    env: dict[str, str]
    top_levels: tuple[str, ...]
    rules: Rules
    nonce: Nonce
    readme: str = ""
    progress: Progress = lambda _: None
    logs: tuple[str, ...] = ()

    def run(self) -> tuple[list[Outcome], list[ComponentReport]]:
        """Run the checks of the entry module, then those of every component that this SDK can use."""
        subject = self.entry()
        outcomes = [self.measure(check(), subject, None) for check in ENTRY_CHECKS]
        usable = [found for found in subject.entry.components if found.failure is None]
        return outcomes, [self.component(found) for found in usable]

    def entry(self) -> EntrySubject:
        """Import the entry module in two fresh children; the import fails if they report different registrations."""
        self.progress(IMPORTING)
        subject = self.imported()
        again = self.imported()
        events = tuple(sorted({*subject.events, *again.events}))
        failure = subject.failure or again.failure
        if failure is None and subject.entry.components != again.entry.components:
            failure = StepFailedError(IMPORTING, answer="changing")
        return replace(subject, entry=subject.entry if failure is None else Entry(), events=events, failure=failure)

    def imported(self) -> EntrySubject:
        """Import the entry module in a fresh child."""
        entry = Entry()
        failure = None
        with self.children() as children:
            try:
                entry = read_entry(IMPORTING, self.ask_entry(children))
            except StepFailedError as failed:
                failure = failed
            children.stop()
            own = {children.root, *(f"{children.root}/{name}" for name in ("tmp", "cache", "artifacts"))}
            events = tuple(sorted(event for event in children.events if event.target not in own))
        self.logs = (*self.logs, *children.logs)
        return EntrySubject(
            distribution=self.place.distribution,
            top_levels=self.top_levels,
            entry=entry,
            events=events,
            failure=failure,
            readme=self.readme,
        )

    def ask_entry(self, children: Children) -> object:
        """Import the entry modules in a child; the answer is not trusted. Raises StepFailedError."""
        place = self.place
        return children.run(
            *("entry", IMPORTING, self.rules.call_s),
            distribution=place.distribution,
            site=place.site,
            watched=not place.sandboxed,
        )

    def component(self, found: RegisteredComponent) -> ComponentReport:
        """Run the checks of one component."""
        checks = [check for check in COMPONENT_CHECKS if check.kind in (None, found.kind)]
        with self.children() as children:
            harness = self.ask_harness(children, found)
            outcomes = [self.over_cases(check(), found, harness, children) for check in checks]
        self.logs = (*self.logs, *children.logs)
        return ComponentReport(
            kind=found.kind,
            name=found.registration.name,
            cases=tuple(case.name for case in harness.cases),
            planned=tuple(check.code for check in checks),
            outcomes=tuple(outcomes),
        )

    def ask_harness(self, children: Children, found: RegisteredComponent) -> HarnessAnswer:
        """The harness's cases and optional methods, which must be the same in two fresh processes."""
        kind, name = found.kind, found.registration.name
        answers: list[HarnessAnswer] = []
        try:
            for _ in range(2):
                with children.session(self.rules.call_s) as session:
                    cases = read_cases(CASES, session.do("cases", step=CASES, kind=kind, name=name))
                    offers = read_offers(CASES, session.do("offers", step=CASES, kind=kind, name=name))
                answers.append(HarnessAnswer(cases=cases, offers=offers))
            if _names(answers[0]) != _names(answers[1]):
                raise StepFailedError(CASES, answer="changing")
        except StepFailedError as failure:
            return HarnessAnswer(failure=failure)
        return answers[1]

    def over_cases(
        self, check: ConformanceCheck, found: RegisteredComponent, harness: HarnessAnswer, children: Children
    ) -> Outcome:
        """Run one check in every case, as one outcome."""
        if harness.failure is not None and check.code not in WITHOUT_HARNESS:
            return judge_facts(check, failure_facts(harness.failure))
        if check.seeded and "seed" not in harness.offers:
            return skip_check(check.code)
        outcomes = []
        for case in harness.cases or [Case()]:
            subject = ComponentSubject(
                kind=found.kind,
                name=found.registration.name,
                distribution=self.place.distribution,
                registration=found.registration,
                case=case,
                offers=harness.offers,
                children=children,
                nonce=self.nonce,
            )
            where = f"{self.place.distribution}:{found.registration.name}[{case.name}]"
            if children.is_fresh and harness.failure is None:
                # A new child has an empty folder: the harness writes the files of its cases again.
                self.ask_harness(children, found)
            outcomes.append(self.measure(check, subject, where))
            children.clean()
        return join_outcomes(outcomes)

    def measure(self, check: ConformanceCheck, subject: EntrySubject | ComponentSubject, where: str | None) -> Outcome:
        """Run one check on one subject, each call within the time that check and rules allow."""
        self.progress(f"{check.code} {where or type(check).__name__}")
        check.timeout_s = min(check.timeout_s, self.rules.call_s)
        return run_check(check, subject, where=where, inputs=subject.inputs)

    def children(self) -> Children:
        """Children in this run's place."""
        return Children(self.place, self.env)


def _names(answer: HarnessAnswer) -> tuple[object, ...]:
    return [(case.name, case.device) for case in answer.cases], answer.offers
