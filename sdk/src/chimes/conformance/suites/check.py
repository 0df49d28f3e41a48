"""What a conformance check adds to a check: a kind, a time limit, and one way to report a step that failed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar

import pyarrow as pa

from chimes.checks.check import Check
from chimes.conformance.subject import ComponentSubject, EntrySubject
from chimes.errors import ChimesError
from chimes.evidence.finding import Finding
from chimes.evidence.record import Facts
from chimes.evidence.verdict import Cause
from chimes.kinds.descriptors import Kind
from chimes.rpc.failure import StepFailedError, failure_words

__all__ = ["ComponentCheck", "ConformanceCheck", "EntryCheck"]


class ConformanceCheck(Check[Any]):
    """A check of what a plugin does. Write ``look`` and ``conclude``; a step that fails is handled here.

    ``seeded``: it needs a harness that fills a source.
    """

    kind: ClassVar[Kind | None] = None
    seeded: ClassVar[bool] = False
    timeout_s: float = 30

    def observe(self, subject: Any) -> Facts:
        """The facts, or how the step that was to give them failed."""
        try:
            return self.look(subject)
        except StepFailedError as failure:
            return {"failed": failure.to_json()}
        except ChimesError as error:
            return {"failed": StepFailedError("the suite", code=error.code, said=str(error)).to_json()}
        except pa.ArrowException as error:
            # Each value is valid, but its type cannot be taken from, joined or compared.
            return {"failed": StepFailedError("comparing the answers", kind="TypeError", said=str(error)).to_json()}

    def judge(self, facts: Facts) -> list[Finding]:
        """The findings: first the step that failed, if one did; then those of the facts, if there are others."""
        findings = []
        if "failed" in facts:
            words, fix = failure_words(facts["failed"])
            findings.append(self.finding(words, fix, said=facts["failed"]["said"] or None))
        if facts.keys() - {"failed"}:
            findings += self.conclude(facts)
        return findings

    def cause(self, facts: Facts) -> Cause:
        """What ended the plugin's process in the step that failed; else what the check itself observed."""
        ended: Cause = facts["failed"]["cause"] if "failed" in facts else "own"
        known: Cause = facts.get("cause", "own")
        return ended if ended != "own" else known

    @abstractmethod
    def look(self, subject: Any) -> Facts:
        """Look, or run. May raise StepFailedError."""

    @abstractmethod
    def conclude(self, facts: Facts) -> Iterable[Finding]:
        """Conclude from what ``look`` returned; it may hold the key ``failed`` beside its own."""


class EntryCheck(ConformanceCheck):
    """A check of the plugin as a whole."""

    @abstractmethod
    def look(self, subject: EntrySubject) -> Facts:
        """Look, or run. May raise StepFailedError."""


class ComponentCheck(ConformanceCheck):
    """A check of one component in one case."""

    @abstractmethod
    def look(self, subject: ComponentSubject) -> Facts:
        """Look, or run. May raise StepFailedError."""
