"""What a check is: one question with a stable code, answered by facts and judged apart from them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Generic, Literal, TypeVar

__all__ = ["Blocks", "Check", "Facts", "Finding", "Severity"]

Severity = Literal["error", "warning", "info"]
Blocks = Literal["upload", "review", "verified", "certified"] | None
Facts = dict[str, Any]
"""What was observed, as plain JSON values only."""

S = TypeVar("S")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a check concluded. ``message`` and ``fix`` are the judge's own words and deterministic.

    ``said`` is what the plugin itself said (an exception's text, say): shown to a person, kept in the
    run record, never in the verdict document, since a plugin may say something else each time.
    """

    code: str
    severity: Severity
    blocks: Blocks
    message: str
    fix: str
    where: str | None = None
    said: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The finding as a JSON object."""
        return asdict(self)


class Check(ABC, Generic[S]):
    """One question about a subject. The class docstring's first line is the title, the rest the rationale."""

    code: ClassVar[str]
    severity: ClassVar[Severity] = "error"
    blocks: ClassVar[Blocks] = "verified"
    anchor: ClassVar[str | None] = None
    """Where the rule comes from: a standard, a peer's rule, an incident."""

    @classmethod
    def title(cls) -> str:
        """The question in one line."""
        return (cls.__doc__ or cls.__name__).strip().splitlines()[0]

    @classmethod
    def rationale(cls) -> str:
        """Why it is asked, and what to do: the docstring below its first line."""
        lines = (cls.__doc__ or "").strip().splitlines()[1:]
        return "\n".join(line.strip() for line in lines).strip()

    @abstractmethod
    def observe(self, subject: S) -> Facts:
        """Look, or run; return plain JSON. Never raises for the author's fault."""

    @abstractmethod
    def judge(self, facts: Facts) -> list[Finding]:
        """Conclude from facts alone: pure, so that a changed rule is applied to kept facts."""

    def finding(self, message: str, fix: str, *, where: str | None = None, said: str | None = None) -> Finding:
        """A finding of this check."""
        return Finding(
            code=self.code,
            severity=self.severity,
            blocks=self.blocks,
            message=message,
            fix=fix,
            where=where,
            said=said,
        )
