"""The base of all checks: one question with a stable code; facts are observed first, and judged separately."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Generic, TypeVar

from chimes.evidence.finding import Blocks, Finding, Severity
from chimes.evidence.record import Facts
from chimes.evidence.verdict import Cause

__all__ = ["Check"]

S = TypeVar("S")


class Check(ABC, Generic[S]):
    """One question about a subject. The class docstring's first line is the title, the rest the rationale."""

    code: ClassVar[str]
    severity: ClassVar[Severity] = "error"
    blocks: ClassVar[Blocks] = "verified"
    source: ClassVar[str | None] = None
    """Where the rule comes from: a standard, a peer's rule, an incident."""

    @classmethod
    def title(cls) -> str:
        """The question in one line."""
        return (cls.__doc__ or cls.__name__).strip().splitlines()[0]

    @classmethod
    def rationale(cls) -> str:
        """Why the check exists, and what to do: the docstring below its first line."""
        lines = (cls.__doc__ or "").strip().splitlines()[1:]
        return "\n".join(line.strip() for line in lines).strip()

    @abstractmethod
    def observe(self, subject: S) -> Facts:
        """Look, or run; return plain JSON. Never raises for the author's fault."""

    @abstractmethod
    def judge(self, facts: Facts) -> list[Finding]:
        """Conclude from facts alone: pure, so that a changed rule is applied to kept facts."""

    def cause(self, facts: Facts) -> Cause:
        """The cause of the findings: ``own``, the plugin's own answers, unless the check finds another."""
        return "own"

    def finding(self, message: str, fix: str, *, where: str | None = None, said: str | None = None) -> Finding:
        """A finding of this check."""
        return Finding(
            code=self.code, severity=self.severity, blocks=self.blocks, message=message, fix=fix, where=where, said=said
        )
