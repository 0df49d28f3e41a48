"""What a conformance check adds to a check: tier, kind, time, and one way to say that a step did not succeed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar, Literal, TypeVar

from chimes.checks.check import Check, Facts, Finding
from chimes.conformance.remote import StepFailedError
from chimes.conformance.subject import ComponentSubject, EntrySubject
from chimes.errors import ChimesError
from chimes.registration import Kind

__all__ = ["ComponentCheck", "ConformanceCheck", "EntryCheck", "Tier", "failure_words"]

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
            return {
                "failed": {"step": "the suite", "cause": "own", "code": error.code, "kind": None, "said": str(error)}
            }

    def judge(self, facts: Facts) -> list[Finding]:
        """The findings."""
        if "failed" not in facts:
            return list(self.conclude(facts))
        words, fix = failure_words(facts["failed"])
        return [self.finding(words, fix, said=facts["failed"]["said"] or None)]

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


CAUSES = {
    "memory": ("used more memory than allowed", "free memory between batches, or ask for more in the registration"),
    "time": ("did not come to an end in the time allowed", "make it return, or raise an error, in time"),
    "processes": ("started more processes than allowed", "start fewer processes and wait for each"),
    "disk": ("wrote more than allowed", "write less, and remove temporary files"),
    "killed": ("ended or attacked the process that watches it", "signal only processes that you started"),
    "crashed": ("ended the process it runs in", "do not call os._exit, and look for crashes in native code"),
    "infra": ("could not be run here", "this is not the plugin's fault: try again"),
}


def failure_words(failed: dict[str, Any]) -> tuple[str, str]:
    """One sentence and one fix for a step that failed, in words that are the same in every run."""
    step, cause = failed["step"], failed["cause"]
    if cause in CAUSES:
        words, fix = CAUSES[cause]
        return f"{step} {words}", fix
    name = failed["code"] or failed["kind"] or "an exception of its own"
    return f"{step} raised {name} where it had to succeed", "run it with the same input and mend what raises"
