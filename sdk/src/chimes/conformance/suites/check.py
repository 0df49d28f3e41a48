"""The base classes of conformance checks: checks with a kind and a time limit, which report a step that failed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import pyarrow as pa

from chimes.checks.check import Check
from chimes.conformance.subject import ComponentSubject, EntrySubject
from chimes.errors import ChimesError
from chimes.evidence.finding import Finding
from chimes.evidence.record import Facts
from chimes.evidence.verdict import Cause
from chimes.kinds.descriptors import Kind
from chimes.rpc.failure import StepFailedError, StepFailure, failure_facts

__all__ = ["ComponentCheck", "ConformanceCheck", "EntryCheck", "code_of_error"]


class ConformanceCheck(Check[Any]):
    """A check of what a plugin does. A check defines ``look`` and ``conclude``; a step that fails is handled here.

    ``seeded``: the check needs a harness that fills a source.
    """

    kind: ClassVar[Kind | None] = None
    seeded: ClassVar[bool] = False
    timeout_s: float = 30

    def observe(self, subject: Any) -> Facts:
        """The facts of ``look``, or the failure of a step."""
        try:
            return self.look(subject)
        except StepFailedError as failure:
            return failure_facts(failure)
        except ChimesError as error:
            return failure_facts(StepFailedError("the component", answer="unusable", said=str(error)))
        except pa.ArrowException as error:
            # Each value is valid, but pyarrow cannot take, join or compare values of its type.
            return failure_facts(StepFailedError("comparing the answers", kind="TypeError", said=str(error)))

    def judge(self, facts: Facts) -> list[Finding]:
        """A finding for the step that failed, if one did, then those that ``conclude`` draws from the other facts."""
        findings = []
        if "failed" in facts:
            failure = StepFailure.model_validate(facts["failed"])
            message, fix = failure.describe()
            findings.append(self.finding(message, fix, said=failure.said or None))
        if facts.keys() - {"failed"}:
            findings += self.conclude(facts)
        return findings

    def cause(self, facts: Facts) -> Cause:
        """The cause of the process's end in the step that failed, else the cause that the check observed."""
        ended: Cause = facts["failed"]["cause"] if "failed" in facts else "own"
        known: Cause = facts.get("cause", "own")
        return ended if ended != "own" else known

    @abstractmethod
    def look(self, subject: Any) -> Facts:
        """Run the component or read what was observed; return the facts. May raise StepFailedError."""

    @abstractmethod
    def conclude(self, facts: Facts) -> Iterable[Finding]:
        """The findings for the facts that ``look`` returned."""


class EntryCheck(ConformanceCheck):
    """A check of the plugin as a whole."""

    @abstractmethod
    def look(self, subject: EntrySubject) -> Facts:
        """The facts of a plugin's entry module. May raise StepFailedError."""


class ComponentCheck(ConformanceCheck):
    """A check of one component in one case."""

    @abstractmethod
    def look(self, subject: ComponentSubject) -> Facts:
        """The facts of one component in one case. May raise StepFailedError."""


def code_of_error(step: Callable[[], object]) -> str | None:
    """The code of the error that a step raises (``other`` for errors without one); None if it succeeds.

    Raises StepFailedError if the step ended the process.
    """
    try:
        step()
    except StepFailedError as error:
        if error.failure.cause != "own":
            raise
        return error.failure.code or "other"
    return None
