"""What a conformance check adds to a check: tier, kind, time, and one way to say that a step did not succeed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import ClassVar, Literal, TypeVar

import pyarrow as pa

from chimes.checks.check import Check, Facts, Finding
from chimes.conformance.subject import ComponentSubject, EntrySubject
from chimes.errors import ChimesError
from chimes.kinds.descriptors import Kind
from chimes.rpc.failure import StepFailedError, failure_words

__all__ = ["ComponentCheck", "ConformanceCheck", "EntryCheck", "Tier"]

Tier = Literal["static", "contract", "capability", "hardware", "soak"]
S = TypeVar("S", EntrySubject, ComponentSubject)


class ConformanceCheck(Check[S]):
    """A check of what a plugin does. Write ``look`` and ``conclude``; a step that fails is handled here."""

    tier: ClassVar[Tier] = "contract"
    kind: ClassVar[Kind | None] = None
    needs: ClassVar[str | None] = None
    since: ClassVar[int] = 1
    timeout_s: ClassVar[float] = 30

    def observe(self, subject: S) -> Facts:
        """The facts, or how the step that was to give them failed."""
        try:
            return self.look(subject)
        except StepFailedError as failure:
            return {"failed": failure.to_json()}
        except ChimesError as error:
            return {"failed": StepFailedError("the suite", code=error.code, said=str(error)).to_json()}
        except pa.ArrowException as error:
            # Of values that are sound one by one: types that cannot be taken from, joined or compared.
            return {"failed": StepFailedError("comparing the answers", kind="TypeError", said=str(error)).to_json()}

    def judge(self, facts: Facts) -> list[Finding]:
        """The findings."""
        if "failed" not in facts:
            return list(self.conclude(facts))
        words, fix = failure_words(facts["failed"])
        failure = self.finding(words, fix, said=facts["failed"]["said"] or None)
        return [failure, *self.conclude_all_the_same(facts)]

    def conclude_all_the_same(self, facts: Facts) -> Iterable[Finding]:
        """What is known although a step failed."""
        return ()

    @abstractmethod
    def look(self, subject: S) -> Facts:
        """Look, or run. May raise StepFailedError."""

    @abstractmethod
    def conclude(self, facts: Facts) -> Iterable[Finding]:
        """Conclude."""


class EntryCheck(ConformanceCheck[EntrySubject]):
    """A check of the plugin as a whole."""

    tier: ClassVar[Tier] = "static"


class ComponentCheck(ConformanceCheck[ComponentSubject]):
    """A check of one component in one case. ``seeded``: needs a harness that fills a source."""

    seeded: ClassVar[bool] = False
